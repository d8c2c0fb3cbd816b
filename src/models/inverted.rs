//! Inverted residuals (Sandler et al. 2018): what MobileNetV2 and all that came of it are made of.

use super::parts::{SqueezeExcitation, Style, classified, excitation_names, numbered, scaled};
use crate::graph::ops::{Add, Conv2d};
use crate::graph::{BuildError, Builder, Graph, ValueId};

/// A part of an inverted residual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The 1x1 convolution to the hidden channels.
    Expand,
    /// The convolution of each hidden channel.
    Depthwise,
    /// Squeeze and excitation of the hidden channels.
    Excite,
    /// The 1x1 convolution to the output, without activation.
    Project,
}

/// How many parts of a block come before one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) parts: usize,
    /// Of them, those that are layers: all but squeeze and excitation.
    pub(super) layers: usize,
}

/// Names a part's convolution, batch norm and activation, given the name of its block and what comes before it. For squeeze and
/// excitation, the names are those of the module and of its two convolutions.
pub(super) type Naming = fn(block: &str, part: Part, before: Before) -> [String; 3];

/// torchvision's names: each part is a module of `block`.
pub(super) fn torchvision(block: &str, part: Part, before: Before) -> [String; 3] {
    let module = format!("{block}.block.{}", before.parts);
    match part {
        Part::Excite => excitation_names(module, ["fc1", "fc2"]),
        _ => numbered(&module, 0),
    }
}

/// timm's names. A block without expansion is a depthwise separable convolution there.
pub(super) fn timm(block: &str, part: Part, before: Before) -> [String; 3] {
    let conv = match (part, before.layers) {
        (Part::Excite, _) => {
            return excitation_names(format!("{block}.se"), ["conv_reduce", "conv_expand"]);
        }
        (Part::Expand, _) | (Part::Project, 1) => "conv_pw",
        (Part::Depthwise, _) => "conv_dw",
        (Part::Project, _) => "conv_pwl",
    };
    timm_names(
        &format!("{block}.{conv}"),
        &format!("{block}.bn{}", before.layers + 1),
    )
}

/// Returns the names of a convolution, its batch norm, and the activation that is a part of the norm in timm.
pub(super) fn timm_names(conv: &str, norm: &str) -> [String; 3] {
    [conv.to_owned(), norm.to_owned(), format!("{norm}.act")]
}

/// Expansion, depthwise convolution and projection; a shortcut where the shape stays.
#[derive(Debug, Clone, Copy)]
pub(super) struct InvertedResidual {
    pub(super) style: Style,
    pub(super) naming: Naming,
    /// The channels between expansion and projection; if as many as come, nothing is expanded.
    pub(super) hidden: usize,
    /// The channels that it makes.
    pub(super) width: usize,
    /// The side of the depthwise kernel.
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) excitation: Option<SqueezeExcitation>,
}

impl InvertedResidual {
    /// Adds the block called `name`.
    pub(super) fn add(
        &self,
        builder: &mut Builder,
        name: &str,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let [_, output] = self.add_tapped(builder, name, input)?;
        Ok(output)
    }

    /// Adds the block called `name`, and returns what was expanded besides the output.
    pub(super) fn add_tapped(
        &self,
        builder: &mut Builder,
        name: &str,
        input: ValueId,
    ) -> Result<[ValueId; 2], BuildError> {
        let (channels, hidden, style) = (builder.shape(input).channels(), self.hidden, self.style);
        let mut before = Before::default();
        let mut names = |part| {
            let names = (self.naming)(name, part, before);
            before.parts += 1;
            before.layers += usize::from(part != Part::Excite);
            names
        };
        let mut x = input;
        if hidden != channels {
            let expand = Conv2d::same(channels, hidden, 1);
            x = style.layer(builder, &names(Part::Expand), expand, x)?;
        }
        let expanded = x;
        let depthwise = Conv2d::same(hidden, hidden, self.kernel)
            .stride(self.stride)
            .groups(hidden);
        x = style.layer(builder, &names(Part::Depthwise), depthwise, x)?;
        if let Some(excitation) = self.excitation {
            x = excitation.add(builder, &names(Part::Excite), x)?;
        }
        let project = Conv2d::same(hidden, self.width, 1);
        x = style.linear(builder, &names(Part::Project), project, x)?;
        if self.stride == 1 && self.width == channels {
            x = builder.add(&format!("{name}.add"), Add {}, &[x, input])?;
        }
        Ok([expanded, x])
    }
}

/// Blocks of one width, the first of which may stride.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    /// The hidden channels for each one that comes.
    pub(super) expansion: usize,
    pub(super) width: usize,
    pub(super) repeats: usize,
    pub(super) stride: usize,
    /// The side of the depthwise kernels.
    pub(super) kernel: usize,
}

impl Stage {
    /// Makes a stage as the papers' tables give it.
    pub(super) const fn new([expansion, width, repeats, stride, kernel]: [usize; 5]) -> Self {
        Self {
            expansion,
            width,
            repeats,
            stride,
            kernel,
        }
    }

    /// Returns the stage with its width multiplied and rounded.
    pub(super) fn widened(self, multiplier: f64) -> Self {
        Self {
            width: scaled(self.width, multiplier),
            ..self
        }
    }

    /// Returns the stage with its number of blocks multiplied and rounded up.
    pub(super) fn deepened(self, multiplier: f64) -> Self {
        Self {
            repeats: (self.repeats as f64 * multiplier).ceil() as usize,
            ..self
        }
    }

    /// Adds its blocks, whose names are `name` of their number; `excitation` is that of a block with so many channels.
    pub(super) fn add(
        &self,
        builder: &mut Builder,
        (style, naming): (Style, Naming),
        name: impl Fn(usize) -> String,
        excitation: impl Fn(usize) -> Option<SqueezeExcitation>,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let mut x = input;
        for repeat in 0..self.repeats {
            let channels = builder.shape(x).channels();
            let block = InvertedResidual {
                style,
                naming,
                hidden: channels * self.expansion,
                width: self.width,
                kernel: self.kernel,
                stride: if repeat == 0 { self.stride } else { 1 },
                excitation: excitation(channels),
            };
            x = block.add(builder, &name(repeat), x)?;
        }
        Ok(x)
    }
}

/// A whole network of inverted residuals, with timm's names.
#[derive(Debug, Clone)]
pub(super) struct Network {
    pub(super) style: Style,
    /// The channels of the stem.
    pub(super) stem: usize,
    pub(super) stages: Vec<Stage>,
    /// Squeeze and excitation of a block into which so many channels come.
    pub(super) excitation: fn(usize) -> Option<SqueezeExcitation>,
    /// The channels of the last convolution.
    pub(super) head: usize,
}

impl Network {
    /// Builds it for some input channels, a side of the image and a number of classes.
    pub(super) fn build(
        &self,
        [in_chans, img_size, num_classes]: [usize; 3],
    ) -> Result<Graph, BuildError> {
        let style = self.style;
        let mut builder = Builder::new();
        let input = builder.input("input", [in_chans, img_size, img_size])?;
        let stem = Conv2d::same(in_chans, self.stem, 3).stride(2);
        let mut x = style.layer(&mut builder, &timm_names("conv_stem", "bn1"), stem, input)?;
        for (number, stage) in self.stages.iter().enumerate() {
            let name = |repeat| format!("blocks.{number}.{repeat}");
            x = stage.add(&mut builder, (style, timm), name, self.excitation, x)?;
        }
        let last = Conv2d::same(builder.shape(x).channels(), self.head, 1);
        let x = style.layer(&mut builder, &timm_names("conv_head", "bn2"), last, x)?;
        classified(builder, "classifier", num_classes, x)
    }
}
