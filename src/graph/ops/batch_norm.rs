//! Batch normalisation at inference (Ioffe and Szegedy 2015).

use super::{ChannelAffine, per_channel};
use crate::graph::op::{expect_size, only};
use crate::graph::{Motif, OpError, Operator, ParamDecl, Role, Shape};
use crate::kernels::{self, Clamp};
use candle_core::{DType, Result, Tensor};
use serde::Serialize;

/// `(x - running_mean) / sqrt(running_var + eps) * weight + bias` per channel of `[n, c, h, w]`, with the statistics of training.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BatchNorm2d {
    /// The number of channels.
    pub channels: usize,
    /// What is added to the variance.
    pub eps: f64,
}

impl BatchNorm2d {
    /// Returns the running variance with which f32 arithmetic divides by exactly one.
    fn unit_variance(&self) -> f32 {
        let eps = self.eps as f32;
        let mut variance = 1.0 - eps;
        while variance + eps < 1.0 {
            variance = variance.next_up();
        }
        variance
    }
}

impl Operator for BatchNorm2d {
    fn params(&self) -> Vec<ParamDecl> {
        [
            ("weight", Role::Affine),
            ("bias", Role::Affine),
            ("running_mean", Role::Buffer),
            ("running_var", Role::Buffer),
        ]
        .map(|(suffix, role)| ParamDecl::new(suffix, [self.channels], role))
        .into()
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
        self.run_clamped(inputs, params, Clamp::NONE)
    }

    fn run_clamped(&self, inputs: &[&Tensor], params: &[&Tensor], clamp: Clamp) -> Result<Tensor> {
        let x = inputs[0];
        let (scale, shift) = self.scale_and_shift(params)?;
        let (scale, shift) = (scale.to_dtype(x.dtype())?, shift.to_dtype(x.dtype())?);
        if kernels::serves(x) {
            return kernels::scale_and_shift(x, &scale, &shift, clamp);
        }
        let scaled = x.broadcast_mul(&per_channel(&scale, x.rank())?)?;
        super::clamped(
            &scaled.broadcast_add(&per_channel(&shift, x.rank())?)?,
            clamp,
        )
    }

    fn as_affine(&self) -> Option<&dyn ChannelAffine> {
        Some(self)
    }
}

impl ChannelAffine for BatchNorm2d {
    fn scale_and_shift(&self, params: &[&Tensor]) -> Result<(Tensor, Tensor)> {
        let double: Vec<Tensor> = params
            .iter()
            .map(|p| p.to_dtype(DType::F64))
            .collect::<Result<_>>()?;
        let scale = (&double[0] / (&double[3] + self.eps)?.sqrt()?)?;
        let shift = (&double[1] - (&double[2] * &scale)?)?;
        Ok((scale, shift))
    }

    fn pure_shift(&self, shift: &Tensor) -> Result<Vec<Tensor>> {
        let one = shift.ones_like()?;
        let mean = shift.zeros_like()?;
        let variance = one.affine(f64::from(self.unit_variance()), 0.0)?;
        Ok(vec![one, shift.clone(), mean, variance])
    }
}
