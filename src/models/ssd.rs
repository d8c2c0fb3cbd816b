//! SSD (Liu et al. 2016) on VGG-16.
//!
//! Names and parameter names are torchvision's.

use super::default_boxes::DefaultBoxes;
use super::detection::{Heads, SSD_SELECTION, plain_head, ssd_head};
use super::{Architecture, Card, Head, Table, Variant};
use crate::graph::ops::{Activation, ChannelNorm, Conv2d, MaxPool2d};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// VGG-16, more layers that make its features smaller, and heads on six of the feature maps.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ssd {
    in_chans: usize,
    /// Classes and the background.
    num_classes: usize,
    img_size: usize,
}

pub(super) static FAMILY: Table<Ssd> = Table {
    name: "ssd",
    summary: "SSD (Liu et al. 2016) on VGG-16, names of torchvision",
    task: "detection",
    variants: &[Variant::new(
        "ssd300_vgg16",
        Ssd {
            in_chans: 3,
            num_classes: 91,
            img_size: 300,
        },
        // Bytes less their mean, as the backbone's first publisher had them.
        Card::torchvision("ssd300_vgg16_coco-b556d3b4")
            .stretched(300)
            .normalised(&[0.48235, 0.45882, 0.40784], &[1.0 / 255.0; 3]),
    )],
};

const BOXES: DefaultBoxes = DefaultBoxes {
    scales: &[
        [0.07, 0.15],
        [0.15, 0.33],
        [0.33, 0.51],
        [0.51, 0.69],
        [0.69, 0.87],
        [0.87, 1.05],
    ],
    ratios: &[
        &[2.0],
        &[2.0, 3.0],
        &[2.0, 3.0],
        &[2.0, 3.0],
        &[2.0],
        &[2.0],
    ],
    steps: &[8.0, 16.0, 32.0, 64.0, 100.0, 300.0],
};

/// A module of VGG-16 that is followed by a ReLU, but for poolings.
#[derive(Debug, Clone, Copy)]
enum Module {
    /// A 3x3 convolution to so many channels.
    Conv(usize),
    Pool(MaxPool2d),
}

use Module::{Conv, Pool};

const HALVE: Module = Pool(MaxPool2d::new(2, 2));

/// Up to the last convolution with 38 pixels a side, of 300.
const FEATURES: [Module; 13] = [
    Conv(64),
    Conv(64),
    HALVE,
    Conv(128),
    Conv(128),
    HALVE,
    Conv(256),
    Conv(256),
    Conv(256),
    Pool(MaxPool2d::new(2, 2).ceil_mode()),
    Conv(512),
    Conv(512),
    Conv(512),
];

/// What is left of VGG-16 without its last pooling.
const REST: [Module; 4] = [HALVE, Conv(512), Conv(512), Conv(512)];

/// Channels between and after the two convolutions of each further level, and the stride and padding of the second.
const EXTRA: [[usize; 4]; 4] = [
    [256, 512, 2, 1],
    [128, 256, 2, 1],
    [128, 256, 1, 0],
    [128, 256, 1, 0],
];

impl Architecture for Ssd {
    const STEMS: &'static [&'static str] = &["backbone.features.0.weight"];
    const HEADS: &'static [&'static str] = &["head.classification_head.module_list.0.weight"];
    const ROWS_A_CLASS: usize = 4;

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let x = vgg(&mut builder, "backbone.features", &FEATURES, input)?;
        let norm = ChannelNorm {
            channels: 512,
            eps: 1e-12,
        };
        let normed = builder.add("backbone.scale_weight", norm, &[x])?;
        let mut heads = Heads::torchvision(self.num_classes, plain_head);
        heads.look(&mut builder, BOXES.count(0), normed)?;
        let x = vgg(&mut builder, "backbone.extra.0", &REST, x)?;
        let mut x = fully_convolutional(&mut builder, "backbone.extra.0.7", x)?;
        heads.look(&mut builder, BOXES.count(1), x)?;
        for (index, [between, width, stride, padding]) in (1..).zip(EXTRA) {
            let wide = Conv2d::same(between, width, 3);
            let wide = wide.stride(stride).padding(padding);
            x = bottleneck(&mut builder, &format!("backbone.extra.{index}"), wide, x)?;
            heads.look(&mut builder, BOXES.count(index + 1), x)?;
        }
        heads.end(builder)
    }

    fn head(&self, graph: &Graph) -> Head {
        let sizes = [self.num_classes, self.img_size];
        ssd_head(&BOXES, sizes, graph, SSD_SELECTION)
    }
}

/// Adds a level below others: a pointwise convolution to as many channels as `wide` takes, and `wide`.
pub(super) fn bottleneck(
    builder: &mut Builder,
    container: &str,
    wide: Conv2d,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let part = |number: usize| format!("{container}.{number}");
    let narrow = Conv2d::same(builder.shape(input).channels(), wide.in_channels, 1);
    let x = layer(builder, [part(0), part(1)], narrow, input)?;
    layer(builder, [part(2), part(3)], wide, x)
}

/// Adds a convolution with a bias and a ReLU.
fn layer(
    builder: &mut Builder,
    [conv_name, relu]: [String; 2],
    conv: Conv2d,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let x = builder.add(&conv_name, conv.biased(), &[input])?;
    builder.add(&relu, Activation::Relu, &[x])
}

/// Adds modules of VGG-16, numbered through within `container`.
fn vgg(
    builder: &mut Builder,
    container: &str,
    modules: &[Module],
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let mut x = input;
    let mut names = (0..).map(|number: usize| format!("{container}.{number}"));
    let mut name = || names.next().expect("there is always a number more");
    for module in modules {
        x = match *module {
            Conv(width) => {
                let conv = Conv2d::same(builder.shape(x).channels(), width, 3);
                layer(builder, [name(), name()], conv, x)?
            }
            Pool(pool) => builder.add(&name(), pool, &[x])?,
        };
    }
    Ok(x)
}

/// Adds what were the first two linear layers of VGG-16, as convolutions with fewer weights.
fn fully_convolutional(
    builder: &mut Builder,
    container: &str,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let part = |number: usize| format!("{container}.{number}");
    let pool = MaxPool2d::new(3, 1).padding(1);
    let x = builder.add(&part(0), pool, &[input])?;
    let mut dilated = Conv2d::same(512, 1024, 3).padding(6);
    dilated.dilation = 6;
    let x = layer(builder, [part(1), part(2)], dilated, x)?;
    layer(builder, [part(3), part(4)], Conv2d::same(1024, 1024, 1), x)
}
