//! What makes an image a sequence of tokens and back (Dosovitskiy et al. 2021, eq. 1 and 4).

use crate::graph::op::{expect_size, only};
use crate::graph::{OpError, Operator, ParamDecl, Role, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Pixels become tokens: `[n, c, h, w]` to `[n, h * w, c]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PatchTokens {}

impl Operator for PatchTokens {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, h, w] = only(inputs)?.exactly()?;
        Ok([h * w, channels].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        inputs[0].flatten_from(2)?.transpose(1, 2)?.contiguous()
    }
}

/// Puts a learned token `[1, 1, d]` before the others; the parameter has the name of the module.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ClassToken {
    /// The number of features.
    pub dim: usize,
}

impl Operator for ClassToken {
    fn params(&self) -> Vec<ParamDecl> {
        vec![ParamDecl::new("", [1, 1, self.dim], Role::Affine)]
    }

    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [tokens, dim] = only(inputs)?.exactly()?;
        expect_size("features", self.dim, dim)?;
        Ok([tokens + 1, dim].into())
    }

    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor> {
        let batch = inputs[0].dim(0)?;
        let token = params[0].broadcast_as((batch, 1, self.dim))?;
        Tensor::cat(&[&token, inputs[0]], 1)
    }
}

/// Adds a learned position `[1, t, d]` to each token; the parameter has the name of the module.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PositionEmbedding {
    /// The number of tokens.
    pub tokens: usize,
    /// The number of features.
    pub dim: usize,
}

impl Operator for PositionEmbedding {
    fn params(&self) -> Vec<ParamDecl> {
        vec![ParamDecl::new("", [1, self.tokens, self.dim], Role::Affine)]
    }

    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [tokens, dim] = only(inputs)?.exactly()?;
        expect_size("tokens", self.tokens, tokens)?;
        expect_size("features", self.dim, dim)?;
        Ok(inputs[0].clone())
    }

    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor> {
        inputs[0].broadcast_add(params[0])
    }
}

/// Takes one token: `[n, t, d]` to `[n, d]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TakeToken {
    /// Which, from 0.
    pub index: usize,
}

impl Operator for TakeToken {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [tokens, dim] = only(inputs)?.exactly()?;
        if self.index < tokens {
            Ok([dim].into())
        } else {
            Err(OpError::Size {
                what: "more tokens",
                expected: self.index + 1,
                found: tokens,
            })
        }
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        inputs[0].narrow(1, self.index, 1)?.squeeze(1)?.contiguous()
    }
}
