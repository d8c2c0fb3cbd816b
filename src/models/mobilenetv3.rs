//! MobileNetV3 (Howard et al. 2019).
//!
//! `mobilenet_v3_small` and `mobilenet_v3_large` are torchvision's; `mobilenetv3_small_100` and `mobilenetv3_large_100` are timm's, whose
//! batch norms have another epsilon.

use super::inverted::{self, InvertedResidual, timm_names};
use super::parts::{SqueezeExcitation, Style, linear, numbered, scaled};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Activation, Conv2d, Flatten, GlobalAvgPool, Squeeze};
use crate::graph::{BuildError, Builder, Graph};
use serde::{Deserialize, Serialize};

/// Inverted residuals, most of them with squeeze and excitation, and a head of two layers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MobileNetV3 {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    size: Size,
}

/// The same network as timm has it: with another epsilon, and a head that begins with a convolution.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Timm(MobileNetV3);

/// One of the two networks of the paper.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Size {
    Small,
    Large,
}

const fn network(size: Size) -> MobileNetV3 {
    MobileNetV3 {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        size,
    }
}

pub(super) static FAMILY: Table<MobileNetV3> = Table {
    name: "mobilenetv3",
    summary: "MobileNetV3 (Howard et al. 2019), names of torchvision",
    task: "classification",
    variants: &[
        Variant::new(
            "mobilenet_v3_small",
            network(Size::Small),
            Card::torchvision("mobilenet_v3_small-047dcff4"),
        ),
        Variant::new(
            "mobilenet_v3_large",
            network(Size::Large),
            Card::torchvision("mobilenet_v3_large-8738ca79"),
        ),
    ],
};

pub(super) static TIMM: Table<Timm> = Table {
    name: "mobilenetv3-timm",
    summary: "MobileNetV3 (Howard et al. 2019), names of timm",
    task: "classification",
    variants: &[
        Variant::new(
            "mobilenetv3_small_100",
            Timm(network(Size::Small)),
            Card::timm("mobilenetv3_small_100.lamb_in1k"),
        ),
        Variant::new(
            "mobilenetv3_large_100",
            Timm(network(Size::Large)),
            Card::timm("mobilenetv3_large_100.ra_in1k"),
        ),
    ],
};

/// A block: its kernel, hidden channels, channels, whether it has squeeze and excitation, its activation and its stride.
pub(super) type Row = (usize, usize, usize, bool, Activation, usize);

const RE: Activation = Activation::Relu;
const HS: Activation = Activation::Hardswish;

/// Table 1.
pub(super) const LARGE: [Row; 15] = [
    (3, 16, 16, false, RE, 1),
    (3, 64, 24, false, RE, 2),
    (3, 72, 24, false, RE, 1),
    (5, 72, 40, true, RE, 2),
    (5, 120, 40, true, RE, 1),
    (5, 120, 40, true, RE, 1),
    (3, 240, 80, false, HS, 2),
    (3, 200, 80, false, HS, 1),
    (3, 184, 80, false, HS, 1),
    (3, 184, 80, false, HS, 1),
    (3, 480, 112, true, HS, 1),
    (3, 672, 112, true, HS, 1),
    (5, 672, 160, true, HS, 2),
    (5, 960, 160, true, HS, 1),
    (5, 960, 160, true, HS, 1),
];

/// Table 2.
const SMALL: [Row; 11] = [
    (3, 16, 16, true, RE, 2),
    (3, 72, 24, false, RE, 2),
    (3, 88, 24, false, RE, 1),
    (5, 96, 40, true, HS, 2),
    (5, 240, 40, true, HS, 1),
    (5, 240, 40, true, HS, 1),
    (5, 120, 48, true, HS, 1),
    (5, 144, 48, true, HS, 1),
    (5, 288, 96, true, HS, 2),
    (5, 576, 96, true, HS, 1),
    (5, 576, 96, true, HS, 1),
];

/// How many blocks timm counts as a stage, where no row is left but the last convolution of its own.
const LARGE_STAGES: [usize; 6] = [1, 2, 3, 4, 2, 3];
const SMALL_STAGES: [usize; 5] = [1, 2, 3, 2, 3];

/// The style of torchvision's stem and last convolution.
pub(super) const STYLE: Style = Style {
    eps: 1e-3,
    ..Style::new(HS)
};

/// The same of timm's.
const TIMM_STYLE: Style = Style::new(HS);

impl MobileNetV3 {
    fn rows(&self) -> &'static [Row] {
        match self.size {
            Size::Small => &SMALL,
            Size::Large => &LARGE,
        }
    }

    /// Returns the width between the two layers of the head.
    fn hidden(&self) -> usize {
        match self.size {
            Size::Small => 1024,
            Size::Large => 1280,
        }
    }
}

impl Architecture for MobileNetV3 {
    const STEMS: &'static [&'static str] = &["features.0.0.weight"];
    const HEADS: &'static [&'static str] = &["classifier.3.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let stem = Conv2d::same(self.in_chans, 16, 3).stride(2);
        let mut x = STYLE.layer(&mut builder, &numbered("features.0", 0), stem, input)?;
        let rows = self.rows();
        for (index, row) in (1..).zip(rows) {
            let block = block(*row, STYLE, inverted::torchvision);
            x = block.add(&mut builder, &format!("features.{index}"), x)?;
        }
        let channels = builder.shape(x).channels();
        let last = numbered(&format!("features.{}", rows.len() + 1), 0);
        let conv = Conv2d::same(channels, 6 * channels, 1);
        let x = STYLE.layer(&mut builder, &last, conv, x)?;
        let x = builder.add("avgpool", GlobalAvgPool {}, &[x])?;
        let hidden = self.hidden();
        let x = builder.add("classifier.0", linear(6 * channels, hidden), &[x])?;
        let x = builder.add("classifier.1", HS, &[x])?;
        let output = builder.add("classifier.3", linear(hidden, self.num_classes), &[x])?;
        Ok(builder.finish(&[output]))
    }
}

impl Architecture for Timm {
    const STEMS: &'static [&'static str] = &["conv_stem.weight"];
    const HEADS: &'static [&'static str] = &["classifier.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        let network = &self.0;
        let mut builder = Builder::new();
        let sides = [network.img_size; 2];
        let input = builder.input("input", [network.in_chans, sides[0], sides[1]])?;
        let stem = Conv2d::same(network.in_chans, 16, 3).stride(2);
        let style = TIMM_STYLE;
        let mut x = style.layer(&mut builder, &timm_names("conv_stem", "bn1"), stem, input)?;
        let stages: &[usize] = match network.size {
            Size::Small => &SMALL_STAGES,
            Size::Large => &LARGE_STAGES,
        };
        let mut rows = network.rows().iter();
        for (stage, blocks) in stages.iter().enumerate() {
            for (index, row) in rows.by_ref().take(*blocks).enumerate() {
                let block = block(*row, style, inverted::timm);
                x = block.add(&mut builder, &format!("blocks.{stage}.{index}"), x)?;
            }
        }
        let channels = builder.shape(x).channels();
        let name = |part: &str| format!("blocks.{}.0.{part}", stages.len());
        let last = timm_names(&name("conv"), &name("bn1"));
        let conv = Conv2d::same(channels, 6 * channels, 1);
        let x = style.layer(&mut builder, &last, conv, x)?;
        let hidden = network.hidden();
        let head = Conv2d {
            bias: true,
            ..Conv2d::same(6 * channels, hidden, 1)
        };
        let x = builder.add("global_pool", Squeeze {}, &[x])?;
        let x = builder.add("conv_head", head, &[x])?;
        let x = builder.add("act2", HS, &[x])?;
        let x = builder.add("flatten", Flatten {}, &[x])?;
        let output = builder.add("classifier", linear(hidden, network.num_classes), &[x])?;
        Ok(builder.finish(&[output]))
    }
}

/// Returns the block of a row.
pub(super) fn block(
    (kernel, hidden, width, excited, activation, stride): Row,
    style: Style,
    naming: inverted::Naming,
) -> InvertedResidual {
    let excitation = SqueezeExcitation {
        squeezed: scaled(hidden / 4, 1.0),
        activation: Activation::Relu,
        gate: Activation::Hardsigmoid,
    };
    InvertedResidual {
        style: Style {
            activation,
            ..style
        },
        naming,
        hidden,
        width,
        kernel,
        stride,
        excitation: excited.then_some(excitation),
    }
}
