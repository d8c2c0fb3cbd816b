//! MobileNetV3 (Howard et al. 2019).
//!
//! Names and parameter names are torchvision's.

use super::inverted::{self, InvertedResidual};
use super::parts::{SqueezeExcitation, Style, numbered, scaled};
use super::{Architecture, Card, Table};
use crate::graph::ops::{Activation, Conv2d, GlobalAvgPool, Linear};
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
    card: Card::TORCHVISION,
    variants: &[
        ("mobilenet_v3_small", network(Size::Small)),
        ("mobilenet_v3_large", network(Size::Large)),
    ],
};

/// A block: its kernel, hidden channels, channels, whether it has squeeze and excitation, its activation and its stride.
type Row = (usize, usize, usize, bool, Activation, usize);

const RE: Activation = Activation::Relu;
const HS: Activation = Activation::Hardswish;

/// Table 1.
const LARGE: [Row; 15] = [
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

/// The style of stem and last convolution.
const STYLE: Style = Style {
    eps: 1e-3,
    ..Style::new(HS)
};

impl Architecture for MobileNetV3 {
    const STEM: &'static str = "features.0.0.weight";
    const HEAD: &'static str = "classifier.3.weight";

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let stem = Conv2d::same(self.in_chans, 16, 3).stride(2);
        let mut x = STYLE.layer(&mut builder, &numbered("features.0", 0), stem, input)?;
        let rows: &[Row] = match self.size {
            Size::Small => &SMALL,
            Size::Large => &LARGE,
        };
        for (index, row) in (1..).zip(rows) {
            x = block(*row).add(&mut builder, &format!("features.{index}"), x)?;
        }
        let channels = builder.shape(x).channels();
        let last = numbered(&format!("features.{}", rows.len() + 1), 0);
        let conv = Conv2d::same(channels, 6 * channels, 1);
        let x = STYLE.layer(&mut builder, &last, conv, x)?;
        let x = builder.add("avgpool", GlobalAvgPool {}, &[x])?;
        let hidden = match self.size {
            Size::Small => 1024,
            Size::Large => 1280,
        };
        let linear = |in_features, out_features| Linear {
            in_features,
            out_features,
            bias: true,
        };
        let x = builder.add("classifier.0", linear(6 * channels, hidden), &[x])?;
        let x = builder.add("classifier.1", HS, &[x])?;
        let output = builder.add("classifier.3", linear(hidden, self.num_classes), &[x])?;
        Ok(builder.finish(&[output]))
    }
}

fn block((kernel, hidden, width, excited, activation, stride): Row) -> InvertedResidual {
    let excitation = SqueezeExcitation {
        squeezed: scaled(hidden / 4, 1.0),
        activation: Activation::Relu,
        gate: Activation::Hardsigmoid,
    };
    InvertedResidual {
        style: Style {
            activation,
            ..STYLE
        },
        naming: inverted::torchvision,
        hidden,
        width,
        kernel,
        stride,
        excitation: excited.then_some(excitation),
    }
}
