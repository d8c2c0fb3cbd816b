//! Sums over many numbers, added in an order that nothing but their number decides.

use super::elementwise::CHUNK;
use super::matrix::column_sums;
use super::scratch::filled;
use super::simd::Level;
use super::storage::with_numbers;
use super::{lanes, serves};
use candle_core::{DType, Result, Tensor};
use pulp::NullaryFnOnce;
use rayon::prelude::*;

/// Numbers added in single precision before they go on in double precision.
const RUN: usize = 4096;

/// Returns the sum of `f` of pairs of numbers.
fn sum(level: Level, [a, b]: [&[f32]; 2], f: impl Fn(f32, f32) -> f32 + Copy) -> f64 {
    struct Sum<'a, F> {
        a: &'a [f32],
        b: &'a [f32],
        f: F,
    }
    impl<F: Fn(f32, f32) -> f32> NullaryFnOnce for Sum<'_, F> {
        type Output = f64;

        #[inline(always)]
        fn call(self) -> f64 {
            let runs = self.a.chunks(RUN).zip(self.b.chunks(RUN));
            runs.map(|(a, b)| f64::from(lanes::sum([a, b], |[a, b]| (self.f)(a, b))))
                .sum()
        }
    }
    level.run(Sum { a, b, f })
}

/// Returns how many planes make a task.
pub(super) fn planes_a_task(plane: usize) -> usize {
    (CHUNK / plane.max(1)).max(1)
}

/// Sums `f` of the elements of each plane.
pub(super) fn plane_sums<const N: usize>(
    level: Level,
    operands: [&[f32]; N],
    f: impl Fn([f32; N]) -> f32 + Sync,
    plane: usize,
) -> Vec<f32> {
    struct Sums<'a, F, const N: usize> {
        operands: [&'a [f32]; N],
        f: &'a F,
        plane: usize,
        result: &'a mut [f32],
    }
    impl<F: Fn([f32; N]) -> f32, const N: usize> NullaryFnOnce for Sums<'_, F, N> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            for (index, result) in self.result.iter_mut().enumerate() {
                let first = index * self.plane;
                *result = lanes::sum(self.operands.map(|o| &o[first..][..self.plane]), self.f);
            }
        }
    }
    let task = planes_a_task(plane);
    filled(operands[0].len() / plane.max(1), task, |index, result| {
        level.run(Sums {
            operands: operands.map(|operand| &operand[index * task * plane..]),
            f: &f,
            plane,
            result,
        });
    })
}

/// Sums `f` of the elements of each channel: over each plane, then over samples.
pub(super) fn channel_sums<const N: usize>(
    operands: [&[f32]; N],
    f: impl Fn([f32; N]) -> f32 + Sync,
    plane: usize,
    channels: usize,
) -> Result<Vec<f32>> {
    let level = Level::best();
    column_sums(level, &plane_sums(level, operands, f, plane), channels)
}

/// Returns the sum of the squared differences of two tensors of one shape, on any device.
///
/// # Errors
/// Shapes that differ.
pub fn squared_distance(a: &Tensor, b: &Tensor) -> Result<f64> {
    if serves(a) && a.dims() == b.dims() {
        return with_numbers([&a.contiguous()?, &b.contiguous()?], |numbers| {
            Ok(distance(numbers))
        });
    }
    let gap = (a - b)?.sqr()?.to_dtype(DType::F64)?;
    gap.sum_all()?.to_scalar()
}

fn distance([a, b]: [&[f32]; 2]) -> f64 {
    let level = Level::best();
    let parts = a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK));
    let parts: Vec<f64> = parts
        .map(|(a, b)| sum(level, [a, b], |a, b| (a - b) * (a - b)))
        .collect();
    parts.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use proptest::prelude::*;

    fn vector(numbers: &[f32]) -> Tensor {
        Tensor::new(numbers, &Device::Cpu).unwrap()
    }

    proptest! {
        #[test]
        fn distances_are_those_of_exact_arithmetic(pairs in prop::collection::vec((-9.0f32..9.0, -9.0f32..9.0), 1..9000)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let exact: f64 = a.iter().zip(&b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
            let found = squared_distance(&vector(&a), &vector(&b)).unwrap();
            prop_assert!((found - exact).abs() <= 1e-5 * exact.max(1e-3));
        }

        #[test]
        fn threads_change_no_bit_of_a_distance(count in 1..100_000_usize) {
            let a: Vec<f32> = (0..count).map(|i| (i * 37 % 101) as f32 / 7.0).collect();
            let (a, b) = (vector(&a), vector(&vec![0.3; count]));
            let with = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| squared_distance(&a, &b).unwrap())
            };
            prop_assert_eq!(with(1), with(3));
        }
    }

    #[test]
    fn channels_are_summed_over_samples_and_pixels() {
        let numbers: Vec<f32> = (0..24u8).map(f32::from).collect();
        let sums = channel_sums([&numbers], |[x]| x, 4, 3).unwrap();
        assert_eq!(sums, [60.0, 92.0, 124.0]);
    }
}
