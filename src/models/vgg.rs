//! VGG (Simonyan and Zisserman 2015), configurations A, B, D and E, with batch norms or without.
//!
//! Names and parameter names are torchvision's; `cifar10_vgg11_bn`, `cifar100_vgg11_bn` and their siblings are the networks for small
//! images of chenyaofo's `pytorch-cifar-models`, with a narrower classifier.

use super::dialect::Dialect;
use super::parts::{linear, norm};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Activation, AdaptiveAvgPool2d, Conv2d, Flatten, MaxPool2d};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// Five stages of 3x3 convolutions, each with a pooling at its end, and a classifier of three layers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vgg {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// Convolutions in each stage.
    layers: [usize; 5],
    /// Whether a batch norm follows each.
    batch_norm: bool,
    /// The side of the image that the classifier takes.
    feature_window_size: usize,
    /// The width of the classifier.
    head_hidden_size: usize,
}

const A: [usize; 5] = [1, 1, 2, 2, 2];
const B: [usize; 5] = [2, 2, 2, 2, 2];
const D: [usize; 5] = [2, 2, 3, 3, 3];
const E: [usize; 5] = [2, 2, 4, 4, 4];

const fn imagenet(layers: [usize; 5], batch_norm: bool) -> Vgg {
    Vgg {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        layers,
        batch_norm,
        feature_window_size: 7,
        head_hidden_size: 4096,
    }
}

const fn cifar(layers: [usize; 5], num_classes: usize) -> Vgg {
    Vgg {
        num_classes,
        img_size: 32,
        feature_window_size: 1,
        head_hidden_size: 512,
        ..imagenet(layers, true)
    }
}

pub(super) static FAMILY: Table<Vgg> = Table {
    name: "vgg",
    summary: "VGG (Simonyan and Zisserman 2015), names of torchvision; cifar*_ for small images",
    task: "classification",
    variants: &[
        Variant::new(
            "vgg11",
            imagenet(A, false),
            Card::torchvision("vgg11-8a719046"),
        ),
        Variant::new(
            "vgg11_bn",
            imagenet(A, true),
            Card::torchvision("vgg11_bn-6002323d"),
        ),
        Variant::new(
            "vgg13",
            imagenet(B, false),
            Card::torchvision("vgg13-19584684"),
        ),
        Variant::new(
            "vgg13_bn",
            imagenet(B, true),
            Card::torchvision("vgg13_bn-abd245e5"),
        ),
        Variant::new(
            "vgg16",
            imagenet(D, false),
            Card::torchvision("vgg16-397923af"),
        ),
        Variant::new(
            "vgg16_bn",
            imagenet(D, true),
            Card::torchvision("vgg16_bn-6c64b313"),
        ),
        Variant::new(
            "vgg19",
            imagenet(E, false),
            Card::torchvision("vgg19-dcbb9e9d"),
        ),
        Variant::new(
            "vgg19_bn",
            imagenet(E, true),
            Card::torchvision("vgg19_bn-c79401a0"),
        ),
        Variant::new("cifar10_vgg11_bn", cifar(A, 10), Card::CIFAR10),
        Variant::new("cifar10_vgg13_bn", cifar(B, 10), Card::CIFAR10),
        Variant::new("cifar10_vgg16_bn", cifar(D, 10), Card::CIFAR10),
        Variant::new("cifar10_vgg19_bn", cifar(E, 10), Card::CIFAR10),
        Variant::new("cifar100_vgg11_bn", cifar(A, 100), Card::CIFAR100),
        Variant::new("cifar100_vgg13_bn", cifar(B, 100), Card::CIFAR100),
        Variant::new("cifar100_vgg16_bn", cifar(D, 100), Card::CIFAR100),
        Variant::new("cifar100_vgg19_bn", cifar(E, 100), Card::CIFAR100),
    ],
};

/// Channels of each stage (Table 1).
const WIDTHS: [usize; 5] = [64, 128, 256, 512, 512];

impl Architecture for Vgg {
    const STEMS: &'static [&'static str] = &["features.0.weight"];
    const HEADS: &'static [&'static str] = &["classifier.6.weight", "head.fc.weight"];
    const DIALECTS: &'static [Dialect<Self>] = &[Dialect::renamed("timm", timm)];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let x = self.features(&mut builder, input)?;
        let size = self.feature_window_size;
        let x = builder.add("avgpool", AdaptiveAvgPool2d { size }, &[x])?;
        let x = builder.add("flatten", Flatten {}, &[x])?;
        let output = self.classifier(&mut builder, x)?;
        Ok(builder.finish(&[output]))
    }
}

impl Vgg {
    /// Adds the stages, whose modules are numbered through.
    fn features(&self, builder: &mut Builder, input: ValueId) -> Result<ValueId, BuildError> {
        let mut index = 0;
        let mut name = || {
            index += 1;
            format!("features.{}", index - 1)
        };
        let (mut x, mut channels) = (input, self.in_chans);
        for (depth, width) in self.layers.into_iter().zip(WIDTHS) {
            for _ in 0..depth {
                let conv = Conv2d {
                    bias: true,
                    ..Conv2d::same(channels, width, 3)
                };
                x = builder.add(&name(), conv, &[x])?;
                if self.batch_norm {
                    x = builder.add(&name(), norm(width), &[x])?;
                }
                x = builder.add(&name(), Activation::Relu, &[x])?;
                channels = width;
            }
            x = builder.add(&name(), MaxPool2d::new(2, 2), &[x])?;
        }
        Ok(x)
    }

    fn classifier(&self, builder: &mut Builder, input: ValueId) -> Result<ValueId, BuildError> {
        let hidden = self.head_hidden_size;
        let first = linear(builder.shape(input).numel(), hidden);
        let x = builder.add("classifier.0", first, &[input])?;
        let x = builder.add("classifier.1", Activation::Relu, &[x])?;
        let x = builder.add("classifier.3", linear(hidden, hidden), &[x])?;
        let x = builder.add("classifier.4", Activation::Relu, &[x])?;
        builder.add("classifier.6", linear(hidden, self.num_classes), &[x])
    }
}

/// timm's names: the first two layers of the classifier are convolutions there, of one pixel's output for images of the default size.
fn timm(name: &str) -> String {
    let layers = [
        ("classifier.0.", "pre_logits.fc1."),
        ("classifier.3.", "pre_logits.fc2."),
        ("classifier.6.", "head.fc."),
    ];
    let renamed = layers.into_iter().find_map(|(ours, theirs)| {
        let parameter = name.strip_prefix(ours)?;
        Some(format!("{theirs}{parameter}"))
    });
    renamed.unwrap_or_else(|| name.to_owned())
}
