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

/// Tokens become pixels again: `[n, h * w, c]` to `[n, c, h, w]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TokensToImage {
    /// The height of the image.
    pub height: usize,
    /// Its width.
    pub width: usize,
}

impl Operator for TokensToImage {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [tokens, channels] = only(inputs)?.exactly()?;
        expect_size("tokens", self.height * self.width, tokens)?;
        Ok([channels, self.height, self.width].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let (n, _, channels) = inputs[0].dims3()?;
        let planes = inputs[0].transpose(1, 2)?.contiguous()?;
        planes.reshape((n, channels, self.height, self.width))
    }
}

/// Tokens and their features change places: `[n, t, d]` to `[n, d, t]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TransposeTokens {}

impl Operator for TransposeTokens {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [tokens, dim] = only(inputs)?.exactly()?;
        Ok([dim, tokens].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        inputs[0].transpose(1, 2)?.contiguous()
    }
}

/// The mean of all tokens: `[n, t, d]` to `[n, d]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TokenMean {}

impl Operator for TokenMean {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [_, dim] = only(inputs)?.exactly()?;
        Ok([dim].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        inputs[0].mean(1)
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn counted(shape: &[usize]) -> Tensor {
        let count: usize = shape.iter().product();
        let values = Tensor::arange(0.0, count as f32, &Device::Cpu).unwrap();
        values.reshape(shape).unwrap()
    }

    fn flat(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn an_image_survives_being_tokens() {
        let image = counted(&[2, 3, 4, 5]);
        let tokens = PatchTokens {}.run(&[&image], &[]).unwrap();
        let back = TokensToImage {
            height: 4,
            width: 5,
        };
        let found = back.run(&[&tokens], &[]).unwrap();
        assert_eq!(found.dims(), image.dims());
        assert_eq!(flat(&found), flat(&image));
        assert!(back.shape(&[&[19, 3].into()]).is_err());
    }

    #[test]
    fn tokens_and_features_change_places() {
        let found = TransposeTokens {}
            .run(&[&counted(&[1, 2, 3])], &[])
            .unwrap();
        assert_eq!(found.dims(), [1, 3, 2]);
        assert_eq!(flat(&found), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }

    #[test]
    fn the_mean_is_over_tokens() {
        let found = TokenMean {}.run(&[&counted(&[2, 3, 2])], &[]).unwrap();
        assert_eq!(found.dims(), [2, 2]);
        assert_eq!(flat(&found), [2.0, 3.0, 8.0, 9.0]);
    }
}
