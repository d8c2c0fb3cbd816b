//! Swin transformers (Liu et al. 2021).
//!
//! Names and parameter names are torchvision's. Its checkpoints hold a buffer more for each attention, the indices
//! `relative_position_index`, which follow from the size of the window and are no part of the network here.

use super::parts::{linear, mlp, patch_embedding};
use super::{Architecture, Card, Table};
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
    card: Card::TORCHVISION,
    variants: &[
        ("swin_t", imagenet(96, 6, [3, 6, 12, 24])),
        ("swin_s", imagenet(96, 18, [3, 6, 12, 24])),
        ("swin_b", imagenet(128, 18, [4, 8, 16, 32])),
    ],
};

impl Architecture for SwinTransformer {
    const STEM: &'static str = "features.0.0.weight";
    const HEAD: &'static str = "head.weight";

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
