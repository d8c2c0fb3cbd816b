//! What several families are made of.

use crate::graph::ops::{Activation, BatchNorm2d, Conv2d};
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

/// Adds a convolution, its batch norm and a ReLU as the Inceptions name them: `conv`, `bn` and `relu` of a module.
pub(super) fn basic_conv(
    builder: &mut Builder,
    name: &str,
    conv: Conv2d,
    eps: f64,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let norm = BatchNorm2d {
        channels: conv.out_channels,
        eps,
    };
    let x = builder.add(&format!("{name}.conv"), conv, &[input])?;
    let x = builder.add(&format!("{name}.bn"), norm, &[x])?;
    builder.add(&format!("{name}.relu"), Activation::Relu, &[x])
}
