//! DenseNet (Huang et al. 2017), the variants with bottlenecks and compression (DenseNet-BC).
//!
//! Names and parameter names are torchvision's. The files of its published checkpoints say `denselayer1.norm.1.weight` for what the modules
//! call `denselayer1.norm1.weight`, likewise for `conv`; both are read.

use super::dialect::Dialect;
use super::parts::{classified, norm};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Activation, AvgPool2d, Concat, Conv2d, MaxPool2d};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// Four dense blocks, with transitions that halve channels and image between.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DenseNet {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// Channels that each layer adds.
    growth_rate: usize,
    /// Layers of each block.
    block_config: [usize; 4],
    /// Channels of the stem.
    num_init_features: usize,
    /// Channels of a bottleneck over the growth rate.
    bn_size: usize,
}

const fn imagenet(block_config: [usize; 4], growth_rate: usize) -> DenseNet {
    DenseNet {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        growth_rate,
        block_config,
        num_init_features: 2 * growth_rate,
        bn_size: 4,
    }
}

pub(super) static FAMILY: Table<DenseNet> = Table {
    name: "densenet",
    summary: "DenseNet (Huang et al. 2017), names of torchvision",
    task: "classification",
    variants: &[
        Variant::new(
            "densenet121",
            imagenet([6, 12, 24, 16], 32),
            Card::torchvision("densenet121-a639ec97"),
        ),
        Variant::new(
            "densenet161",
            imagenet([6, 12, 36, 24], 48),
            Card::torchvision("densenet161-8d451a50"),
        ),
        Variant::new(
            "densenet169",
            imagenet([6, 12, 32, 32], 32),
            Card::torchvision("densenet169-b2777c0a"),
        ),
        Variant::new(
            "densenet201",
            imagenet([6, 12, 48, 32], 32),
            Card::torchvision("densenet201-c1103571"),
        ),
    ],
};

impl Architecture for DenseNet {
    const STEMS: &'static [&'static str] = &["features.conv0.weight"];
    const HEADS: &'static [&'static str] = &["classifier.weight"];
    const DIALECTS: &'static [Dialect<Self>] =
        &[Dialect::renamed("torchvision's files", published)];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let mut channels = self.num_init_features;
        let stem = Conv2d::same(self.in_chans, channels, 7).stride(2);
        let x = builder.add("features.conv0", stem, &[input])?;
        let x = norm_relu(&mut builder, ["features.norm0", "features.relu0"], x)?;
        let mut x = builder.add("features.pool0", MaxPool2d::new(3, 2).padding(1), &[x])?;
        for (number, layers) in (1..).zip(self.block_config) {
            if number > 1 {
                let name = format!("features.transition{}", number - 1);
                x = transition(&mut builder, &name, channels, x)?;
                channels /= 2;
            }
            for layer in 1..=layers {
                let name = format!("features.denseblock{number}.denselayer{layer}");
                x = self.layer(&mut builder, &name, channels, x)?;
                channels += self.growth_rate;
            }
        }
        let x = norm_relu(&mut builder, ["features.norm5", "relu"], x)?;
        classified(builder, "classifier", self.num_classes, x)
    }
}

impl DenseNet {
    /// Adds a layer: a bottleneck and a 3x3 convolution, whose channels go after those that came.
    fn layer(
        &self,
        builder: &mut Builder,
        name: &str,
        channels: usize,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |suffix: &str| format!("{name}.{suffix}");
        let width = self.bn_size * self.growth_rate;
        let bottleneck = Conv2d::same(channels, width, 1);
        let last = Conv2d::same(width, self.growth_rate, 3);
        let x = norm_relu(builder, [&part("norm1"), &part("relu1")], input)?;
        let x = builder.add(&part("conv1"), bottleneck, &[x])?;
        let x = norm_relu(builder, [&part("norm2"), &part("relu2")], x)?;
        let x = builder.add(&part("conv2"), last, &[x])?;
        builder.add(&part("concat"), Concat {}, &[input, x])
    }
}

/// Adds what halves channels and image.
fn transition(
    builder: &mut Builder,
    name: &str,
    channels: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let part = |suffix: &str| format!("{name}.{suffix}");
    let x = norm_relu(builder, [&part("norm"), &part("relu")], input)?;
    let conv = Conv2d::same(channels, channels / 2, 1);
    let x = builder.add(&part("conv"), conv, &[x])?;
    let pool = AvgPool2d {
        kernel: 2,
        stride: 2,
        padding: 0,
        count_include_pad: true,
    };
    builder.add(&part("pool"), pool, &[x])
}

fn norm_relu(
    builder: &mut Builder,
    [norm_name, relu_name]: [&str; 2],
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let channels = builder.shape(input).channels();
    let x = builder.add(norm_name, norm(channels), &[input])?;
    builder.add(relu_name, Activation::Relu, &[x])
}

/// The names in torchvision's files, which it renames on loading.
fn published(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        [features, block, layer, module, parameter] => {
            let (kind, number) = module.split_at(module.len() - 1);
            format!("{features}.{block}.{layer}.{kind}.{number}.{parameter}")
        }
        _ => name.to_owned(),
    }
}
