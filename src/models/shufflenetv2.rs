//! ShuffleNetV2 (Ma et al. 2018).
//!
//! Names and parameter names are torchvision's; `cifar10_shufflenetv2_x*` and `cifar100_shufflenetv2_x*` are the variants for small images
//! of chenyaofo's `pytorch-cifar-models`.

use super::parts::{Style, classified, numbered};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Activation, ChannelShuffle, ChannelSlice, Concat, Conv2d, MaxPool2d};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// Three stages of blocks that transform half of the channels and shuffle them with the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShuffleNetV2 {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// Channels of each stage.
    widths: [usize; 3],
    /// Channels of the last convolution.
    head: usize,
    /// Whether the stem keeps the size of the image, without a pooling after it.
    small_input: bool,
}

const fn imagenet(widths: [usize; 3], head: usize) -> ShuffleNetV2 {
    ShuffleNetV2 {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        widths,
        head,
        small_input: false,
    }
}

const fn cifar(widths: [usize; 3], head: usize, num_classes: usize) -> ShuffleNetV2 {
    ShuffleNetV2 {
        num_classes,
        img_size: 32,
        small_input: true,
        ..imagenet(widths, head)
    }
}

pub(super) static FAMILY: Table<ShuffleNetV2> = Table {
    name: "shufflenetv2",
    summary: "ShuffleNetV2 (Ma et al. 2018), names of torchvision; cifar*_ for small images",
    task: "classification",
    variants: &[
        Variant::new(
            "shufflenet_v2_x0_5",
            imagenet([48, 96, 192], 1024),
            Card::torchvision("shufflenetv2_x0.5-f707e7126e"),
        ),
        Variant::new(
            "shufflenet_v2_x1_0",
            imagenet([116, 232, 464], 1024),
            Card::torchvision("shufflenetv2_x1-5666bf0f80"),
        ),
        Variant::new(
            "shufflenet_v2_x1_5",
            imagenet([176, 352, 704], 1024),
            Card::torchvision("shufflenetv2_x1_5-3c479a10").sized(232, 224),
        ),
        Variant::new(
            "shufflenet_v2_x2_0",
            imagenet([244, 488, 976], 2048),
            Card::torchvision("shufflenetv2_x2_0-8be3c8ee").sized(232, 224),
        ),
        Variant::new(
            "cifar10_shufflenetv2_x0_5",
            cifar([48, 96, 192], 1024, 10),
            Card::CIFAR10,
        ),
        Variant::new(
            "cifar10_shufflenetv2_x1_0",
            cifar([116, 232, 464], 1024, 10),
            Card::CIFAR10,
        ),
        Variant::new(
            "cifar10_shufflenetv2_x1_5",
            cifar([176, 352, 704], 1024, 10),
            Card::CIFAR10,
        ),
        Variant::new(
            "cifar10_shufflenetv2_x2_0",
            cifar([244, 488, 976], 2048, 10),
            Card::CIFAR10,
        ),
        Variant::new(
            "cifar100_shufflenetv2_x0_5",
            cifar([48, 96, 192], 1024, 100),
            Card::CIFAR100,
        ),
        Variant::new(
            "cifar100_shufflenetv2_x1_0",
            cifar([116, 232, 464], 1024, 100),
            Card::CIFAR100,
        ),
        Variant::new(
            "cifar100_shufflenetv2_x1_5",
            cifar([176, 352, 704], 1024, 100),
            Card::CIFAR100,
        ),
        Variant::new(
            "cifar100_shufflenetv2_x2_0",
            cifar([244, 488, 976], 2048, 100),
            Card::CIFAR100,
        ),
    ],
};

/// Blocks in each stage (Table 5).
const REPEATS: [usize; 3] = [4, 8, 4];

/// The channels of the stem.
const STEM_WIDTH: usize = 24;

const STYLE: Style = Style::new(Activation::Relu);

impl Architecture for ShuffleNetV2 {
    const STEMS: &'static [&'static str] = &["conv1.0.weight"];
    const HEADS: &'static [&'static str] = &["fc.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let stride = if self.small_input { 1 } else { 2 };
        let stem = Conv2d::same(self.in_chans, STEM_WIDTH, 3).stride(stride);
        let mut x = STYLE.layer(&mut builder, &numbered("conv1", 0), stem, input)?;
        if !self.small_input {
            x = builder.add("maxpool", MaxPool2d::new(3, 2).padding(1), &[x])?;
        }
        for (stage, (width, repeats)) in (2..).zip(self.widths.into_iter().zip(REPEATS)) {
            x = halving(&mut builder, &format!("stage{stage}.0"), width, x)?;
            for index in 1..repeats {
                x = keeping(&mut builder, &format!("stage{stage}.{index}"), x)?;
            }
        }
        let last = Conv2d::same(builder.shape(x).channels(), self.head, 1);
        let x = STYLE.layer(&mut builder, &numbered("conv5", 0), last, x)?;
        classified(builder, "fc", self.num_classes, x)
    }
}

/// Adds a block that halves the image (Figure 3 d).
fn halving(
    builder: &mut Builder,
    name: &str,
    width: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let (channels, half) = (builder.shape(input).channels(), width / 2);
    let part = |first| numbered(&format!("{name}.branch1"), first);
    let x = STYLE.linear(builder, &part(0), depthwise(channels, 2), input)?;
    let left = STYLE.layer(builder, &part(2), Conv2d::same(channels, half, 1), x)?;
    let right = transformed(builder, name, [half, 2], input)?;
    shuffled(builder, name, [left, right])
}

/// Adds a block that passes the first half of the channels on as they are (Figure 3 c).
fn keeping(builder: &mut Builder, name: &str, input: ValueId) -> Result<ValueId, BuildError> {
    let length = builder.shape(input).channels() / 2;
    let mut half = |side: &str, start| {
        builder.add(
            &format!("{name}.{side}"),
            ChannelSlice { start, length },
            &[input],
        )
    };
    let (left, right) = (half("left", 0)?, half("right", length)?);
    let right = transformed(builder, name, [length, 1], right)?;
    shuffled(builder, name, [left, right])
}

/// Adds the branch of three convolutions that makes `width` channels.
fn transformed(
    builder: &mut Builder,
    name: &str,
    [width, stride]: [usize; 2],
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let part = |first| numbered(&format!("{name}.branch2"), first);
    let first = Conv2d::same(builder.shape(input).channels(), width, 1);
    let x = STYLE.layer(builder, &part(0), first, input)?;
    let x = STYLE.linear(builder, &part(3), depthwise(width, stride), x)?;
    STYLE.layer(builder, &part(5), Conv2d::same(width, width, 1), x)
}

fn depthwise(channels: usize, stride: usize) -> Conv2d {
    Conv2d::same(channels, channels, 3)
        .stride(stride)
        .groups(channels)
}

fn shuffled(
    builder: &mut Builder,
    name: &str,
    branches: [ValueId; 2],
) -> Result<ValueId, BuildError> {
    let x = builder.add(&format!("{name}.concat"), Concat {}, &branches)?;
    builder.add(
        &format!("{name}.shuffle"),
        ChannelShuffle { groups: 2 },
        &[x],
    )
}
