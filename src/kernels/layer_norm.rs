//! Layer normalisation (Ba et al. 2016) with its gradients.

use super::elementwise::CHUNK;
use super::lanes::sum;
use super::matrix::column_sums;
use super::scratch::filled;
use super::simd::Level;
use super::storage::{numbers, result, tensor, with_numbers};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use pulp::NullaryFnOnce;

/// Normalises `x` over its last dimension, `eps` added to the variance, then multiplies by `weight` and adds `bias`, each
/// `[d]`. Gradients flow to each of the three.
///
/// # Errors
/// Shapes that do not go together.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
    let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
    x.contiguous()?.apply_op3(&weight, &bias, LayerNorm { eps })
}

#[derive(Debug, Clone, Copy)]
struct LayerNorm {
    eps: f32,
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
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
        let features = match (l1.dims(), l2.dims(), l3.dims()) {
            (&[.., x], &[weight], &[bias]) if x > 0 && x == weight && x == bias => x,
            (x, weight, bias) => {
                bail!("a weight {weight:?} and a bias {bias:?} do not fit an input {x:?}")
            }
        };
        let x = numbers((x, l1))?;
        let (weight, bias) = (numbers((weight, l2))?, numbers((bias, l3))?);
        let output = rows_at_a_time(x, features, |level, x, _, y| {
            level.run(Forward {
                x,
                weight,
                bias,
                eps: self.eps,
                y,
            });
        });
        result(output, l1.dims())
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = &gradient.contiguous()?;
        let for_x = x.track_op().then(|| {
            let operands = [x, weight, gradient];
            let numbers = with_numbers(operands, |operands| Ok(self.input_gradient(operands)))?;
            tensor(numbers, x.dims())
        });
        let mut for_parameters = (None, None);
        if weight.track_op() || bias.track_op() {
            let features = weight.elem_count();
            let sums = with_numbers([x, gradient], |o| self.parameter_gradients(o, features))?;
            let (for_weight, for_bias) = sums.split_at(features);
            let to = |operand: &Tensor, numbers: &[f32]| {
                let gradient = || tensor(numbers.to_vec(), operand.dims());
                operand.track_op().then(gradient).transpose()
            };
            for_parameters = (to(weight, for_weight)?, to(bias, for_bias)?);
        }
        Ok((for_x.transpose()?, for_parameters.0, for_parameters.1))
    }
}

impl LayerNorm {
    fn input_gradient(self, [x, weight, gradient]: [&[f32]; 3]) -> Vec<f32> {
        rows_at_a_time(x, weight.len(), |level, x, first, result| {
            level.run(InputGradient {
                x,
                weight,
                gradient: &gradient[first..],
                eps: self.eps,
                result,
            });
        })
    }

    /// Returns the gradients of the weight and of the bias, one after the other.
    fn parameter_gradients(self, [x, gradient]: [&[f32]; 2], features: usize) -> Result<Vec<f32>> {
        let level = Level::best();
        let chunk = chunk(features);
        let parts = x.len().div_ceil(chunk);
        let sums = filled(parts * 2 * features, 2 * features, |part, sums| {
            let first = part * chunk;
            level.run(ParameterGradients {
                x: &x[first..x.len().min(first + chunk)],
                gradient: &gradient[first..],
                eps: self.eps,
                sums,
            });
        });
        column_sums(level, &sums, 2 * features)
    }
}

/// Returns the elements of as many rows as make a task.
fn chunk(features: usize) -> usize {
    (CHUNK / features).max(1) * features
}

/// Makes as many numbers as `x` has, where `fill(level, rows of x, index of the first number, numbers)` fills a few rows.
fn rows_at_a_time(
    x: &[f32],
    features: usize,
    fill: impl Fn(Level, &[f32], usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    let (level, chunk) = (Level::best(), chunk(features));
    filled(x.len(), chunk, |index, numbers| {
        let first = index * chunk;
        fill(level, &x[first..][..numbers.len()], first, numbers);
    })
}

/// Returns the mean of a row and the inverse of its standard deviation.
#[inline(always)]
fn statistics(row: &[f32], eps: f32) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum([row], |[x]| x) / count;
    let variance = sum([row], |[x]| (x - mean) * (x - mean)) / count;
    (mean, 1.0 / (variance + eps).sqrt())
}

struct Forward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    y: &'a mut [f32],
}

impl NullaryFnOnce for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let features = self.weight.len();
        let rows = self.x.chunks_exact(features);
        for (x, y) in rows.zip(self.y.chunks_exact_mut(features)) {
            let (mean, inverse) = statistics(x, self.eps);
            let parameters = self.weight.iter().zip(self.bias);
            for ((y, x), (weight, bias)) in y.iter_mut().zip(x).zip(parameters) {
                *y = (x - mean) * inverse * weight + bias;
            }
        }
    }
}

struct InputGradient<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    gradient: &'a [f32],
    eps: f32,
    result: &'a mut [f32],
}

impl NullaryFnOnce for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { weight, .. } = self;
        let (features, count) = (weight.len(), weight.len() as f32);
        let rows = self
            .x
            .chunks_exact(features)
            .zip(self.gradient.chunks_exact(features));
        for ((x, gradient), result) in rows.zip(self.result.chunks_exact_mut(features)) {
            let (mean, inverse) = statistics(x, self.eps);
            let offset = sum([gradient, weight], |[g, w]| g * w) / count;
            let along = |[g, w, x]: [f32; 3]| g * w * ((x - mean) * inverse);
            let along = sum([gradient, weight, x], along) / count;
            let operands = gradient.iter().zip(weight).zip(x);
            for (result, ((gradient, weight), x)) in result.iter_mut().zip(operands) {
                let normal = (x - mean) * inverse;
                *result = inverse * (gradient * weight - offset - normal * along);
            }
        }
    }
}

struct ParameterGradients<'a> {
    x: &'a [f32],
    gradient: &'a [f32],
    eps: f32,
    sums: &'a mut [f32],
}

impl NullaryFnOnce for ParameterGradients<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let features = self.sums.len() / 2;
        let (for_weight, for_bias) = self.sums.split_at_mut(features);
        let rows = self
            .x
            .chunks_exact(features)
            .zip(self.gradient.chunks_exact(features));
        for (x, gradient) in rows {
            let (mean, inverse) = statistics(x, self.eps);
            let sums = for_weight.iter_mut().zip(&mut *for_bias);
            for ((for_weight, for_bias), (x, gradient)) in sums.zip(x.iter().zip(gradient)) {
                *for_weight += gradient * ((x - mean) * inverse);
                *for_bias += gradient;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{agrees, same_with_all_threads};
    use candle_core::D;

    fn naive(operands: &[Tensor]) -> Result<Tensor> {
        let x = &operands[0];
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = (centred.sqr()?.mean_keepdim(D::Minus1)? + 1e-3)?;
        let normal = centred.broadcast_div(&variance.sqrt()?)?;
        normal
            .broadcast_mul(&operands[1])?
            .broadcast_add(&operands[2])
    }

    fn ours(o: &[Tensor]) -> Result<Tensor> {
        layer_norm(&o[0], &o[1], &o[2], 1e-3)
    }

    #[test]
    fn follows_the_definition_and_its_gradients() {
        for features in [1, 2, 15, 16, 33, 192] {
            agrees(&[&[2, 7, features], &[features], &[features]], ours, naive);
        }
        agrees(&[&[1500, 40], &[40], &[40]], ours, naive);
    }

    #[test]
    fn threads_change_no_bit() {
        same_with_all_threads(&[&[9, 101, 70], &[70], &[70]], ours);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let zeros = |dims: &[usize]| tensor(vec![0.0; dims.iter().product()], dims).unwrap();
        let refused = layer_norm(&zeros(&[2, 3]), &zeros(&[3]), &zeros(&[2]), 1e-5).unwrap_err();
        assert!(refused.to_string().contains("do not fit an input"));
    }
}
