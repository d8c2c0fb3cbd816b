//! What several families are made of.

use crate::graph::ops::{
    Activation, BatchNorm2d, Conv2d, GlobalAvgPool, Linear, Scale, Squeeze, ZeroPad2d,
};
use crate::graph::{BuildError, Builder, Graph, ValueId};

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

/// What the layers of a network have in common: a convolution, its batch norm and an activation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) activation: Activation,
    /// The epsilon of the batch norms.
    pub(super) eps: f64,
    /// Whether strided convolutions pad like TensorFlow's: unequally, where the kernel fits an odd number of times.
    pub(super) tf_same: bool,
}

impl Style {
    /// PyTorch's padding and epsilon.
    pub(super) const fn new(activation: Activation) -> Self {
        Self {
            activation,
            eps: 1e-5,
            tf_same: false,
        }
    }

    /// Adds a convolution and its batch norm, called by the first two names.
    pub(super) fn linear(
        &self,
        builder: &mut Builder,
        [conv_name, norm_name, _]: &[String; 3],
        conv: Conv2d,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let (conv, input) = if self.tf_same {
            same_padded(builder, conv_name, conv, input)?
        } else {
            (conv, input)
        };
        let x = builder.add(conv_name, conv, &[input])?;
        let norm = BatchNorm2d {
            channels: conv.out_channels,
            eps: self.eps,
        };
        builder.add(norm_name, norm, &[x])
    }

    /// Adds a convolution, its batch norm and the activation, called by the three names.
    pub(super) fn layer(
        &self,
        builder: &mut Builder,
        names: &[String; 3],
        conv: Conv2d,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let x = self.linear(builder, names, conv, input)?;
        builder.add(&names[2], self.activation, &[x])
    }
}

/// Returns the names of three modules in a row of a container, `first` being the number of the first.
pub(super) fn numbered(container: &str, first: usize) -> [String; 3] {
    [0, 1, 2].map(|offset| format!("{container}.{}", first + offset))
}

/// Returns a convolution that pads like TensorFlow's `SAME`, and the value that it takes: the convolution pads as much as
/// all borders have in common, and an operator before it the zeros that only the last row and column get.
fn same_padded(
    builder: &mut Builder,
    name: &str,
    conv: Conv2d,
    input: ValueId,
) -> Result<(Conv2d, ValueId), BuildError> {
    let shape = builder.shape(input).dims();
    let missing = |kernel: usize, size: usize| {
        let span = (size.div_ceil(conv.stride) - 1) * conv.stride;
        (span + conv.dilation * (kernel - 1) + 1).saturating_sub(size)
    };
    let along = |axis: usize| {
        let size = shape.get(axis + 1).copied();
        size.map_or(0, |size| missing(conv.kernel[axis], size))
    };
    let [rows, columns] = [0, 1].map(along);
    let padding = rows.min(columns) / 2;
    let pad = ZeroPad2d {
        left: columns / 2 - padding,
        right: columns.div_ceil(2) - padding,
        top: rows / 2 - padding,
        bottom: rows.div_ceil(2) - padding,
    };
    let even = [pad.left, pad.right, pad.top, pad.bottom] == [0; 4];
    let input = if even {
        input
    } else {
        builder.add(&format!("{name}.pad"), pad, &[input])?
    };
    Ok((conv.padding(padding), input))
}

/// Squeeze and excitation (Hu et al. 2018) with 1x1 convolutions: channels are scaled by gates that see the whole image.
#[derive(Debug, Clone, Copy)]
pub(super) struct SqueezeExcitation {
    /// The channels of the bottleneck.
    pub(super) squeezed: usize,
    pub(super) activation: Activation,
    pub(super) gate: Activation,
}

impl SqueezeExcitation {
    /// Adds it, with the names of the module and of the two convolutions in it.
    pub(super) fn add(
        &self,
        builder: &mut Builder,
        [module, reduce, expand]: &[String; 3],
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |suffix: &str| format!("{module}.{suffix}");
        let channels = builder.shape(input).channels();
        let biased = |from, to| Conv2d {
            bias: true,
            ..Conv2d::same(from, to, 1)
        };
        let x = builder.add(&part("avgpool"), Squeeze {}, &[input])?;
        let x = builder.add(reduce, biased(channels, self.squeezed), &[x])?;
        let x = builder.add(&part("activation"), self.activation, &[x])?;
        let x = builder.add(expand, biased(self.squeezed, channels), &[x])?;
        let x = builder.add(&part("scale_activation"), self.gate, &[x])?;
        builder.add(&part("scale"), Scale {}, &[input, x])
    }
}

/// Returns the names of a module of squeeze and excitation and of its two convolutions.
pub(super) fn excitation_names(module: String, [reduce, expand]: [&str; 2]) -> [String; 3] {
    let [reduce, expand] = [reduce, expand].map(|part| format!("{module}.{part}"));
    [module, reduce, expand]
}

/// Adds the mean over all pixels and a linear layer called `name`, and ends the graph.
pub(super) fn classified(
    mut builder: Builder,
    name: &str,
    num_classes: usize,
    input: ValueId,
) -> Result<Graph, BuildError> {
    let head = linear(builder.shape(input).channels(), num_classes);
    let x = builder.add("avgpool", GlobalAvgPool {}, &[input])?;
    let output = builder.add(name, head, &[x])?;
    Ok(builder.finish(&[output]))
}

/// Returns a width times a multiplier, rounded to a multiple of 8 that is at least nine tenths of it.
pub(super) fn scaled(channels: usize, multiplier: f64) -> usize {
    let wanted = channels as f64 * multiplier;
    let rounded = ((wanted + 4.0) as usize / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * wanted {
        rounded + 8
    } else {
        rounded
    }
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
    let mut conv = Conv2d::same(inputs, outputs, patch)
        .stride(patch)
        .padding(0);
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

/// Returns the stage of a group of torchvision's, where every second group is what lies between two stages.
pub(super) fn half(group: &str) -> usize {
    group.parse::<usize>().map_or(0, |number| number / 2)
}
