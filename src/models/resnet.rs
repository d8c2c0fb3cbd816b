//! The ImageNet ResNets (He et al. 2016), wide ones (Zagoruyko and Komodakis 2016) and ResNeXts (Xie et al. 2017).
//!
//! Names and parameter names are torchvision's; in a bottleneck the stride is on the 3x3 convolution, as there.

use super::parts::{Style, classified};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Activation, Add, Conv2d, MaxPool2d};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// A stem that quarters the image, and four stages of residual blocks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResNet {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// Blocks in each stage.
    layers: [usize; 4],
    /// Whether blocks are 1x1, 3x3, 1x1 convolutions rather than two of 3x3.
    bottleneck: bool,
    /// Groups of the 3x3 convolution of a bottleneck.
    cardinality: usize,
    /// Its channels a group in the first stage.
    base_width: usize,
}

/// Returns a network for ImageNet with blocks as in the paper.
pub(super) const fn plain(layers: [usize; 4], bottleneck: bool) -> ResNet {
    grouped(layers, bottleneck, 1, 64)
}

const fn grouped(
    layers: [usize; 4],
    bottleneck: bool,
    cardinality: usize,
    base_width: usize,
) -> ResNet {
    ResNet {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        layers,
        bottleneck,
        cardinality,
        base_width,
    }
}

pub(super) static FAMILY: Table<ResNet> = Table {
    name: "resnet",
    summary: "ResNets, wide ResNets and ResNeXts for ImageNet (He et al. 2016), names of torchvision",
    task: "classification",
    variants: &[
        Variant::new(
            "resnet18",
            plain([2, 2, 2, 2], false),
            Card::torchvision("resnet18-f37072fd"),
        ),
        Variant::new(
            "resnet34",
            plain([3, 4, 6, 3], false),
            Card::torchvision("resnet34-b627a593"),
        ),
        Variant::new(
            "resnet50",
            plain([3, 4, 6, 3], true),
            Card::torchvision("resnet50-0676ba61"),
        ),
        Variant::new(
            "resnet101",
            plain([3, 4, 23, 3], true),
            Card::torchvision("resnet101-63fe2227"),
        ),
        Variant::new(
            "resnet152",
            plain([3, 8, 36, 3], true),
            Card::torchvision("resnet152-394f9c45"),
        ),
        Variant::new(
            "wide_resnet50_2",
            grouped([3, 4, 6, 3], true, 1, 128),
            Card::torchvision("wide_resnet50_2-95faca4d"),
        ),
        Variant::new(
            "resnext50_32x4d",
            grouped([3, 4, 6, 3], true, 32, 4),
            Card::torchvision("resnext50_32x4d-7cdf4587"),
        ),
        Variant::new(
            "resnext101_32x8d",
            grouped([3, 4, 23, 3], true, 32, 8),
            Card::torchvision("resnext101_32x8d-8ba56ff5"),
        ),
    ],
};

impl Architecture for ResNet {
    const STEMS: &'static [&'static str] = &["conv1.weight"];
    const HEADS: &'static [&'static str] = &["fc.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let style = Style::new(Activation::Relu);
        let [.., x] = self.features(&mut builder, "", style, input)?;
        classified(builder, "fc", self.num_classes, x)
    }
}

impl ResNet {
    /// Adds the stem and the stages, all of whose names begin with `prefix`, and returns what each stage makes.
    pub(super) fn features(
        &self,
        builder: &mut Builder,
        prefix: &str,
        style: Style,
        input: ValueId,
    ) -> Result<[ValueId; 4], BuildError> {
        let part = |suffix: &str| format!("{prefix}{suffix}");
        let stem = Conv2d::same(builder.shape(input).channels(), 64, 7).stride(2);
        let x = style.layer(builder, &["conv1", "bn1", "relu"].map(part), stem, input)?;
        let pool = MaxPool2d::new(3, 2).padding(1);
        let mut x = builder.add(&part("maxpool"), pool, &[x])?;
        let mut features = [x; 4];
        let stages = self.layers.into_iter().zip(&mut features);
        for (stage, (blocks, feature)) in stages.enumerate() {
            for index in 0..blocks {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let name = part(&format!("layer{}.{index}.", stage + 1));
                x = self.block(builder, (&name, style), [64 << stage, stride], x)?;
            }
            *feature = x;
        }
        Ok(features)
    }

    /// Returns the convolutions of a residual block of some planes.
    fn convolutions(&self, channels: usize, planes: usize, stride: usize) -> Vec<Conv2d> {
        if !self.bottleneck {
            let first = Conv2d::same(channels, planes, 3).stride(stride);
            return vec![first, Conv2d::same(planes, planes, 3)];
        }
        let width = planes * self.base_width / 64 * self.cardinality;
        let middle = Conv2d::same(width, width, 3)
            .stride(stride)
            .groups(self.cardinality);
        let first = Conv2d::same(channels, width, 1);
        vec![first, middle, Conv2d::same(width, 4 * planes, 1)]
    }

    /// Adds a residual block of some planes and stride.
    fn block(
        &self,
        builder: &mut Builder,
        (name, style): (&str, Style),
        [planes, stride]: [usize; 2],
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |suffix: &str| format!("{name}{suffix}");
        let channels = builder.shape(input).channels();
        let convolutions = self.convolutions(channels, planes, stride);
        let mut x = input;
        let last = convolutions.len();
        for (number, conv) in (1..).zip(convolutions) {
            let names = ["conv", "bn", "relu"].map(|module| part(&format!("{module}{number}")));
            x = if number < last {
                style.layer(builder, &names, conv, x)?
            } else {
                style.linear(builder, &names, conv, x)?
            };
        }
        let outputs = builder.shape(x).channels();
        let shortcut = if stride > 1 || channels != outputs {
            let names = ["downsample.0", "downsample.1", ""].map(part);
            let conv = Conv2d::same(channels, outputs, 1).stride(stride);
            style.linear(builder, &names, conv, input)?
        } else {
            input
        };
        let x = builder.add(&part("add"), Add {}, &[x, shortcut])?;
        builder.add(&part(&format!("relu{last}")), style.activation, &[x])
    }
}
