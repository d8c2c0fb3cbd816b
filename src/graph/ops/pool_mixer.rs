//! The token mixer of PoolFormer (Yu et al. 2022, eq. 4).

use super::AvgPool2d;
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

impl Operator for PoolMixer {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        only(inputs)?.exactly::<3>()?;
        expect_size("an odd window", self.pool_size | 1, self.pool_size)?;
        Ok(inputs[0].clone())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let pool = AvgPool2d {
            kernel: self.pool_size,
            stride: 1,
            padding: self.pool_size / 2,
            count_include_pad: false,
        };
        pool.run(inputs, &[])? - inputs[0]
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
