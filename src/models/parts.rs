//! What several families are made of.

use crate::graph::ops::{Activation, BatchNorm2d, Conv2d, Linear};
use crate::graph::{BuildError, Builder, ValueId};

/// Returns a batch norm as PyTorch makes it by default.
pub(super) const fn norm(channels: usize) -> BatchNorm2d {
    BatchNorm2d {
        channels,
        eps: 1e-5,
    }
}

/// Adds a convolution and its batch norm.
pub(super) fn conv_norm(
    builder: &mut Builder,
    conv_name: &str,
    norm_name: &str,
    conv: Conv2d,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let x = builder.add(conv_name, conv, &[input])?;
    builder.add(norm_name, norm(conv.out_channels), &[x])
}

/// Returns a linear layer with a bias.
pub(super) const fn linear(in_features: usize, out_features: usize) -> Linear {
    Linear {
        in_features,
        out_features,
        bias: true,
    }
}

/// Returns the convolution that makes a pixel of each square of `patch` pixels a side.
pub(super) const fn patch_embedding(inputs: usize, outputs: usize, patch: usize) -> Conv2d {
    let mut conv = Conv2d::same(inputs, outputs, patch).stride(patch);
    conv.padding = 0;
    conv.bias = true;
    conv
}

/// Adds two linear layers with a GELU between, of which `names` are the names in order.
pub(super) fn mlp(
    builder: &mut Builder,
    names: &[String; 3],
    dim: usize,
    hidden: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let x = builder.add(&names[0], linear(dim, hidden), &[input])?;
    let x = builder.add(&names[1], Activation::Gelu, &[x])?;
    builder.add(&names[2], linear(hidden, dim), &[x])
}
