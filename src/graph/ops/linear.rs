//! Fully connected layers.

use super::{MatMul, weight_and_bias};
use crate::graph::op::{Op, expect_size, only};
use crate::graph::{Call, Gradients, OpError, Operator, ParamDecl, Shape};
use crate::kernels;
use candle_core::{Result, Tensor};
use serde::Serialize;

/// `x W^T + b` over the last dimension of `[n, in]` or `[n, t, in]`; weight `[out, in]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Linear {
    /// The features taken.
    pub in_features: usize,
    /// The features made.
    pub out_features: usize,
    /// Whether a bias per output feature is added.
    pub bias: bool,
}

impl Operator for Linear {
    fn params(&self) -> Vec<ParamDecl> {
        let shape = [self.out_features, self.in_features];
        weight_and_bias(shape, self.bias)
    }

    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let mut dims = only(inputs)?.dims().to_vec();
        let features = dims.last_mut().ok_or(OpError::Rank {
            expected: 1,
            found: inputs[0].clone(),
        })?;
        expect_size("features", self.in_features, *features)?;
        *features = self.out_features;
        Ok(dims.as_slice().into())
    }

    fn macs(&self, _inputs: &[&Shape], output: &Shape) -> u64 {
        (output.numel() * self.in_features) as u64
    }

    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor> {
        if kernels::serves(inputs[0]) {
            return kernels::linear(inputs[0], params[0], params.get(1).copied());
        }
        let mut dims = inputs[0].dims().to_vec();
        if let Some(features) = dims.last_mut() {
            *features = self.out_features;
        }
        let rows = inputs[0].reshape(((), self.in_features))?;
        let product = rows.matmul(&params[0].t()?)?;
        match params.get(1) {
            Some(bias) => product.broadcast_add(bias)?.reshape(dims),
            None => product.reshape(dims),
        }
    }

    fn gradients(&self, call: &Call<'_>, gradient: &Tensor) -> Result<Gradients> {
        if !kernels::serves(gradient) {
            return call.by_candle(self, gradient);
        }
        let (operands, wanted) = call.layer();
        let gradients = kernels::linear_gradients(operands, gradient, wanted)?;
        Ok(Gradients::of_layer(gradients))
    }

    fn prunable(&self) -> bool {
        true
    }

    fn with_bias(&self) -> Option<Op> {
        Some(
            Self {
                bias: true,
                ..*self
            }
            .into(),
        )
    }

    fn as_matmul(&self) -> Option<&dyn MatMul> {
        Some(self)
    }
}

impl MatMul for Linear {
    fn groups(&self) -> usize {
        1
    }

    fn rows(&self, input: &Tensor) -> Result<Tensor> {
        input.reshape((1, (), self.in_features))
    }

    fn targets(&self, output: &Tensor) -> Result<Tensor> {
        output.reshape((1, (), self.out_features))
    }
}
