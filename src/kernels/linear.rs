//! Fully connected layers with their gradients.

use super::matrix::{column_sums, product, rows_a_task, terms, turned};
use super::product::{Product, Start};
use super::scratch::{filled, with_scratch};
use super::simd::Level;
use super::storage::{numbers, result, tensor, with_numbers};
use super::transpose::transpose;
use super::{Clamp, Wanted};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// With fewer rows than this, turning over the rows and then the outputs costs less than turning over the weight.
const FEW: usize = 16;

/// Rows whose contributions to the weight gradient are summed at a time.
const BLOCK: usize = 320;

/// Returns `x W^T + bias` over the last dimension of `x`: weight `[out, in]`, bias `[out]`. Gradients flow to each of the
/// three.
///
/// # Errors
/// Shapes that do not go together.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    match bias {
        Some(bias) => x.apply_op3(&weight, &bias.contiguous()?, Linear),
        None => x.apply_op2(&weight, Linear),
    }
}

/// How many rows there are, and how many features each takes and makes.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    rows: usize,
    inner: usize,
    outer: usize,
}

impl Sizes {
    fn new(x: &[usize], weight: &[usize]) -> Result<Self> {
        match (x, weight) {
            (&[ref leading @ .., features], &[outer, inner]) if inner > 0 && features == inner => {
                let rows = leading.iter().product();
                Ok(Self { rows, inner, outer })
            }
            _ => bail!("a weight {weight:?} does not fit an input {x:?}"),
        }
    }
}

struct Linear;

impl Linear {
    fn run(
        x: (&CpuStorage, &Layout),
        weight: (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let mut dims = x.1.dims().to_vec();
        let sizes = Sizes::new(&dims, weight.1.dims())?;
        if let Some(bias) = bias.filter(|bias| bias.len() != sizes.outer) {
            bail!("a bias of {} for {} features", bias.len(), sizes.outer);
        }
        if let Some(features) = dims.last_mut() {
            *features = sizes.outer;
        }
        let operands = [numbers(x)?, numbers(weight)?];
        result(forward(Level::best(), operands, bias, sizes)?, &dims)
    }
}

/// Returns the gradients of `x`, weight and bias, where wanted, from what [`linear`] was given.
///
/// # Errors
/// Shapes that do not go together.
pub fn linear_gradients(
    [x, weight]: [&Tensor; 2],
    gradient: &Tensor,
    wanted: [Wanted<'_>; 3],
) -> Result<[Option<Tensor>; 3]> {
    let level = Level::best();
    let (x, weight, gradient) = (
        &x.contiguous()?,
        &weight.contiguous()?,
        &gradient.contiguous()?,
    );
    let sizes = Sizes::new(x.dims(), weight.dims())?;
    let [for_x, for_weight, for_bias] = wanted;
    let for_x = for_x.any().then(|| {
        let Sizes { rows, inner, outer } = sizes;
        let product = with_numbers([gradient, weight], |factors| {
            product(level, factors, [rows, outer, inner], Start::Zero)
        });
        tensor(product?, x.dims())
    });
    let for_weight = for_weight.any().then(|| {
        let product = with_numbers([gradient, x], |factors| {
            weight_gradient(level, factors, sizes)
        });
        tensor(product?, weight.dims())
    });
    let for_bias = for_bias.any().then(|| {
        let sums = with_numbers([gradient], |[gradient]| {
            column_sums(level, gradient, sizes.outer)
        });
        tensor(sums?, &[sizes.outer])
    });
    Ok([
        for_x.transpose()?,
        for_weight.transpose()?,
        for_bias.transpose()?,
    ])
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        l1: &Layout,
        weight: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Self::run((x, l1), (weight, l2), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let wanted = [Wanted::by_candle(x), Wanted::by_candle(weight), Wanted::No];
        let [x, weight, _] = linear_gradients([x, weight], gradient, wanted)?;
        Ok((x, weight))
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        l1: &Layout,
        weight: &CpuStorage,
        l2: &Layout,
        bias: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Self::run((x, l1), (weight, l2), Some(numbers((bias, l3))?))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let wanted = [x, weight, bias].map(Wanted::by_candle);
        let [x, weight, bias] = linear_gradients([x, weight], gradient, wanted)?;
        Ok((x, weight, bias))
    }
}

/// Returns the outputs `[rows, outer]`. A row comes out the same to the bit whatever others there are.
fn forward(
    level: Level,
    [x, weight]: [&[f32]; 2],
    bias: Option<&[f32]>,
    Sizes { rows, inner, outer }: Sizes,
) -> Result<Vec<f32>> {
    if rows < FEW {
        let x = turned(level, x, rows, inner);
        let start = bias.map_or(Start::Zero, Start::Rows);
        let output = product(level, [weight, &x], [outer, inner, rows], start)?;
        Ok(turned(level, &output, outer, rows))
    } else {
        let weight = turned(level, weight, outer, inner);
        let start = bias.map_or(Start::Zero, Start::Columns);
        product(level, [x, &weight], [rows, inner, outer], start)
    }
}

/// Returns the gradient of the weight `[outer, inner]`: the products of output gradients with inputs, summed over rows.
fn weight_gradient(
    level: Level,
    [gradient, x]: [&[f32]; 2],
    Sizes { rows, inner, outer }: Sizes,
) -> Result<Vec<f32>> {
    let block = BLOCK.min(rows).max(1);
    let terms = terms(block, 1, inner)?;
    let task = rows_a_task(outer);
    Ok(filled(outer * inner, task * inner, |index, result| {
        let features = result.len() / inner;
        with_scratch([features * block], |[left]| {
            let blocks = gradient.chunks(block * outer).zip(x.chunks(block * inner));
            for (gradient, x) in blocks {
                let rows = x.len() / inner;
                // Numbers of one feature would otherwise lie in as many cache lines.
                transpose(
                    level,
                    &gradient[index * task..],
                    outer,
                    rows,
                    features,
                    left,
                );
                let product = Product {
                    a: left,
                    row_stride: rows,
                    b: x,
                    terms: &terms[..rows],
                    rows: features,
                    columns: inner,
                    start: Start::Kept,
                    clamp: Clamp::NONE,
                };
                product.run(level, result, inner);
            }
        });
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{agrees, only_needed_gradients, same_with_all_threads};
    use proptest::prelude::*;

    fn naive(o: &[Tensor]) -> Result<Tensor> {
        let product = o[0].broadcast_matmul(&o[1].t()?)?;
        o.get(2)
            .map_or(Ok(product.clone()), |bias| product.broadcast_add(bias))
    }

    fn ours(o: &[Tensor]) -> Result<Tensor> {
        linear(&o[0], &o[1], o.get(2))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn follows_the_definition_and_its_gradients(
            rows in prop_oneof![1..40_usize, Just(700)],
            inner in 1..70_usize,
            outer in 1..70_usize,
        ) {
            agrees(&[&[rows, inner], &[outer, inner], &[outer]], ours, naive);
            agrees(&[&[2, rows, inner], &[outer, inner]], ours, naive);
        }

        #[test]
        fn threads_change_no_bit(rows in 1..90_usize, inner in 1..400_usize, outer in 1..150_usize) {
            same_with_all_threads(&[&[rows, inner], &[outer, inner], &[outer]], ours);
        }

        #[test]
        fn rows_do_not_depend_on_their_company(inner in 1..700_usize, outer in 1..50_usize) {
            let values = |count: usize| (0..count).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect::<Vec<_>>();
            let (x, weight, bias) = (values(2 * FEW * inner), values(outer * inner), values(outer));
            let run = |rows: usize| {
                let sizes = Sizes { rows, inner, outer };
                forward(Level::best(), [&x[..rows * inner], &weight], Some(&bias), sizes).unwrap()
            };
            let all = run(2 * FEW);
            for rows in [1, 2, FEW - 1, FEW] {
                prop_assert_eq!(&run(rows), &all[..rows * outer]);
            }
        }
    }

    #[test]
    fn gradients_that_nobody_needs_are_not_computed() {
        only_needed_gradients(&[&[4, 3], &[5, 3], &[5]], ours);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let zeros = |dims: &[usize]| tensor(vec![0.0; dims.iter().product()], dims).unwrap();
        let message = |x: &[usize], weight: &[usize], bias: &[usize]| {
            let refused = linear(&zeros(x), &zeros(weight), Some(&zeros(bias)));
            refused.unwrap_err().to_string()
        };
        assert!(message(&[2, 3], &[4, 2], &[4]).contains("does not fit an input"));
        assert!(message(&[2, 3], &[4, 3], &[3]).contains("a bias of 3"));
    }
}
