//! Sums over many numbers, added in an order that nothing but their number decides.

use super::lanes;
use super::scratch::filled;
use super::serves;
use super::simd::Level;
use super::storage::{numbers, result};
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, DType, Layout, Result, Shape, Storage, Tensor, bail,
};
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

/// Returns the sum of every channel of `[n, c, ...]`: `[c]`.
pub(super) fn channel_sums(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&ChannelSums)
}

struct ChannelSums;

impl CustomOp1 for ChannelSums {
    fn name(&self) -> &'static str {
        "channel-sums"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let &[batch, channels, ref rest @ ..] = layout.dims() else {
            bail!("no channels in {:?}", layout.dims());
        };
        let (numbers, plane) = (numbers((x, layout))?, rest.iter().product::<usize>());
        let level = Level::best();
        let sums = filled(channels, 1, |channel, result| {
            let plane_of =
                |sample: usize| &numbers[(sample * channels + channel) * plane..][..plane];
            let sums = (0..batch).map(|sample| sum(level, [plane_of(sample); 2], |x, _| x));
            result[0] = sums.sum::<f64>() as f32;
        });
        result(sums, &[channels])
    }
}

/// Elements whose squared errors are summed by one task.
const CHUNK: usize = 1 << 15;

/// Returns the sum of the squared differences of two tensors of one shape, on any device.
///
/// # Errors
/// Shapes that differ.
pub fn squared_distance(a: &Tensor, b: &Tensor) -> Result<f64> {
    if serves(a) {
        let (a, b) = (a.contiguous()?, b.contiguous()?);
        let ((a, l1), (b, l2)) = (a.storage_and_layout(), b.storage_and_layout());
        if let (Storage::Cpu(a), Storage::Cpu(b)) = (&*a, &*b) {
            return distance((a, l1), (b, l2));
        }
    }
    let gap = (a - b)?.sqr()?.to_dtype(DType::F64)?;
    gap.sum_all()?.to_scalar()
}

fn distance(a: (&CpuStorage, &Layout), b: (&CpuStorage, &Layout)) -> Result<f64> {
    if a.1.dims() != b.1.dims() {
        bail!("{:?} and {:?} differ", a.1.dims(), b.1.dims());
    }
    let (a, b, level) = (numbers(a)?, numbers(b)?, Level::best());
    let parts = a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK));
    let parts: Vec<f64> = parts
        .map(|(a, b)| sum(level, [a, b], |a, b| (a - b) * (a - b)))
        .collect();
    Ok(parts.iter().sum())
}

/// Returns the mean of the squared differences of `output` and `target`, on any device, with a gradient for `output`.
///
/// # Errors
/// Shapes that differ.
pub fn mean_squared_error(output: &Tensor, target: &Tensor) -> Result<Tensor> {
    if !serves(output) {
        return (output - target)?.sqr()?.mean_all();
    }
    output
        .contiguous()?
        .apply_op2(&target.contiguous()?, MeanSquaredError)
}

struct MeanSquaredError;

impl CustomOp2 for MeanSquaredError {
    fn name(&self) -> &'static str {
        "mean-squared-error"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        l1: &Layout,
        b: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let mean = distance((a, l1), (b, l2))? / l1.shape().elem_count() as f64;
        result(vec![mean as f32], &[])
    }

    fn bwd(
        &self,
        output: &Tensor,
        target: &Tensor,
        _mean: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let scale = 2.0 * gradient.to_scalar::<f32>()? / output.elem_count() as f32;
        let gradient = output.apply_op2_no_bwd(target, &super::elementwise::ScaledGap(scale))?;
        Ok((Some(gradient), None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use proptest::prelude::*;

    fn tensor(numbers: &[f32]) -> Tensor {
        Tensor::new(numbers, &Device::Cpu).unwrap()
    }

    proptest! {
        #[test]
        fn distances_are_those_of_exact_arithmetic(pairs in prop::collection::vec((-9.0f32..9.0, -9.0f32..9.0), 1..9000)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let exact: f64 = a.iter().zip(&b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
            let found = squared_distance(&tensor(&a), &tensor(&b)).unwrap();
            prop_assert!((found - exact).abs() <= 1e-5 * exact.max(1e-3));
        }

        #[test]
        fn threads_change_no_bit_of_a_distance(count in 1..100_000_usize) {
            let a: Vec<f32> = (0..count).map(|i| (i * 37 % 101) as f32 / 7.0).collect();
            let (a, b) = (tensor(&a), tensor(&vec![0.3; count]));
            let with = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| squared_distance(&a, &b).unwrap())
            };
            prop_assert_eq!(with(1), with(3));
        }
    }

    #[test]
    fn the_gradient_is_candle_s() {
        let output = Var::from_tensor(&tensor(&[1.0, -2.0, 0.5, 4.0])).unwrap();
        let target = tensor(&[0.0, 1.0, 0.25, 4.0]);
        let gradient = |loss: Tensor| {
            let gradients = (loss * 3.0).unwrap().backward().unwrap();
            gradients.get(&output).unwrap().to_vec1::<f32>().unwrap()
        };
        let theirs = (output.as_tensor() - &target)
            .unwrap()
            .sqr()
            .unwrap()
            .mean_all()
            .unwrap();
        assert_eq!(
            gradient(mean_squared_error(&output, &target).unwrap()),
            gradient(theirs)
        );
    }

    #[test]
    fn channels_are_summed_over_samples_and_pixels() {
        let x = Tensor::arange(0f32, 24.0, &Device::Cpu)
            .unwrap()
            .reshape((2, 3, 2, 2))
            .unwrap();
        let sums = channel_sums(&x).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(sums, x.sum((0, 2, 3)).unwrap().to_vec1::<f32>().unwrap());
    }
}
