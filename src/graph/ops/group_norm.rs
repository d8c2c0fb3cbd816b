//! Group normalisation (Wu and He 2018).

use super::{LayerNorm, per_channel};
use crate::graph::op::{expect_size, only};
use crate::graph::{Motif, OpError, Operator, ParamDecl, Role, Shape};
use crate::kernels::{self, Clamp};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Normalises groups of channels of `[n, c, h, w]` over their channels and pixels, then scales and shifts each channel.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct GroupNorm {
    /// How many groups the channels fall into.
    pub groups: usize,
    /// The number of channels; a multiple of the groups.
    pub channels: usize,
    /// What is added to the variance.
    pub eps: f64,
}

impl Operator for GroupNorm {
    fn params(&self) -> Vec<ParamDecl> {
        ["weight", "bias"]
            .map(|suffix| ParamDecl::new(suffix, [self.channels], Role::Affine))
            .into()
    }

    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, ..] = only(inputs)?.exactly::<3>()?;
        expect_size("channels", self.channels, channels)?;
        expect_size("groups", self.groups.max(1), self.groups)?;
        expect_size("channels over after grouping", 0, channels % self.groups)?;
        Ok(inputs[0].clone())
    }

    fn motif(&self) -> Motif {
        Motif::Norm
    }

    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor> {
        let x = inputs[0];
        let (n, channels, h, w) = x.dims4()?;
        let dim = channels / self.groups * h * w;
        let (one, zero) = (
            Tensor::ones(dim, x.dtype(), x.device())?,
            Tensor::zeros(dim, x.dtype(), x.device())?,
        );
        let norm = LayerNorm { dim, eps: self.eps };
        let groups = x.reshape((n, self.groups, dim))?;
        let normal = norm.run(&[&groups], &[&one, &zero])?.reshape(x.shape())?;
        if kernels::serves(x) {
            return kernels::scale_and_shift(&normal, params[0], params[1], Clamp::NONE);
        }
        normal
            .broadcast_mul(&per_channel(params[0], 4)?)?
            .broadcast_add(&per_channel(params[1], 4)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn naive(x: &[f32], [channels, plane]: [usize; 2], groups: usize) -> Vec<f32> {
        let size = channels / groups * plane;
        let normal = x.chunks(size).flat_map(|group| {
            let mean = group.iter().sum::<f32>() / size as f32;
            let variance = group.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / size as f32;
            group
                .iter()
                .map(move |v| (v - mean) / (variance + 0.1).sqrt())
        });
        let channel = |i: usize| (i / plane % channels) as f32;
        normal
            .enumerate()
            .map(|(i, v)| v * (channel(i) + 1.0) - channel(i))
            .collect()
    }

    #[test]
    fn follows_the_definition() {
        let x: Vec<f32> = (0..48).map(|i| (i * 29 % 17) as f32).collect();
        let input = Tensor::from_slice(&x, (2, 4, 2, 3), &Device::Cpu).unwrap();
        let [weight, bias] = [[1.0_f32, 2.0, 3.0, 4.0], [0.0, -1.0, -2.0, -3.0]]
            .map(|v| Tensor::new(&v, &Device::Cpu).unwrap());
        for groups in [1, 2, 4] {
            let op = GroupNorm {
                groups,
                channels: 4,
                eps: 0.1,
            };
            let found = op.run(&[&input], &[&weight, &bias]).unwrap();
            let found = found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (found, expected) in found.iter().zip(naive(&x, [4, 6], groups)) {
                assert!((found - expected).abs() < 1e-4, "{found} not {expected}");
            }
        }
    }
}
