//! MobileNet (Howard et al. 2017).
//!
//! Names and parameter names are timm's, whose activations are ReLU6 as in the original's code.

use super::inverted::timm_names;
use super::parts::{Style, classified, scaled};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Activation, Conv2d};
use crate::graph::{BuildError, Builder, Graph};
use serde::{Deserialize, Serialize};

/// Depthwise separable convolutions; every width is scaled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MobileNetV1 {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    channel_multiplier: f64,
}

pub(super) static FAMILY: Table<MobileNetV1> = Table {
    name: "mobilenetv1",
    summary: "MobileNet (Howard et al. 2017), names of timm",
    task: "classification",
    variants: &[Variant::new(
        "mobilenetv1_100",
        MobileNetV1 {
            in_chans: 3,
            num_classes: 1000,
            img_size: 224,
            channel_multiplier: 1.0,
        },
        Card::timm("mobilenetv1_100.ra4_e3600_r224_in1k").inception(),
    )],
};

/// Channels, blocks and first stride of each stage (Table 1).
pub(super) const STAGES: [[usize; 3]; 5] = [
    [64, 1, 1],
    [128, 2, 2],
    [256, 2, 2],
    [512, 6, 2],
    [1024, 2, 2],
];

impl Architecture for MobileNetV1 {
    const STEMS: &'static [&'static str] = &["conv_stem.weight"];
    const HEADS: &'static [&'static str] = &["classifier.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        let style = Style::new(Activation::Relu6);
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let mut channels = scaled(32, self.channel_multiplier);
        let stem = Conv2d::same(self.in_chans, channels, 3).stride(2);
        let mut x = style.layer(&mut builder, &timm_names("conv_stem", "bn1"), stem, input)?;
        for (stage, [width, blocks, stride]) in STAGES.into_iter().enumerate() {
            let width = scaled(width, self.channel_multiplier);
            for index in 0..blocks {
                let part = |suffix: &str| format!("blocks.{stage}.{index}.{suffix}");
                let names = |conv, norm| timm_names(&part(conv), &part(norm));
                let depthwise = Conv2d::same(channels, channels, 3)
                    .stride(if index == 0 { stride } else { 1 })
                    .groups(channels);
                x = style.layer(&mut builder, &names("conv_dw", "bn1"), depthwise, x)?;
                let pointwise = Conv2d::same(channels, width, 1);
                x = style.layer(&mut builder, &names("conv_pw", "bn2"), pointwise, x)?;
                channels = width;
            }
        }
        classified(builder, "classifier", self.num_classes, x)
    }
}
