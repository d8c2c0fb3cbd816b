//! GoogLeNet, the first Inception (Szegedy et al. 2015), with batch norms.
//!
//! Names and parameter names are torchvision's, whose third branch has 3x3 convolutions where the paper has 5x5. Its published checkpoint
//! also holds two auxiliary heads, `aux1.*` and `aux2.*`, which serve training alone and are left out; its input has the mean and standard
//! deviation 0.5 (`transform_input`), which is preprocessing.

use super::parts::{basic_conv, classified};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Concat, Conv2d, MaxPool2d};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// Nine modules of four branches after a stem, with poolings between.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GoogLeNet {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
}

pub(super) static FAMILY: Table<GoogLeNet> = Table {
    name: "googlenet",
    summary: "GoogLeNet with batch norms (Szegedy et al. 2015), names of torchvision",
    task: "classification",
    variants: &[Variant::new(
        "googlenet",
        GoogLeNet {
            in_chans: 3,
            num_classes: 1000,
            img_size: 224,
        },
        Card::torchvision("googlenet-1378be20").inception(),
    )],
};

/// Channels of the layers of each module (Table 1): the 1x1 branch, the two branches of two layers, and what follows the pooling.
const STAGES: [&[(&str, [usize; 6])]; 3] = [
    &[
        ("inception3a", [64, 96, 128, 16, 32, 32]),
        ("inception3b", [128, 128, 192, 32, 96, 64]),
    ],
    &[
        ("inception4a", [192, 96, 208, 16, 48, 64]),
        ("inception4b", [160, 112, 224, 24, 64, 64]),
        ("inception4c", [128, 128, 256, 24, 64, 64]),
        ("inception4d", [112, 144, 288, 32, 64, 64]),
        ("inception4e", [256, 160, 320, 32, 128, 128]),
    ],
    &[
        ("inception5a", [256, 160, 320, 32, 128, 128]),
        ("inception5b", [384, 192, 384, 48, 128, 128]),
    ],
];

impl Architecture for GoogLeNet {
    const STEMS: &'static [&'static str] = &["conv1.conv.weight"];
    const HEADS: &'static [&'static str] = &["fc.weight"];
    const UNUSED: &'static [&'static str] = &["aux1", "aux2"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let mut x = self.stem(&mut builder, input)?;
        let pools = [("maxpool2", 3), ("maxpool3", 3), ("maxpool4", 2)];
        for ((pool, kernel), modules) in pools.into_iter().zip(STAGES) {
            x = builder.add(pool, MaxPool2d::new(kernel, 2).ceil_mode(), &[x])?;
            for (name, widths) in modules {
                x = inception(&mut builder, name, *widths, x)?;
            }
        }
        classified(builder, "fc", self.num_classes, x)
    }
}

impl GoogLeNet {
    fn stem(&self, builder: &mut Builder, input: ValueId) -> Result<ValueId, BuildError> {
        let first = Conv2d::same(self.in_chans, 64, 7).stride(2);
        let x = basic_conv(builder, "conv1", first, EPS, input)?;
        let x = builder.add("maxpool1", MaxPool2d::new(3, 2).ceil_mode(), &[x])?;
        let x = basic_conv(builder, "conv2", Conv2d::same(64, 64, 1), EPS, x)?;
        basic_conv(builder, "conv3", Conv2d::same(64, 192, 3), EPS, x)
    }
}

/// What its batch norms add to the variance.
const EPS: f64 = 1e-3;

/// Adds a module of four branches.
fn inception(
    builder: &mut Builder,
    name: &str,
    [one, before_three, three, before_five, five, pooled]: [usize; 6],
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let channels = builder.shape(input).channels();
    let part = |suffix: &str| format!("{name}.{suffix}");
    let mut layer =
        |suffix: &str, conv: Conv2d, x: ValueId| basic_conv(builder, &part(suffix), conv, EPS, x);
    let branch1 = layer("branch1", Conv2d::same(channels, one, 1), input)?;
    let x = layer("branch2.0", Conv2d::same(channels, before_three, 1), input)?;
    let branch2 = layer("branch2.1", Conv2d::same(before_three, three, 3), x)?;
    let x = layer("branch3.0", Conv2d::same(channels, before_five, 1), input)?;
    let branch3 = layer("branch3.1", Conv2d::same(before_five, five, 3), x)?;
    let pool = MaxPool2d::new(3, 1).padding(1).ceil_mode();
    let x = builder.add(&part("branch4.0"), pool, &[input])?;
    let last = Conv2d::same(channels, pooled, 1);
    let branch4 = basic_conv(builder, &part("branch4.1"), last, EPS, x)?;
    let branches = [branch1, branch2, branch3, branch4];
    builder.add(&part("concat"), Concat {}, &branches)
}
