//! MobileNetV2 (Sandler et al. 2018).
//!
//! `mobilenet_v2` is torchvision's network for 224 pixels; `mobilenetv2_x*` are the CIFAR variants of chenyaofo's
//! `pytorch-cifar-models`, whose first two stages keep the size of the image. Parameter names are torchvision's in both.

use super::parts::norm;
use super::{Architecture, IMAGENET, Table};
use crate::graph::ops::{Activation, Add, Conv2d, GlobalAvgPool, Linear};
use crate::graph::{BuildError, Builder, Graph, ValueId};
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

const fn cifar(width_mult: f64) -> MobileNetV2 {
    MobileNetV2 {
        in_chans: 3,
        num_classes: 10,
        img_size: 32,
        width_mult,
        small_input: true,
    }
}

pub(super) static FAMILY: Table<MobileNetV2> = Table {
    name: "mobilenetv2",
    summary: "MobileNetV2 (Sandler et al. 2018), names of torchvision; mobilenetv2_x* for small images",
    task: "classification",
    normalization: IMAGENET,
    variants: &[
        ("mobilenetv2_x0_25", cifar(0.25)),
        ("mobilenetv2_x0_5", cifar(0.5)),
        ("mobilenetv2_x0_75", cifar(0.75)),
        ("mobilenetv2_x1_0", cifar(1.0)),
        ("mobilenetv2_x1_4", cifar(1.4)),
        (
            "mobilenet_v2",
            MobileNetV2 {
                in_chans: 3,
                num_classes: 1000,
                img_size: 224,
                width_mult: 1.0,
                small_input: false,
            },
        ),
    ],
};

/// Expansion, channels, repeats and first stride of each stage (Table 2).
const STAGES: [[usize; 4]; 7] = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
];

impl Architecture for MobileNetV2 {
    const STEM: &'static str = "features.0.0.weight";
    const HEAD: &'static str = "classifier.1.weight";

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let mut channels = scaled(32, self.width_mult);
        let stem = Conv2d::same(self.in_chans, channels, 3).stride(self.stride(2, 0));
        let mut x = conv_norm_relu(&mut builder, "features.0", stem, input)?;
        let mut index = 1;
        for (stage, [expansion, width, repeats, stride]) in STAGES.into_iter().enumerate() {
            for repeat in 0..repeats {
                let block = InvertedResidual {
                    name: format!("features.{index}"),
                    channels,
                    width: scaled(width, self.width_mult),
                    expansion,
                    stride: if repeat == 0 {
                        self.stride(stride, stage)
                    } else {
                        1
                    },
                };
                x = block.add(&mut builder, x)?;
                channels = block.width;
                index += 1;
            }
        }
        let last = scaled(1280, self.width_mult.max(1.0));
        let name = format!("features.{index}");
        let x = conv_norm_relu(&mut builder, &name, Conv2d::same(channels, last, 1), x)?;
        let x = builder.add("avgpool", GlobalAvgPool {}, &[x])?;
        let head = Linear {
            in_features: last,
            out_features: self.num_classes,
            bias: true,
        };
        let output = builder.add("classifier.1", head, &[x])?;
        Ok(builder.finish(&[output]))
    }
}

impl MobileNetV2 {
    /// Small images are not halved before the third stage.
    fn stride(&self, stride: usize, stage: usize) -> usize {
        if self.small_input && stage < 2 {
            1
        } else {
            stride
        }
    }
}

/// Expansion, depthwise convolution and projection; a shortcut where the shape stays.
struct InvertedResidual {
    name: String,
    channels: usize,
    width: usize,
    expansion: usize,
    stride: usize,
}

impl InvertedResidual {
    fn add(&self, builder: &mut Builder, input: ValueId) -> Result<ValueId, BuildError> {
        let part = |i: usize| format!("{}.conv.{i}", self.name);
        let hidden = self.channels * self.expansion;
        let mut x = input;
        let mut next = 0;
        if self.expansion != 1 {
            x = conv_norm_relu(builder, &part(0), Conv2d::same(self.channels, hidden, 1), x)?;
            next = 1;
        }
        let depthwise = Conv2d::same(hidden, hidden, 3)
            .stride(self.stride)
            .groups(hidden);
        x = conv_norm_relu(builder, &part(next), depthwise, x)?;
        let project = Conv2d::same(hidden, self.width, 1);
        x = builder.add(&part(next + 1), project, &[x])?;
        x = builder.add(&part(next + 2), norm(self.width), &[x])?;
        if self.stride == 1 && self.channels == self.width {
            x = builder.add(&format!("{}.add", self.name), Add {}, &[x, input])?;
        }
        Ok(x)
    }
}

fn conv_norm_relu(
    builder: &mut Builder,
    name: &str,
    conv: Conv2d,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let x = builder.add(&format!("{name}.0"), conv, &[input])?;
    let x = builder.add(&format!("{name}.1"), norm(conv.out_channels), &[x])?;
    builder.add(&format!("{name}.2"), Activation::Relu6, &[x])
}

/// Scales a width and rounds it to a multiple of 8 that is at least nine tenths of it.
fn scaled(channels: usize, width_mult: f64) -> usize {
    let wanted = channels as f64 * width_mult;
    let rounded = ((wanted + 4.0) as usize / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * wanted {
        rounded + 8
    } else {
        rounded
    }
}
