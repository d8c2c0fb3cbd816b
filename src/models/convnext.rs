//! ConvNeXt (Liu et al. 2022).
//!
//! Names and parameter names are torchvision's, where the 1x1 convolutions of a block are linear layers on its pixels.

use super::dialect::Dialect;
use super::parts::{half, mlp, patch_embedding};
use super::{Architecture, Card, Table, Variant, parts};
use crate::graph::ops::{
    Add, Conv2d, GlobalAvgPool, LayerNorm, LayerNorm2d, LayerScale, PatchTokens, TokensToImage,
};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// A stem that quarters the image, and four stages of depthwise convolutions and perceptrons.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConvNeXt {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// Blocks in each stage.
    depths: [usize; 4],
    /// Channels in each stage.
    dims: [usize; 4],
}

const fn imagenet(depths: [usize; 4], dims: [usize; 4]) -> ConvNeXt {
    ConvNeXt {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        depths,
        dims,
    }
}

pub(super) static FAMILY: Table<ConvNeXt> = Table {
    name: "convnext",
    summary: "ConvNeXts (Liu et al. 2022), names of torchvision",
    task: "classification",
    variants: &[
        Variant::new(
            "convnext_tiny",
            imagenet([3, 3, 9, 3], [96, 192, 384, 768]),
            Card::torchvision("convnext_tiny-983f1562").sized(236, 224),
        ),
        Variant::new(
            "convnext_small",
            imagenet([3, 3, 27, 3], [96, 192, 384, 768]),
            Card::torchvision("convnext_small-0c510722").sized(230, 224),
        ),
        Variant::new(
            "convnext_base",
            imagenet([3, 3, 27, 3], [128, 256, 512, 1024]),
            Card::torchvision("convnext_base-6075fbad").sized(232, 224),
        ),
    ],
};

/// The epsilon of every layer norm.
const EPS: f64 = 1e-6;

impl Architecture for ConvNeXt {
    const STEMS: &'static [&'static str] = &["features.0.0.weight", "stem.0.weight"];
    const HEADS: &'static [&'static str] = &["classifier.2.weight", "head.fc.weight"];
    const DIALECTS: &'static [Dialect<Self>] = &[Dialect::renamed("timm", timm)];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let stem = patch_embedding(self.in_chans, self.dims[0], 4);
        let x = builder.add("features.0.0", stem, &[input])?;
        let mut x = builder.add("features.0.1", norm(self.dims[0]), &[x])?;
        for (stage, (depth, dim)) in self.depths.into_iter().zip(self.dims).enumerate() {
            if stage > 0 {
                let (name, before) = (format!("features.{}", 2 * stage), self.dims[stage - 1]);
                x = builder.add(&format!("{name}.0"), norm(before), &[x])?;
                x = builder.add(&format!("{name}.1"), patch_embedding(before, dim, 2), &[x])?;
            }
            for index in 0..depth {
                let name = format!("features.{}.{index}", 2 * stage + 1);
                x = block(&mut builder, &name, dim, x)?;
            }
        }
        let [.., dim] = self.dims;
        let x = builder.add("avgpool", GlobalAvgPool {}, &[x])?;
        let x = builder.add("classifier.0", LayerNorm { dim, eps: EPS }, &[x])?;
        let head = parts::linear(dim, self.num_classes);
        let output = builder.add("classifier.2", head, &[x])?;
        Ok(builder.finish(&[output]))
    }
}

const fn norm(channels: usize) -> LayerNorm2d {
    LayerNorm2d { channels, eps: EPS }
}

/// Adds a depthwise convolution and a perceptron around which the input goes.
fn block(
    builder: &mut Builder,
    name: &str,
    dim: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let part = |i: usize| format!("{name}.block.{i}");
    let conv = Conv2d {
        bias: true,
        ..Conv2d::same(dim, dim, 7).groups(dim)
    };
    let x = builder.add(&part(0), conv, &[input])?;
    let [_, height, width] = builder.shape(x).exactly().map_err(|source| {
        let node = part(0);
        BuildError::Operator { node, source }
    })?;
    let x = builder.add(&part(1), PatchTokens {}, &[x])?;
    let x = builder.add(&part(2), LayerNorm { dim, eps: EPS }, &[x])?;
    let x = mlp(builder, &[3, 4, 5].map(part), dim, 4 * dim, x)?;
    let x = builder.add(&part(6), TokensToImage { height, width }, &[x])?;
    let scale = LayerScale {
        channels: dim,
        bare: true,
    };
    let x = builder.add(&format!("{name}.layer_scale"), scale, &[x])?;
    builder.add(&format!("{name}.add"), Add {}, &[x, input])
}

/// timm's names, of stages with a downsampling at the beginning of each but the first.
fn timm(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["features", "0", layer, parameter] => format!("stem.{layer}.{parameter}"),
        ["features", group, block, "layer_scale"] => {
            format!("stages.{}.blocks.{block}.gamma", half(group))
        }
        ["features", group, layer, parameter] => {
            format!("stages.{}.downsample.{layer}.{parameter}", half(group))
        }
        ["features", group, block, "block", layer, parameter] => {
            let layer = match layer {
                "0" => "conv_dw",
                "2" => "norm",
                "3" => "mlp.fc1",
                _ => "mlp.fc2",
            };
            format!("stages.{}.blocks.{block}.{layer}.{parameter}", half(group))
        }
        ["classifier", "0", parameter] => format!("head.norm.{parameter}"),
        ["classifier", _, parameter] => format!("head.fc.{parameter}"),
        _ => name.to_owned(),
    }
}
