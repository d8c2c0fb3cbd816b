//! Swin transformers (Liu et al. 2021).
//!
//! Names and parameter names are torchvision's; timm's and the authors' are read too, which are the same function at 224 pixels, where
//! windows fit. Checkpoints hold buffers more, `relative_position_index` and `attn_mask`, which follow from the size of the window and are
//! no part of the network here.

use super::dialect::Dialect;
use super::parts::{half, linear, mlp, patch_embedding};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{
    Add, FromWindows, LayerNorm, Linear, PatchMerging, PatchTokens, ToWindows, TokenMean,
    WindowAttention, Windows,
};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// A patch embedding and four stages of attention within windows, which shift in every second block.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SwinTransformer {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    patch_size: usize,
    /// Features in the first stage; they double in each that follows.
    embed_dim: usize,
    /// Blocks in each stage.
    depths: [usize; 4],
    /// Heads in each stage.
    num_heads: [usize; 4],
    window_size: usize,
    mlp_ratio: f64,
}

const fn imagenet(embed_dim: usize, third: usize, num_heads: [usize; 4]) -> SwinTransformer {
    SwinTransformer {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        patch_size: 4,
        embed_dim,
        depths: [2, 2, third, 2],
        num_heads,
        window_size: 7,
        mlp_ratio: 4.0,
    }
}

pub(super) static FAMILY: Table<SwinTransformer> = Table {
    name: "swin",
    summary: "Swin transformers (Liu et al. 2021), names of torchvision",
    task: "classification",
    variants: &[
        Variant::new(
            "swin_t",
            imagenet(96, 6, [3, 6, 12, 24]),
            Card::torchvision("swin_t-704ceda3")
                .sized(232, 224)
                .bicubic(),
        ),
        Variant::new(
            "swin_s",
            imagenet(96, 18, [3, 6, 12, 24]),
            Card::torchvision("swin_s-5e29d889")
                .sized(246, 224)
                .bicubic(),
        ),
        Variant::new(
            "swin_b",
            imagenet(128, 18, [4, 8, 16, 32]),
            Card::torchvision("swin_b-68c6b09e")
                .sized(238, 224)
                .bicubic(),
        ),
    ],
};

impl Architecture for SwinTransformer {
    const STEMS: &'static [&'static str] = &["features.0.0.weight", "patch_embed.proj.weight"];
    const HEADS: &'static [&'static str] = &["head.weight", "head.fc.weight"];
    const DIALECTS: &'static [Dialect<Self>] = &[
        Dialect::renamed("timm", timm),
        Dialect::renamed("Microsoft", microsoft),
    ];

    const UNUSED: &'static [&'static str] = &["relative_position_index", "attn_mask"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let embed = patch_embedding(self.in_chans, self.embed_dim, self.patch_size);
        let x = builder.add("features.0.0", embed, &[input])?;
        let mut side = builder.shape(x).dims()[1];
        let x = builder.add("features.0.1", PatchTokens {}, &[x])?;
        let mut x = builder.add("features.0.2", norm(self.embed_dim), &[x])?;
        for stage in 0..self.depths.len() {
            if stage > 0 {
                let name = format!("features.{}", 2 * stage);
                x = merge(&mut builder, &name, self.dim(stage - 1), side, x)?;
                side = side.div_ceil(2);
            }
            for index in 0..self.depths[stage] {
                let name = format!("features.{}.{index}", 2 * stage + 1);
                let windows = Windows {
                    height: side,
                    width: side,
                    window: self.window_size,
                    shift: index % 2 * (self.window_size / 2),
                };
                x = self.attention(&mut builder, &name, stage, windows, x)?;
                x = self.perceptron(&mut builder, &name, stage, x)?;
            }
        }
        let dim = self.dim(3);
        let x = builder.add("norm", norm(dim), &[x])?;
        let x = builder.add("avgpool", TokenMean {}, &[x])?;
        let output = builder.add("head", linear(dim, self.num_classes), &[x])?;
        Ok(builder.finish(&[output]))
    }
}

impl SwinTransformer {
    /// Returns the features in a stage.
    fn dim(&self, stage: usize) -> usize {
        self.embed_dim << stage
    }

    fn attention(
        &self,
        builder: &mut Builder,
        name: &str,
        stage: usize,
        windows: Windows,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |suffix: &str| format!("{name}.{suffix}");
        let dim = self.dim(stage);
        let attention = WindowAttention {
            windows,
            heads: self.num_heads[stage],
        };
        let x = builder.add(&part("norm1"), norm(dim), &[input])?;
        let x = builder.add(&part("attn.partition"), ToWindows { windows }, &[x])?;
        let x = builder.add(&part("attn.qkv"), linear(dim, 3 * dim), &[x])?;
        let x = builder.add(&part("attn"), attention, &[x])?;
        let x = builder.add(&part("attn.proj"), linear(dim, dim), &[x])?;
        let x = builder.add(&part("attn.reverse"), FromWindows { windows }, &[x])?;
        builder.add(&part("add1"), Add {}, &[x, input])
    }

    fn perceptron(
        &self,
        builder: &mut Builder,
        name: &str,
        stage: usize,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |suffix: &str| format!("{name}.{suffix}");
        let dim = self.dim(stage);
        let hidden = (dim as f64 * self.mlp_ratio) as usize;
        let x = builder.add(&part("norm2"), norm(dim), &[input])?;
        let names = ["mlp.0", "mlp.1", "mlp.3"].map(part);
        let x = mlp(builder, &names, dim, hidden, x)?;
        builder.add(&part("add2"), Add {}, &[x, input])
    }
}

const fn norm(dim: usize) -> LayerNorm {
    LayerNorm { dim, eps: 1e-5 }
}

/// Adds what halves the sides of an image and doubles its features.
fn merge(
    builder: &mut Builder,
    name: &str,
    dim: usize,
    side: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let squares = PatchMerging {
        height: side,
        width: side,
    };
    let reduction = Linear {
        bias: false,
        ..linear(4 * dim, 2 * dim)
    };
    let x = builder.add(&format!("{name}.squares"), squares, &[input])?;
    let x = builder.add(&format!("{name}.norm"), norm(4 * dim), &[x])?;
    builder.add(&format!("{name}.reduction"), reduction, &[x])
}

/// timm's names, of stages with a merging at the beginning of each but the first.
fn timm(name: &str) -> String {
    renamed(name, 0, "head.fc")
}

/// The names of the authors', which were timm's before 0.9: mergings are at the end of each stage but the last.
fn microsoft(name: &str) -> String {
    renamed(name, 1, "head")
}

/// Renames with the merging before a stage belonging to that which is `earlier` by so many.
fn renamed(name: &str, earlier: usize, head: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["features", "0", "0", parameter] => format!("patch_embed.proj.{parameter}"),
        ["features", "0", _, parameter] => format!("patch_embed.norm.{parameter}"),
        ["features", group, layer @ ("norm" | "reduction"), parameter] => {
            let stage = half(group) - earlier;
            format!("layers.{stage}.downsample.{layer}.{parameter}")
        }
        ["features", group, block, "mlp", layer, parameter] => {
            let layer = if layer == "0" { "fc1" } else { "fc2" };
            let stage = half(group);
            format!("layers.{stage}.blocks.{block}.mlp.{layer}.{parameter}")
        }
        ["features", group, ref rest @ ..] => {
            let [block, rest @ ..] = rest else {
                return name.to_owned();
            };
            format!("layers.{}.blocks.{block}.{}", half(group), rest.join("."))
        }
        ["head", parameter] => format!("{head}.{parameter}"),
        _ => name.to_owned(),
    }
}
