//! EfficientNet (Tan and Le 2019).
//!
//! Names and parameter names are torchvision's.

use super::dialect::Dialect;
use super::inverted::{self, Network, Stage};
use super::parts::{SqueezeExcitation, Style, classified, numbered, scaled};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Activation, Conv2d};
use crate::graph::{BuildError, Builder, Graph};
use serde::{Deserialize, Serialize};

/// Inverted residuals with squeeze and excitation, whose widths and repeats are scaled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EfficientNet {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    channel_multiplier: f64,
    depth_multiplier: f64,
}

const fn scaled_by(
    channel_multiplier: f64,
    depth_multiplier: f64,
    img_size: usize,
) -> EfficientNet {
    EfficientNet {
        in_chans: 3,
        num_classes: 1000,
        img_size,
        channel_multiplier,
        depth_multiplier,
    }
}

pub(super) static FAMILY: Table<EfficientNet> = Table {
    name: "efficientnet",
    summary: "EfficientNet (Tan and Le 2019), names of torchvision",
    task: "classification",
    variants: &[
        Variant::new(
            "efficientnet_b0",
            scaled_by(1.0, 1.0, 224),
            Card::torchvision("efficientnet_b0_rwightman-3dd342df").bicubic(),
        ),
        Variant::new(
            "efficientnet_b1",
            scaled_by(1.0, 1.1, 240),
            Card::torchvision("efficientnet_b1_rwightman-533bc792")
                .sized(256, 240)
                .bicubic(),
        ),
        Variant::new(
            "efficientnet_b2",
            scaled_by(1.1, 1.2, 288),
            Card::torchvision("efficientnet_b2_rwightman-bcdf34b7")
                .sized(288, 288)
                .bicubic(),
        ),
        Variant::new(
            "efficientnet_b3",
            scaled_by(1.2, 1.4, 300),
            Card::torchvision("efficientnet_b3_rwightman-cf984f9c")
                .sized(320, 300)
                .bicubic(),
        ),
        Variant::new(
            "efficientnet_b4",
            scaled_by(1.4, 1.8, 380),
            Card::torchvision("efficientnet_b4_rwightman-7eb33cd5")
                .sized(384, 380)
                .bicubic(),
        ),
    ],
};

/// Expansion, channels, repeats, first stride and kernel of each stage (Table 1).
pub(super) const STAGES: [Stage; 7] = [
    Stage::new([1, 16, 1, 1, 3]),
    Stage::new([6, 24, 2, 2, 3]),
    Stage::new([6, 40, 2, 2, 5]),
    Stage::new([6, 80, 3, 2, 3]),
    Stage::new([6, 112, 3, 1, 5]),
    Stage::new([6, 192, 4, 2, 5]),
    Stage::new([6, 320, 1, 1, 3]),
];

const STYLE: Style = Style::new(Activation::Silu);

impl Architecture for EfficientNet {
    const STEMS: &'static [&'static str] = &["features.0.0.weight", "conv_stem.weight"];
    const HEADS: &'static [&'static str] = &["classifier.1.weight", "classifier.weight"];
    const DIALECTS: &'static [Dialect<Self>] = &[Dialect::twin("timm", Self::timm)];

    fn build(&self) -> Result<Graph, BuildError> {
        let style = STYLE;
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let width = scaled(32, self.channel_multiplier);
        let stem = Conv2d::same(self.in_chans, width, 3).stride(2);
        let mut x = style.layer(&mut builder, &numbered("features.0", 0), stem, input)?;
        for (number, stage) in (1..).zip(self.stages()) {
            let name = |repeat| format!("features.{number}.{repeat}");
            let naming = (style, inverted::torchvision as inverted::Naming);
            x = stage.add(&mut builder, naming, name, excitation, x)?;
        }
        let channels = builder.shape(x).channels();
        let last = Conv2d::same(channels, 4 * channels, 1);
        let x = style.layer(&mut builder, &numbered("features.8", 0), last, x)?;
        classified(builder, "classifier.1", self.num_classes, x)
    }
}

impl EfficientNet {
    fn stages(&self) -> [Stage; 7] {
        STAGES.map(|stage| {
            let stage = stage.widened(self.channel_multiplier);
            stage.deepened(self.depth_multiplier)
        })
    }

    /// Builds the graph with timm's names.
    fn timm(&self) -> Result<Graph, BuildError> {
        let stages = self.stages();
        let network = Network {
            style: STYLE,
            stem: scaled(32, self.channel_multiplier),
            stages: stages.into(),
            excitation,
            head: 4 * stages[6].width,
        };
        network.build([self.in_chans, self.img_size, self.num_classes])
    }
}

/// The bottleneck has a quarter of the channels that come into the block.
#[expect(
    clippy::unnecessary_wraps,
    reason = "other families have blocks without excitation"
)]
fn excitation(channels: usize) -> Option<SqueezeExcitation> {
    Some(SqueezeExcitation {
        squeezed: channels / 4,
        activation: Activation::Silu,
        gate: Activation::Sigmoid,
    })
}
