//! The token mixer of PoolFormer (Yu et al. 2022, eq. 4).

use super::Conv2d;
use crate::graph::op::{expect_size, only};
use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// The mean of the pixels around each pixel of `[n, c, h, w]`, itself among them, less the pixel; what lies outside counts for
/// nothing.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PoolMixer {
    /// The side of the window, an odd number.
    pub pool_size: usize,
}

impl PoolMixer {
    /// Sums the pixels of each window.
    fn sums(self, x: &Tensor) -> Result<Tensor> {
        let channels = x.dim(1)?;
        let conv = Conv2d::same(channels, channels, self.pool_size).groups(channels);
        let shape = (channels, 1, self.pool_size, self.pool_size);
        let ones = Tensor::ones(shape, x.dtype(), x.device())?;
        conv.run(&[x], &[&ones])
    }
}

impl Operator for PoolMixer {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        only(inputs)?.exactly::<3>()?;
        expect_size("an odd window", self.pool_size | 1, self.pool_size)?;
        Ok(inputs[0].clone())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let x = inputs[0];
        let (_, _, h, w) = x.dims4()?;
        let counts = self.sums(&Tensor::ones((1, 1, h, w), x.dtype(), x.device())?)?;
        self.sums(x)?.broadcast_mul(&counts.recip()?)? - x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn naive(x: &[f32], [h, w]: [usize; 2]) -> Vec<f32> {
        let mean = |i: usize| {
            let (plane, y, column) = (i / (h * w), i / w % h, i % w);
            let near: Vec<f32> = (0..h * w)
                .filter(|p| (p / w).abs_diff(y) < 2 && (p % w).abs_diff(column) < 2)
                .map(|p| x[plane * h * w + p])
                .collect();
            near.iter().sum::<f32>() / near.len() as f32 - x[i]
        };
        (0..x.len()).map(mean).collect()
    }

    #[test]
    fn windows_at_the_border_are_smaller() {
        for [h, w] in [[4, 5], [1, 3], [2, 2]] {
            let x: Vec<f32> = (0..6 * h * w).map(|i| (i * 29 % 17) as f32).collect();
            let input = Tensor::from_slice(&x, (2, 3, h, w), &Device::Cpu).unwrap();
            let found = PoolMixer { pool_size: 3 }.run(&[&input], &[]).unwrap();
            let found = found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (found, expected) in found.iter().zip(naive(&x, [h, w])) {
                assert!((found - expected).abs() < 1e-5, "{found} not {expected}");
            }
        }
    }

    #[test]
    fn even_windows_are_refused() {
        let image = Shape::from([1, 4, 4]);
        assert!(PoolMixer { pool_size: 2 }.shape(&[&image]).is_err());
    }
}
