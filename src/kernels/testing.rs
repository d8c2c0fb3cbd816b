//! What the tests of kernels share: comparison with a definition in f64, and with themselves on other numbers of threads.

use candle_core::{DType, Device, Result, Tensor, Var};

/// Returns numbers between -1 and 1.
fn noise(seed: usize, dims: &[usize]) -> Vec<f32> {
    let value = |i: usize| ((i * 2_654_435_761 + seed * 40_503) % 1013) as f32 / 506.5 - 1.0;
    (0..dims.iter().product()).map(value).collect()
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    let tensor = tensor.to_dtype(DType::F64).unwrap();
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Returns the output of `f` for operands of noise, and the gradients of a weighted sum of squares of it. No operand is
/// contiguous if `turned`, nor the output's gradient.
fn outcome(
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
    operands: &[&[usize]],
    dtype: DType,
    turned: bool,
) -> Result<Vec<Vec<f64>>> {
    let device = &Device::Cpu;
    let backwards = |dims: &[usize]| (0..dims.len()).rev().map(|i| dims[i]).collect::<Vec<_>>();
    let variable = |(seed, dims): (usize, &&[usize])| {
        let dims = if turned {
            backwards(dims)
        } else {
            dims.to_vec()
        };
        let values = Tensor::from_vec(noise(seed, &dims), dims, device)?;
        Var::from_tensor(&values.to_dtype(dtype)?)
    };
    let variables: Vec<Var> = operands
        .iter()
        .enumerate()
        .map(variable)
        .collect::<Result<_>>()?;
    let turn = |tensor: &Tensor| {
        let order: Vec<usize> = (0..tensor.rank()).rev().collect();
        if turned {
            tensor.permute(order)
        } else {
            Ok(tensor.clone())
        }
    };
    let operands: Vec<Tensor> = variables.iter().map(|v| turn(v)).collect::<Result<_>>()?;
    let output = f(&operands)?;
    let judged = turn(&output)?;
    let weights = Tensor::from_vec(noise(9, judged.dims()), judged.dims(), device)?;
    let loss = (judged.sqr()? * weights.to_dtype(dtype)?)?.sum_all()?;
    let gradients = loss.backward()?;
    let gradients = variables
        .iter()
        .map(|v| flat(gradients.get(v).expect("a gradient")));
    Ok(std::iter::once(flat(&output)).chain(gradients).collect())
}

/// Asserts that outputs and gradients of `ours` are those of `theirs` in f64, for operands of these dimensions in any
/// layout.
pub(super) fn agrees(
    operands: &[&[usize]],
    ours: impl Fn(&[Tensor]) -> Result<Tensor>,
    theirs: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    for turned in [false, true] {
        let found = outcome(&ours, operands, DType::F32, turned).unwrap();
        let expected = outcome(&theirs, operands, DType::F64, turned).unwrap();
        for (which, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found.len(), expected.len());
            let largest = expected
                .iter()
                .fold(1.0f64, |largest, x| largest.max(x.abs()));
            for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert!(
                    (found - expected).abs() <= 1e-5 * largest,
                    "{operands:?}, turned: {turned}, {which} at {index}: {found} instead of {expected}"
                );
            }
        }
    }
}

/// Asserts that the number of threads changes no bit of outputs or gradients.
pub(super) fn same_with_all_threads(
    operands: &[&[usize]],
    f: impl Fn(&[Tensor]) -> Result<Tensor> + Sync,
) {
    let [expected, rest @ ..] = [1, 2, 3, 7].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let run = || outcome(&f, operands, DType::F32, false).unwrap();
        pool.unwrap().install(run)
    });
    for found in rest {
        assert!(
            found == expected,
            "{operands:?} differs between numbers of threads"
        );
    }
}

/// Asserts that a gradient reaches the operand `needed`, and no other when no other wants one.
pub(super) fn only_needed_gradients(
    operands: &[&[usize]],
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    for needed in 0..operands.len() {
        let constant = |(seed, dims): (usize, &&[usize])| {
            Tensor::from_vec(noise(seed, dims), *dims, &Device::Cpu).unwrap()
        };
        let mut tensors: Vec<Tensor> = operands.iter().enumerate().map(constant).collect();
        let variable = Var::from_tensor(&tensors[needed]).unwrap();
        tensors[needed] = variable.as_tensor().clone();
        let gradients = f(&tensors).unwrap().sum_all().unwrap().backward().unwrap();
        for (index, tensor) in tensors.iter().enumerate() {
            assert_eq!(gradients.get(tensor).is_some(), index == needed);
        }
    }
}
