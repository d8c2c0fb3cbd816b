//! MobileNetV2 (Sandler et al. 2018).
//!
//! `mobilenet_v2` is torchvision's network for 224 pixels; `cifar10_mobilenetv2_x*` and `cifar100_mobilenetv2_x*` are the variants of
//! chenyaofo's `pytorch-cifar-models`, whose first two stages keep the size of the image, and `mobilenetv2_x*` is short for the former.
//! Parameter names are torchvision's in all.
//! `mobilenetv2_050`, `_075`, `_100` and `_140` are timm's networks of other widths, with timm's parameter names.

use super::dialect::Dialect;
use super::inverted::{Before, Naming, Network, Part, Stage};
use super::parts::{Style, classified, numbered, scaled};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Activation, Conv2d};
use crate::graph::{BuildError, Builder, Graph};
use serde::{Deserialize, Serialize};

/// Inverted residuals after a stem; every width is scaled by `width_mult`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MobileNetV2 {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    width_mult: f64,
    /// Whether stem and second stage keep the size of the image.
    small_input: bool,
}

/// The same network, as timm has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timm {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// What every width is scaled by.
    channel_multiplier: f64,
}

const fn cifar(width_mult: f64, num_classes: usize) -> MobileNetV2 {
    MobileNetV2 {
        in_chans: 3,
        num_classes,
        img_size: 32,
        width_mult,
        small_input: true,
    }
}

const fn timm(channel_multiplier: f64) -> Timm {
    Timm {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        channel_multiplier,
    }
}

/// The repository of the others has no such width.
const UNTRAINED: Card = Card {
    source: None,
    license: None,
    ..Card::CIFAR10
};

pub(super) static FAMILY: Table<MobileNetV2> = Table {
    name: "mobilenetv2",
    summary: "MobileNetV2 (Sandler et al. 2018), names of torchvision; mobilenetv2_x* and cifar*_ for small images",
    task: "classification",
    variants: &[
        Variant::new("mobilenetv2_x0_25", cifar(0.25, 10), UNTRAINED),
        Variant::new("mobilenetv2_x0_5", cifar(0.5, 10), Card::CIFAR10),
        Variant::new("mobilenetv2_x0_75", cifar(0.75, 10), Card::CIFAR10),
        Variant::new("mobilenetv2_x1_0", cifar(1.0, 10), Card::CIFAR10),
        Variant::new("mobilenetv2_x1_4", cifar(1.4, 10), Card::CIFAR10),
        Variant::new(
            "mobilenet_v2",
            MobileNetV2 {
                in_chans: 3,
                num_classes: 1000,
                img_size: 224,
                width_mult: 1.0,
                small_input: false,
            },
            Card::torchvision("mobilenet_v2-b0353104"),
        ),
        Variant::new("cifar10_mobilenetv2_x0_5", cifar(0.5, 10), Card::CIFAR10),
        Variant::new("cifar10_mobilenetv2_x0_75", cifar(0.75, 10), Card::CIFAR10),
        Variant::new("cifar10_mobilenetv2_x1_0", cifar(1.0, 10), Card::CIFAR10),
        Variant::new("cifar10_mobilenetv2_x1_4", cifar(1.4, 10), Card::CIFAR10),
        Variant::new("cifar100_mobilenetv2_x0_5", cifar(0.5, 100), Card::CIFAR100),
        Variant::new(
            "cifar100_mobilenetv2_x0_75",
            cifar(0.75, 100),
            Card::CIFAR100,
        ),
        Variant::new("cifar100_mobilenetv2_x1_0", cifar(1.0, 100), Card::CIFAR100),
        Variant::new("cifar100_mobilenetv2_x1_4", cifar(1.4, 100), Card::CIFAR100),
    ],
};

pub(super) static TIMM: Table<Timm> = Table {
    name: "mobilenetv2-timm",
    summary: "MobileNetV2 (Sandler et al. 2018) in several widths, names of timm",
    task: "classification",
    variants: &[
        Variant::new(
            "mobilenetv2_050",
            timm(0.5),
            Card::timm("mobilenetv2_050.lamb_in1k"),
        ),
        Variant::new("mobilenetv2_075", timm(0.75), Card::UNPUBLISHED.bicubic()),
        Variant::new(
            "mobilenetv2_100",
            timm(1.0),
            Card::timm("mobilenetv2_100.ra_in1k"),
        ),
        Variant::new(
            "mobilenetv2_140",
            timm(1.4),
            Card::timm("mobilenetv2_140.ra_in1k"),
        ),
    ],
};

/// Expansion, channels, repeats, first stride and kernel of each stage (Table 2).
pub(super) const STAGES: [Stage; 7] = [
    Stage::new([1, 16, 1, 1, 3]),
    Stage::new([6, 24, 2, 2, 3]),
    Stage::new([6, 32, 3, 2, 3]),
    Stage::new([6, 64, 4, 2, 3]),
    Stage::new([6, 96, 3, 1, 3]),
    Stage::new([6, 160, 3, 2, 3]),
    Stage::new([6, 320, 1, 1, 3]),
];

pub(super) const STYLE: Style = Style::new(Activation::Relu6);

impl Architecture for MobileNetV2 {
    const STEMS: &'static [&'static str] = &["features.0.0.weight", "conv_stem.weight"];
    const HEADS: &'static [&'static str] = &["classifier.1.weight", "classifier.weight"];
    const DIALECTS: &'static [Dialect<Self>] =
        &[Dialect::twin("timm", |network| network.timm().build())];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let width = scaled(32, self.width_mult);
        let stem = Conv2d::same(self.in_chans, width, 3).stride(self.stride(2, 0));
        let mut x = STYLE.layer(&mut builder, &numbered("features.0", 0), stem, input)?;
        let mut index = 1;
        for (number, stage) in STAGES.into_iter().enumerate() {
            let stage = Stage {
                stride: self.stride(stage.stride, number),
                ..stage.widened(self.width_mult)
            };
            let name = |repeat| format!("features.{}", index + repeat);
            x = stage.add(&mut builder, (STYLE, names as Naming), name, |_| None, x)?;
            index += stage.repeats;
        }
        let last = scaled(1280, self.width_mult.max(1.0));
        let conv = Conv2d::same(builder.shape(x).channels(), last, 1);
        let x = STYLE.layer(
            &mut builder,
            &numbered(&format!("features.{index}"), 0),
            conv,
            x,
        )?;
        classified(builder, "classifier.1", self.num_classes, x)
    }
}

impl MobileNetV2 {
    /// Returns what has the same parameters under timm's names. Strides have no part in that.
    fn timm(&self) -> Timm {
        Timm {
            in_chans: self.in_chans,
            num_classes: self.num_classes,
            img_size: self.img_size,
            channel_multiplier: self.width_mult,
        }
    }

    /// Small images are not halved before the third stage.
    fn stride(&self, stride: usize, stage: usize) -> usize {
        if self.small_input && stage < 2 {
            1
        } else {
            stride
        }
    }
}

/// torchvision's names here: each part is a module, but the projection's are two of the block.
fn names(block: &str, part: Part, before: Before) -> [String; 3] {
    let container = format!("{block}.conv");
    match part {
        Part::Project => numbered(&container, before.parts),
        _ => numbered(&format!("{container}.{}", before.parts), 0),
    }
}

impl Timm {
    fn torchvision(&self) -> MobileNetV2 {
        MobileNetV2 {
            in_chans: self.in_chans,
            num_classes: self.num_classes,
            img_size: self.img_size,
            width_mult: self.channel_multiplier,
            small_input: false,
        }
    }
}

impl Architecture for Timm {
    const STEMS: &'static [&'static str] = &["conv_stem.weight", "features.0.0.weight"];
    const HEADS: &'static [&'static str] = &["classifier.weight", "classifier.1.weight"];
    const DIALECTS: &'static [Dialect<Self>] = &[Dialect::twin("torchvision", |network| {
        network.torchvision().build()
    })];

    fn build(&self) -> Result<Graph, BuildError> {
        let width = self.channel_multiplier;
        let network = Network {
            style: STYLE,
            stem: scaled(32, width),
            stages: STAGES.map(|stage| stage.widened(width)).into(),
            excitation: |_| None,
            head: scaled(1280, width.max(1.0)),
        };
        network.build([self.in_chans, self.img_size, self.num_classes])
    }
}
