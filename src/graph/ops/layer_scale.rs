//! Learned factors of the channels of a residual branch (Touvron et al. 2021, "Going deeper with image transformers", eq. 3).

use super::per_channel;
use crate::graph::op::{expect_size, only};
use crate::graph::{OpError, Operator, ParamDecl, Role, Shape};
use crate::kernels::{self, Clamp};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Multiplies each channel of `[n, c, h, w]` by a number of its own.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LayerScale {
    /// The number of channels.
    pub channels: usize,
    /// Whether the parameter is `[c, 1, 1]` and has the name of the module, as torchvision's, rather than `scale` `[c]`, as timm's.
    pub bare: bool,
}

impl Operator for LayerScale {
    fn params(&self) -> Vec<ParamDecl> {
        vec![if self.bare {
            ParamDecl::new("", [self.channels, 1, 1], Role::Affine)
        } else {
            ParamDecl::new("scale", [self.channels], Role::Affine)
        }]
    }

    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, ..] = only(inputs)?.exactly::<3>()?;
        expect_size("channels", self.channels, channels)?;
        Ok(inputs[0].clone())
    }

    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor> {
        let (x, scale) = (inputs[0], params[0].flatten_all()?);
        if kernels::serves(x) {
            let shift = Tensor::zeros(self.channels, x.dtype(), x.device())?;
            return kernels::scale_and_shift(x, &scale, &shift, Clamp::NONE);
        }
        x.broadcast_mul(&per_channel(&scale, x.rank())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn channels_are_multiplied_whatever_the_shape_of_the_factors() {
        let x = Tensor::arange(0.0_f32, 8.0, &Device::Cpu).unwrap();
        let x = x.reshape((2, 2, 1, 2)).unwrap();
        for bare in [false, true] {
            let op = LayerScale { channels: 2, bare };
            let shape = op.params()[0].shape.clone();
            let scale = Tensor::from_slice(&[2.0_f32, -1.0], shape, &Device::Cpu).unwrap();
            let found = op.run(&[&x], &[&scale]).unwrap();
            let found = found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(found, [0.0, 2.0, -2.0, -3.0, 8.0, 10.0, -6.0, -7.0]);
        }
    }
}
