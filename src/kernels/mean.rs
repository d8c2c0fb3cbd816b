//! Global average pooling.

use super::scratch::written;
use super::serves;
use super::simd::Level;
use super::storage::{numbers, result, tensor, with_numbers};
use super::sums::{plane_sums, planes_a_task};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// Returns the mean over each plane, `[n, c, ...]` to `[n, c]`, on any device. The gradient is spread over the plane.
///
/// # Errors
/// Fewer than two dimensions.
pub fn plane_means(x: &Tensor) -> Result<Tensor> {
    if x.rank() == 2 {
        return Ok(x.clone());
    }
    let planes = x.flatten_from(2)?;
    if !serves(x) {
        return planes.mean(2);
    }
    planes.contiguous()?.apply_op1(PlaneMeans)
}

struct PlaneMeans;

impl CustomOp1 for PlaneMeans {
    fn name(&self) -> &'static str {
        "plane-means"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c, plane) = layout.shape().dims3()?;
        let mut means = plane_sums(Level::best(), [numbers((x, layout))?], |[x]| x, plane);
        for mean in &mut means {
            *mean /= plane as f32;
        }
        result(means, &[n, c])
    }

    fn bwd(&self, x: &Tensor, _means: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let plane = x.dim(2)?;
        let task = planes_a_task(plane);
        let spread = with_numbers([&gradient.contiguous()?], |[gradient]| {
            Ok(written(x.elem_count(), task * plane, |index, spread| {
                let gradient = &gradient[index * task..];
                spread.write(plane, |index| {
                    let share = gradient[index] / plane as f32;
                    move |_| share
                })
            }))
        });
        tensor(spread?, x.dims()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{agrees, same_with_all_threads};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn means_and_gradients_are_candle_s(n in 1..4_usize, c in 1..40_usize, h in 1..12_usize, w in 1..40_usize) {
            let theirs = |o: &[Tensor]| o[0].flatten_from(2)?.mean(2);
            agrees(&[&[n, c, h, w]], |o| plane_means(&o[0]), theirs);
            same_with_all_threads(&[&[n, c, h, w]], |o| plane_means(&o[0]));
        }
    }
}
