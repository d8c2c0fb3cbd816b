//! Layer normalisation of the channels of images (Liu et al. 2022, section 2.6).

use super::LayerNorm;
use crate::graph::op::{expect_size, only};
use crate::graph::{Motif, OpError, Operator, ParamDecl, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Normalises each pixel of `[n, c, h, w]` over its `c` channels, then scales and shifts them.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LayerNorm2d {
    /// The number of channels.
    pub channels: usize,
    /// What is added to the variance.
    pub eps: f64,
}

impl LayerNorm2d {
    fn of_pixels(&self) -> LayerNorm {
        LayerNorm {
            dim: self.channels,
            eps: self.eps,
        }
    }
}

impl Operator for LayerNorm2d {
    fn params(&self) -> Vec<ParamDecl> {
        self.of_pixels().params()
    }

    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, ..] = only(inputs)?.exactly::<3>()?;
        expect_size("channels", self.channels, channels)?;
        Ok(inputs[0].clone())
    }

    fn motif(&self) -> Motif {
        Motif::Norm
    }

    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor> {
        let pixels = inputs[0].permute((0, 2, 3, 1))?.contiguous()?;
        let normal = self.of_pixels().run(&[&pixels], params)?;
        normal.permute((0, 3, 1, 2))?.contiguous()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn each_pixel_is_normal_over_its_channels() {
        let values = [1.0_f32, 2.0, 5.0, 0.0, 3.0, 6.0, 7.0, -2.0];
        let x = Tensor::from_slice(&values, (1, 4, 1, 2), &Device::Cpu).unwrap();
        let [weight, bias] = [[1.0_f32, 2.0, 0.5, -1.0], [0.0, 1.0, 0.0, 3.0]]
            .map(|v| Tensor::new(&v, &Device::Cpu).unwrap());
        let op = LayerNorm2d {
            channels: 4,
            eps: 0.0,
        };
        let found = op.run(&[&x], &[&weight, &bias]).unwrap();
        let found = found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        // The means of the two pixels are 4 and 1.5; their variances 5 and 8.75.
        let (a, b) = (5.0_f32.sqrt(), 8.75_f32.sqrt());
        let expected = [
            -3.0 / a,
            0.5 / b,
            1.0 + 2.0 / a,
            1.0 - 3.0 / b,
            -0.5 / a,
            2.25 / b,
            3.0 - 3.0 / a,
            3.0 + 3.5 / b,
        ];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} not {expected}");
        }
    }
}
