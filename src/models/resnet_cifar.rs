//! The CIFAR ResNets of He et al. 2016 (section 4.2).
//!
//! `resnet20` and its siblings have option-A shortcuts, and the parameter names of the checkpoints of Y. Idelbayev's
//! `pytorch_resnet_cifar10`; `cifar10_resnet20`, `cifar100_resnet20` and theirs have option-B shortcuts, and the names of
//! chenyaofo's `pytorch-cifar-models`.

use super::parts::{classified, conv_norm};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Activation, Add, Conv2d, OptionAShortcut};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// Three stages of basic blocks with 16, 32 and 64 channels; `6 * blocks + 2` weighted layers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResNetCifar {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// Basic blocks in each stage.
    blocks: usize,
    /// Whether a change of width takes a 1x1 convolution (option B) rather than planes of zeros (option A); the head is
    /// called `fc` then rather than `linear`.
    projection: bool,
}

/// Returns a network without projections.
pub(super) const fn with_blocks(blocks: usize) -> ResNetCifar {
    ResNetCifar {
        in_chans: 3,
        num_classes: 10,
        img_size: 32,
        blocks,
        projection: false,
    }
}

const fn projecting(blocks: usize, num_classes: usize) -> ResNetCifar {
    ResNetCifar {
        num_classes,
        projection: true,
        ..with_blocks(blocks)
    }
}

/// The checkpoints of `pytorch_resnet_cifar10`, which has ImageNet's mean and standard deviation.
const IDELBAYEV: Card = Card::UNPUBLISHED
    .at(
        "https://github.com/akamaster/pytorch_resnet_cifar10",
        "BSD-2-Clause",
    )
    .sized(32, 32);

pub(super) static FAMILY: Table<ResNetCifar> = Table {
    name: "resnet-cifar",
    summary: "CIFAR ResNets (He et al. 2016), names of pytorch_resnet_cifar10; cifar*_ of pytorch-cifar-models",
    task: "classification",
    variants: &[
        Variant::new("resnet20", with_blocks(3), IDELBAYEV),
        Variant::new("resnet32", with_blocks(5), IDELBAYEV),
        Variant::new("resnet44", with_blocks(7), IDELBAYEV),
        Variant::new("resnet56", with_blocks(9), IDELBAYEV),
        Variant::new("resnet110", with_blocks(18), IDELBAYEV),
        Variant::new("cifar10_resnet20", projecting(3, 10), Card::CIFAR10),
        Variant::new("cifar10_resnet32", projecting(5, 10), Card::CIFAR10),
        Variant::new("cifar10_resnet44", projecting(7, 10), Card::CIFAR10),
        Variant::new("cifar10_resnet56", projecting(9, 10), Card::CIFAR10),
        Variant::new("cifar100_resnet20", projecting(3, 100), Card::CIFAR100),
        Variant::new("cifar100_resnet32", projecting(5, 100), Card::CIFAR100),
        Variant::new("cifar100_resnet44", projecting(7, 100), Card::CIFAR100),
        Variant::new("cifar100_resnet56", projecting(9, 100), Card::CIFAR100),
    ],
};

impl Architecture for ResNetCifar {
    const STEMS: &'static [&'static str] = &["conv1.weight"];
    const HEADS: &'static [&'static str] = &["linear.weight", "fc.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let x = self.features(&mut builder, "", input)?;
        let head = if self.projection { "fc" } else { "linear" };
        classified(builder, head, self.num_classes, x)
    }
}

impl ResNetCifar {
    /// Adds the stem and the stages, all of whose names begin with `prefix`.
    pub(super) fn features(
        &self,
        builder: &mut Builder,
        prefix: &str,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |suffix: &str| format!("{prefix}{suffix}");
        let stem = Conv2d::same(builder.shape(input).channels(), 16, 3);
        let x = conv_norm(builder, &part("conv1"), &part("bn1"), stem, input)?;
        let mut x = builder.add(&part("relu"), Activation::Relu, &[x])?;
        let mut channels = 16;
        for stage in 1..=3 {
            for index in 0..self.blocks {
                let width = 8 << stage;
                let name = part(&format!("layer{stage}.{index}"));
                x = self.basic_block(builder, &name, [channels, width], x)?;
                channels = width;
            }
        }
        Ok(x)
    }

    /// Adds two convolutions and a shortcut; a change of width halves the image.
    fn basic_block(
        &self,
        builder: &mut Builder,
        name: &str,
        [channels, width]: [usize; 2],
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |suffix: &str| format!("{name}.{suffix}");
        let stride = if channels == width { 1 } else { 2 };
        let first = Conv2d::same(channels, width, 3).stride(stride);
        let x = conv_norm(builder, &part("conv1"), &part("bn1"), first, input)?;
        let x = builder.add(&part("relu1"), Activation::Relu, &[x])?;
        let second = Conv2d::same(width, width, 3);
        let x = conv_norm(builder, &part("conv2"), &part("bn2"), second, x)?;
        let shortcut = if channels == width {
            input
        } else if self.projection {
            let conv = Conv2d::same(channels, width, 1).stride(stride);
            let [conv_name, norm_name] = ["downsample.0", "downsample.1"].map(part);
            conv_norm(builder, &conv_name, &norm_name, conv, input)?
        } else {
            let padding = (width - channels) / 2;
            builder.add(&part("shortcut"), OptionAShortcut { padding }, &[input])?
        };
        let x = builder.add(&part("add"), Add {}, &[x, shortcut])?;
        builder.add(&part("relu2"), Activation::Relu, &[x])
    }
}
