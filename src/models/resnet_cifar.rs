//! The CIFAR ResNets of He et al. 2016 (section 4.2) with option-A shortcuts.
//!
//! Names and parameter names are those of the checkpoints of Y. Idelbayev's `pytorch_resnet_cifar10`.

use super::parts::conv_norm;
use super::{Architecture, Card, Table};
use crate::graph::ops::{Activation, Add, Conv2d, GlobalAvgPool, Linear, OptionAShortcut};
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
}

const fn with_blocks(blocks: usize) -> ResNetCifar {
    ResNetCifar {
        in_chans: 3,
        num_classes: 10,
        img_size: 32,
        blocks,
    }
}

pub(super) static FAMILY: Table<ResNetCifar> = Table {
    name: "resnet-cifar",
    summary: "CIFAR ResNets with parameter-free shortcuts (He et al. 2016), names of pytorch_resnet_cifar10",
    task: "classification",
    card: Card::TORCHVISION,
    variants: &[
        ("resnet20", with_blocks(3)),
        ("resnet32", with_blocks(5)),
        ("resnet44", with_blocks(7)),
        ("resnet56", with_blocks(9)),
        ("resnet110", with_blocks(18)),
    ],
};

impl Architecture for ResNetCifar {
    const STEM: &'static str = "conv1.weight";
    const HEAD: &'static str = "linear.weight";

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let x = conv_norm(
            &mut builder,
            "conv1",
            "bn1",
            Conv2d::same(self.in_chans, 16, 3),
            input,
        )?;
        let mut x = builder.add("relu", Activation::Relu, &[x])?;
        let mut channels = 16;
        for stage in 1..=3 {
            for index in 0..self.blocks {
                let width = 8 << stage;
                let name = format!("layer{stage}.{index}");
                x = basic_block(&mut builder, &name, channels, width, x)?;
                channels = width;
            }
        }
        let x = builder.add("avgpool", GlobalAvgPool {}, &[x])?;
        let head = Linear {
            in_features: channels,
            out_features: self.num_classes,
            bias: true,
        };
        let output = builder.add("linear", head, &[x])?;
        Ok(builder.finish(&[output]))
    }
}

/// Two convolutions and a shortcut; a change of width halves the image.
fn basic_block(
    builder: &mut Builder,
    name: &str,
    channels: usize,
    width: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let part = |suffix: &str| format!("{name}.{suffix}");
    let narrower = channels != width;
    let first = Conv2d::same(channels, width, 3).stride(if narrower { 2 } else { 1 });
    let x = conv_norm(builder, &part("conv1"), &part("bn1"), first, input)?;
    let x = builder.add(&part("relu1"), Activation::Relu, &[x])?;
    let second = Conv2d::same(width, width, 3);
    let x = conv_norm(builder, &part("conv2"), &part("bn2"), second, x)?;
    let shortcut = if narrower {
        let padding = (width - channels) / 2;
        builder.add(&part("shortcut"), OptionAShortcut { padding }, &[input])?
    } else {
        input
    };
    let x = builder.add(&part("add"), Add {}, &[x, shortcut])?;
    builder.add(&part("relu2"), Activation::Relu, &[x])
}
