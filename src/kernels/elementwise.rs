//! Operations on one element at a time.

use super::scratch::{Blank, written};
use super::simd::Level;
use super::storage::{numbers, result, tensor, with_numbers};
use super::{Clamp, serves};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use pulp::NullaryFnOnce;

/// Elements a task: enough to be worth a task, few enough for the second-level cache.
pub(super) const CHUNK: usize = 1 << 15;

/// Computes `f` of the elements of some vectors of one length, for whatever instructions the machine has.
pub(super) fn map<const N: usize>(
    operands: [&[f32]; N],
    f: impl Fn([f32; N]) -> f32 + Copy + Sync,
) -> Vec<f32> {
    /// Owns `f`: behind a reference, what it captures might change with every result, and nothing would vectorise.
    struct Chunk<'a, 'r, F, const N: usize> {
        operands: [&'a [f32]; N],
        result: Blank<'r>,
        f: F,
    }
    impl<'r, F: Fn([f32; N]) -> f32 + Copy, const N: usize> NullaryFnOnce for Chunk<'_, 'r, F, N> {
        type Output = &'r mut [f32];

        #[inline(always)]
        fn call(self) -> &'r mut [f32] {
            let Self {
                operands,
                result,
                f,
            } = self;
            let length = result.len();
            result.write(length, |_| {
                let operands = operands.map(|operand| &operand[..length]);
                move |index| f(operands.map(|operand| operand[index]))
            })
        }
    }
    let level = Level::best();
    written(operands[0].len(), CHUNK, |index, result| {
        let operands = operands.map(|operand| &operand[index * CHUNK..][..result.len()]);
        level.run(Chunk {
            operands,
            result,
            f,
        })
    })
}

/// Clamps every element.
///
/// # Errors
/// What candle says.
pub fn clamp(x: &Tensor, clamp: Clamp) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Clamped(clamp))
}

struct Clamped(Clamp);

impl CustomOp1 for Clamped {
    fn name(&self) -> &'static str {
        "clamp"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let clamp = self.0;
        let output = map([numbers((x, layout))?], move |[x]| clamp.value(x));
        result(output, layout.dims())
    }

    fn bwd(&self, _x: &Tensor, output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        clamp_gradient(output, gradient, self.0).map(Some)
    }
}

/// Returns the gradient before a clamp, from its output and the gradient after it.
///
/// # Errors
/// What candle says.
pub fn clamp_gradient(output: &Tensor, gradient: &Tensor, clamp: Clamp) -> Result<Tensor> {
    if clamp == Clamp::NONE {
        return Ok(gradient.clone());
    }
    let operands = [&output.contiguous()?, &gradient.contiguous()?];
    let before = with_numbers(operands, |operands| {
        let passed = move |[y, gradient]: [f32; 2]| if clamp.passes(y) { gradient } else { 0.0 };
        Ok(map(operands, passed))
    });
    tensor(before?, output.dims())
}

/// Adds two tensors of one shape, and clamps the sum.
///
/// # Errors
/// Shapes that differ.
pub fn add(a: &Tensor, b: &Tensor, clamp: Clamp) -> Result<Tensor> {
    if a.dims() != b.dims() {
        bail!("{:?} and {:?} differ", a.dims(), b.dims());
    }
    a.contiguous()?.apply_op2(&b.contiguous()?, Added(clamp))
}

/// Returns `(a - b) * scale`, on any device.
///
/// # Errors
/// Shapes that differ.
pub fn scaled_difference(a: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor> {
    if !serves(a) || a.dims() != b.dims() {
        return (a - b)? * scale;
    }
    let factor = scale as f32;
    let scaled = with_numbers([&a.contiguous()?, &b.contiguous()?], |operands| {
        Ok(map(operands, move |[a, b]| (a - b) * factor))
    });
    tensor(scaled?, a.dims())
}

struct Added(Clamp);

impl CustomOp2 for Added {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        l1: &Layout,
        b: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let clamp = self.0;
        let sum = map([numbers((a, l1))?, numbers((b, l2))?], move |[a, b]| {
            clamp.value(a + b)
        });
        result(sum, l1.dims())
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = clamp_gradient(output, gradient, self.0)?;
        let to = |operand: &Tensor| operand.track_op().then(|| gradient.clone());
        Ok((to(a), to(b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn a_scaled_difference_is_candle_s_gradient_of_the_mean_squared_error() {
        let device = &Device::Cpu;
        let output = Var::from_vec(vec![1.5f32, -2.0, 0.25, 4.0], (2, 2), device).unwrap();
        let target = Tensor::new(&[[1.0f32, 2.0], [0.5, -4.0]], device).unwrap();
        let loss = (output.as_tensor() - &target).unwrap().sqr().unwrap();
        let gradients = loss.mean_all().unwrap().backward().unwrap();
        let ours = scaled_difference(&output, &target, 2.0 / 4.0).unwrap();
        let numbers = |t: &Tensor| t.to_vec2::<f32>().unwrap();
        assert_eq!(numbers(&ours), numbers(gradients.get(&output).unwrap()));
        assert!(scaled_difference(&output, &target.flatten_all().unwrap(), 1.0).is_err());
    }
}
