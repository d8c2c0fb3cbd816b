//! Layer normalisation (Ba et al. 2016).

use crate::graph::op::{expect_size, only};
use crate::graph::{Motif, OpError, Operator, ParamDecl, Role, Shape};
use crate::kernels;
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Normalises each token of `[n, t, d]` over its `d` features, then scales and shifts them.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LayerNorm {
    /// The number of features.
    pub dim: usize,
    /// What is added to the variance.
    pub eps: f64,
}

impl Operator for LayerNorm {
    fn params(&self) -> Vec<ParamDecl> {
        ["weight", "bias"]
            .map(|suffix| ParamDecl::new(suffix, [self.dim], Role::Affine))
            .into()
    }

    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let shape = only(inputs)?;
        expect_size("features", self.dim, shape.channels())?;
        Ok(shape.clone())
    }

    fn motif(&self) -> Motif {
        Motif::Norm
    }

    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor> {
        let eps = self.eps as f32;
        if kernels::serves(inputs[0]) {
            kernels::layer_norm(inputs[0], params[0], params[1], eps)
        } else if inputs[0].track_op() {
            candle_nn::ops::layer_norm_slow(inputs[0], params[0], params[1], eps)
        } else {
            candle_nn::ops::layer_norm(&inputs[0].contiguous()?, params[0], params[1], eps)
        }
    }
}
