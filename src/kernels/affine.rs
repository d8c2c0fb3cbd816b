//! Channels scaled and shifted: what batch normalisation is at inference.

use super::scratch::{Blank, written};
use super::simd::Level;
use super::storage::{numbers, result, tensor, with_numbers};
use super::sums::{channel_sums, planes_a_task};
use super::{Clamp, clamp_gradient};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use pulp::NullaryFnOnce;

/// Multiplies the channels of `x` `[n, c, ...]` by `scale` `[c]`, adds `shift` `[c]` and clamps. Gradients flow to each of
/// the three.
///
/// # Errors
/// Shapes that do not go together.
pub fn scale_and_shift(x: &Tensor, scale: &Tensor, shift: &Tensor, clamp: Clamp) -> Result<Tensor> {
    let (scale, shift) = (scale.contiguous()?, shift.contiguous()?);
    x.contiguous()?.apply_op3(&scale, &shift, Affine(clamp))
}

struct Affine(Clamp);

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "scale-and-shift"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        l1: &Layout,
        scale: &CpuStorage,
        l2: &Layout,
        shift: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let plane = plane(l1.dims(), l2.dims(), l3.dims())?;
        let x = numbers((x, l1))?;
        let (scale, shift) = (numbers((scale, l2))?, numbers((shift, l3))?);
        result(moved(x, scale, shift, plane, self.0), l1.dims())
    }

    fn bwd(
        &self,
        x: &Tensor,
        scale: &Tensor,
        shift: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let plane = plane(x.dims(), scale.dims(), shift.dims())?;
        let gradient = &clamp_gradient(output, &gradient.contiguous()?, self.0)?;
        let channels = scale.elem_count();
        let for_x = x.track_op().then(|| {
            let numbers = with_numbers([gradient, scale], |[gradient, scale]| {
                Ok(moved(
                    gradient,
                    scale,
                    &vec![0.0; channels],
                    plane,
                    Clamp::NONE,
                ))
            });
            tensor(numbers?, x.dims())
        });
        let for_scale = scale.track_op().then(|| {
            let sums = with_numbers([gradient, x], |operands| {
                channel_sums(operands, |[gradient, x]| gradient * x, plane, channels)
            });
            tensor(sums?, scale.dims())
        });
        let for_shift = shift.track_op().then(|| {
            let sums = with_numbers([gradient], |operands| {
                channel_sums(operands, |[gradient]| gradient, plane, channels)
            });
            tensor(sums?, shift.dims())
        });
        Ok((
            for_x.transpose()?,
            for_scale.transpose()?,
            for_shift.transpose()?,
        ))
    }
}

/// Returns the elements of a channel of a sample.
fn plane(x: &[usize], scale: &[usize], shift: &[usize]) -> Result<usize> {
    match x {
        [_, channels, rest @ ..] if scale == [*channels] && shift == [*channels] => {
            Ok(rest.iter().product())
        }
        _ => bail!("a scale {scale:?} and a shift {shift:?} do not fit an input {x:?}"),
    }
}

fn moved(x: &[f32], scale: &[f32], shift: &[f32], plane: usize, clamp: Clamp) -> Vec<f32> {
    let (level, task) = (Level::best(), planes_a_task(plane));
    written(x.len(), task * plane, |index, y| {
        let first = index * task;
        level.run(Moved {
            x: &x[first * plane..][..y.len()],
            y,
            scale,
            shift,
            first,
            plane,
            clamp,
        })
    })
}

/// Some planes, from number `first` on.
struct Moved<'a, 'y> {
    x: &'a [f32],
    y: Blank<'y>,
    scale: &'a [f32],
    shift: &'a [f32],
    first: usize,
    plane: usize,
    clamp: Clamp,
}

impl<'y> NullaryFnOnce for Moved<'_, 'y> {
    type Output = &'y mut [f32];

    #[inline(always)]
    fn call(self) -> &'y mut [f32] {
        let Self {
            x,
            scale,
            shift,
            first,
            plane,
            clamp,
            ..
        } = self;
        self.y.write(plane, |index| {
            let x = &x[index * plane..][..plane];
            let channel = (first + index) % scale.len();
            let (scale, shift) = (scale[channel], shift[channel]);
            move |index| clamp.value(x[index] * scale + shift)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{agrees, same_with_all_threads};

    fn naive(o: &[Tensor]) -> Result<Tensor> {
        let mut dims = vec![1; o[0].rank()];
        dims[1] = o[1].elem_count();
        let [scale, shift] = [1, 2].map(|i| o[i].reshape(dims.as_slice()));
        o[0].broadcast_mul(&scale?)?.broadcast_add(&shift?)
    }

    #[test]
    fn follows_the_definition_and_its_gradients() {
        let ours = |o: &[Tensor]| scale_and_shift(&o[0], &o[1], &o[2], Clamp::NONE);
        for dims in [&[3, 5, 7, 2][..], &[4, 33], &[2, 1, 19], &[300, 17, 11]] {
            agrees(&[dims, &[dims[1]], &[dims[1]]], ours, naive);
        }
    }

    #[test]
    fn clamps_and_the_gradient_stops_there() {
        let ours = |o: &[Tensor]| scale_and_shift(&o[0], &o[1], &o[2], Clamp::RELU);
        let dims: [&[usize]; 3] = [&[3, 5, 7, 2], &[5], &[5]];
        agrees(&dims, ours, |operands| naive(operands)?.relu());
    }

    #[test]
    fn threads_change_no_bit() {
        let ours = |o: &[Tensor]| scale_and_shift(&o[0], &o[1], &o[2], Clamp::RELU6);
        same_with_all_threads(&[&[5, 12, 31, 30], &[12], &[12]], ours);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let zeros = |dims: &[usize]| tensor(vec![0.0; dims.iter().product()], dims).unwrap();
        let operands = [zeros(&[2, 3, 4]), zeros(&[3]), zeros(&[4])];
        let refused = scale_and_shift(&operands[0], &operands[1], &operands[2], Clamp::NONE);
        assert!(
            refused
                .unwrap_err()
                .to_string()
                .contains("do not fit an input")
        );
    }
}
