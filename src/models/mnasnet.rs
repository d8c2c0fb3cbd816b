//! MnasNet (Tan et al. 2019): the variant B1, without squeeze and excitation.
//!
//! Names and parameter names are torchvision's.

use super::dialect::Dialect;
use super::inverted::{Before, Naming, Network, Part, Stage};
use super::parts::{Style, classified, numbered, scaled};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Activation, Conv2d};
use crate::graph::{BuildError, Builder, Graph};
use serde::{Deserialize, Serialize};

/// Inverted residuals with kernels of two sizes; every width but that of the head is scaled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MnasNet {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    channel_multiplier: f64,
}

const fn widened(channel_multiplier: f64) -> MnasNet {
    MnasNet {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        channel_multiplier,
    }
}

pub(super) static FAMILY: Table<MnasNet> = Table {
    name: "mnasnet",
    summary: "MnasNet-B1 (Tan et al. 2019), names of torchvision",
    task: "classification",
    variants: &[
        Variant::new(
            "mnasnet0_5",
            widened(0.5),
            Card::torchvision("mnasnet0.5_top1_67.823-3ffadce67e"),
        ),
        Variant::new(
            "mnasnet1_0",
            widened(1.0),
            Card::torchvision("mnasnet1.0_top1_73.512-f206786ef8"),
        ),
    ],
};

/// Expansion, channels, repeats, first stride and kernel of each stage after the separable convolution.
const STAGES: [Stage; 6] = [
    Stage::new([3, 24, 3, 2, 3]),
    Stage::new([3, 40, 3, 2, 5]),
    Stage::new([6, 80, 3, 2, 5]),
    Stage::new([6, 96, 2, 1, 3]),
    Stage::new([6, 192, 4, 2, 5]),
    Stage::new([6, 320, 1, 1, 3]),
];

impl Architecture for MnasNet {
    const STEMS: &'static [&'static str] = &["layers.0.weight", "conv_stem.weight"];
    const HEADS: &'static [&'static str] = &["classifier.1.weight", "classifier.weight"];
    const DIALECTS: &'static [Dialect<Self>] = &[Dialect::twin("timm", Self::timm)];

    fn build(&self) -> Result<Graph, BuildError> {
        let style = Style::new(Activation::Relu);
        let names = |first| numbered("layers", first);
        let [stem, separated] = [32, 16].map(|width| scaled(width, self.channel_multiplier));
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let conv = Conv2d::same(self.in_chans, stem, 3).stride(2);
        let x = style.layer(&mut builder, &names(0), conv, input)?;
        let depthwise = Conv2d::same(stem, stem, 3).groups(stem);
        let x = style.layer(&mut builder, &names(3), depthwise, x)?;
        let pointwise = Conv2d::same(stem, separated, 1);
        let mut x = style.linear(&mut builder, &names(6), pointwise, x)?;
        for (number, stage) in (8..).zip(STAGES) {
            let stage = stage.widened(self.channel_multiplier);
            let name = |repeat| format!("layers.{number}.{repeat}");
            x = stage.add(&mut builder, (style, block as Naming), name, |_| None, x)?;
        }
        let last = Conv2d::same(builder.shape(x).channels(), 1280, 1);
        let x = style.layer(&mut builder, &names(14), last, x)?;
        classified(builder, "classifier.1", self.num_classes, x)
    }
}

impl MnasNet {
    /// Builds the graph with timm's names, where the separable convolution is a stage of its own.
    fn timm(&self) -> Result<Graph, BuildError> {
        let separable = Stage::new([1, 16, 1, 1, 3]);
        let stages = std::iter::once(separable).chain(STAGES);
        let network = Network {
            style: Style::new(Activation::Relu),
            stem: scaled(32, self.channel_multiplier),
            stages: stages
                .map(|stage| stage.widened(self.channel_multiplier))
                .collect(),
            excitation: |_| None,
            head: 1280,
        };
        network.build([self.in_chans, self.img_size, self.num_classes])
    }
}

/// All layers of a block are modules in a row.
fn block(block: &str, _part: Part, before: Before) -> [String; 3] {
    numbered(&format!("{block}.layers"), 3 * before.parts)
}
