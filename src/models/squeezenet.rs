//! SqueezeNet (Iandola et al. 2016), versions 1.0 and 1.1.
//!
//! Names and parameter names are torchvision's. The last convolution makes the classes, before the mean over all pixels.

use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Activation, Concat, Conv2d, GlobalAvgPool, MaxPool2d};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// Fire modules after a stem, with poolings between.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SqueezeNet {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// Channels of the stem.
    stem_size: usize,
    /// The side of its kernel.
    stem_kernel: usize,
    /// How many fire modules follow each of the three poolings.
    layers: [usize; 3],
}

const fn imagenet(stem_size: usize, stem_kernel: usize, layers: [usize; 3]) -> SqueezeNet {
    SqueezeNet {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        stem_size,
        stem_kernel,
        layers,
    }
}

pub(super) static FAMILY: Table<SqueezeNet> = Table {
    name: "squeezenet",
    summary: "SqueezeNet (Iandola et al. 2016), names of torchvision",
    task: "classification",
    variants: &[
        Variant::new(
            "squeezenet1_0",
            imagenet(96, 7, [3, 4, 1]),
            Card::torchvision("squeezenet1_0-b66bff10"),
        ),
        Variant::new(
            "squeezenet1_1",
            imagenet(64, 3, [2, 2, 4]),
            Card::torchvision("squeezenet1_1-b8a52dc0"),
        ),
    ],
};

/// Channels of the squeeze layer, and of each of the two expand layers, of the fire modules (Table 1).
const FIRES: [[usize; 2]; 8] = [
    [16, 64],
    [16, 64],
    [32, 128],
    [32, 128],
    [48, 192],
    [48, 192],
    [64, 256],
    [64, 256],
];

impl Architecture for SqueezeNet {
    const STEMS: &'static [&'static str] = &["features.0.weight"];
    const HEADS: &'static [&'static str] = &["classifier.1.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let stem = biased(Conv2d::same(
            self.in_chans,
            self.stem_size,
            self.stem_kernel,
        ))
        .stride(2)
        .padding(0);
        let x = builder.add("features.0", stem, &[input])?;
        let mut x = builder.add("features.1", Activation::Relu, &[x])?;
        let mut channels = self.stem_size;
        let mut fires = FIRES.into_iter();
        let mut index = 2;
        for fires_after in self.layers {
            let pool = MaxPool2d::new(3, 2).ceil_mode();
            x = builder.add(&format!("features.{index}"), pool, &[x])?;
            index += 1;
            for widths in fires.by_ref().take(fires_after) {
                x = fire(
                    &mut builder,
                    &format!("features.{index}"),
                    channels,
                    widths,
                    x,
                )?;
                channels = 2 * widths[1];
                index += 1;
            }
        }
        let head = biased(Conv2d::same(channels, self.num_classes, 1));
        let x = builder.add("classifier.1", head, &[x])?;
        let x = builder.add("classifier.2", Activation::Relu, &[x])?;
        let output = builder.add("classifier.3", GlobalAvgPool {}, &[x])?;
        Ok(builder.finish(&[output]))
    }
}

const fn biased(conv: Conv2d) -> Conv2d {
    Conv2d { bias: true, ..conv }
}

/// Adds a fire module: a squeeze layer, and expand layers of 1x1 and 3x3 side by side.
fn fire(
    builder: &mut Builder,
    name: &str,
    channels: usize,
    [squeeze, expand]: [usize; 2],
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let mut layer = |part: &str, conv: Conv2d, x: ValueId| {
        let x = builder.add(&format!("{name}.{part}"), biased(conv), &[x])?;
        let activation = format!("{name}.{part}_activation");
        builder.add(&activation, Activation::Relu, &[x])
    };
    let x = layer("squeeze", Conv2d::same(channels, squeeze, 1), input)?;
    let one = layer("expand1x1", Conv2d::same(squeeze, expand, 1), x)?;
    let three = layer("expand3x3", Conv2d::same(squeeze, expand, 3), x)?;
    builder.add(&format!("{name}.concat"), Concat {}, &[one, three])
}
