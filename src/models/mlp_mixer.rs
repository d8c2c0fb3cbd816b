//! MLP-Mixer (Tolstikhin et al. 2021).
//!
//! Names and parameter names are timm's.

use super::parts::{linear, mlp, patch_embedding};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Add, LayerNorm, PatchTokens, TokenMean, TransposeTokens};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// A patch embedding, blocks that mix first tokens and then channels, and a head on the mean of the tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MlpMixer {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    patch_size: usize,
    num_blocks: usize,
    embed_dim: usize,
    /// The widths between the layers that mix tokens and those that mix channels, over `embed_dim`.
    mlp_ratio: [f64; 2],
}

const fn imagenet(patch_size: usize, num_blocks: usize, embed_dim: usize) -> MlpMixer {
    MlpMixer {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        patch_size,
        num_blocks,
        embed_dim,
        mlp_ratio: [0.5, 4.0],
    }
}

/// timm has the network, but no weights for it.
const UNTRAINED: Card = Card::UNPUBLISHED.bicubic().inception();

pub(super) static FAMILY: Table<MlpMixer> = Table {
    name: "mlp-mixer",
    summary: "MLP-Mixers (Tolstikhin et al. 2021), names of timm",
    task: "classification",
    variants: &[
        Variant::new("mixer_s32_224", imagenet(32, 8, 512), UNTRAINED),
        Variant::new("mixer_s16_224", imagenet(16, 8, 512), UNTRAINED),
        Variant::new("mixer_b32_224", imagenet(32, 12, 768), UNTRAINED),
        Variant::new(
            "mixer_b16_224",
            imagenet(16, 12, 768),
            Card::timm("mixer_b16_224.goog_in21k_ft_in1k").inception(),
        ),
    ],
};

impl Architecture for MlpMixer {
    const STEMS: &'static [&'static str] = &["stem.proj.weight"];
    const HEADS: &'static [&'static str] = &["head.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let dim = self.embed_dim;
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let embed = patch_embedding(self.in_chans, dim, self.patch_size);
        let x = builder.add("stem.proj", embed, &[input])?;
        let mut x = builder.add("stem.flatten", PatchTokens {}, &[x])?;
        for index in 0..self.num_blocks {
            x = self.mix_tokens(&mut builder, index, x)?;
            x = self.mix_channels(&mut builder, index, x)?;
        }
        let x = builder.add("norm", self.norm(), &[x])?;
        let x = builder.add("pool", TokenMean {}, &[x])?;
        let output = builder.add("head", linear(dim, self.num_classes), &[x])?;
        Ok(builder.finish(&[output]))
    }
}

impl MlpMixer {
    fn norm(&self) -> LayerNorm {
        LayerNorm {
            dim: self.embed_dim,
            eps: 1e-6,
        }
    }

    /// Returns the widths between the layers that mix tokens and those that mix channels.
    fn hidden(&self) -> [usize; 2] {
        self.mlp_ratio
            .map(|ratio| (self.embed_dim as f64 * ratio) as usize)
    }

    fn mix_tokens(
        &self,
        builder: &mut Builder,
        index: usize,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |suffix: &str| format!("blocks.{index}.{suffix}");
        let tokens = builder.shape(input).dims()[0];
        let x = builder.add(&part("norm1"), self.norm(), &[input])?;
        let x = builder.add(&part("mlp_tokens.transpose1"), TransposeTokens {}, &[x])?;
        let names = ["mlp_tokens.fc1", "mlp_tokens.act", "mlp_tokens.fc2"].map(part);
        let x = mlp(builder, &names, tokens, self.hidden()[0], x)?;
        let x = builder.add(&part("mlp_tokens.transpose2"), TransposeTokens {}, &[x])?;
        builder.add(&part("add1"), Add {}, &[x, input])
    }

    fn mix_channels(
        &self,
        builder: &mut Builder,
        index: usize,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |suffix: &str| format!("blocks.{index}.{suffix}");
        let x = builder.add(&part("norm2"), self.norm(), &[input])?;
        let names = ["mlp_channels.fc1", "mlp_channels.act", "mlp_channels.fc2"].map(part);
        let x = mlp(builder, &names, self.embed_dim, self.hidden()[1], x)?;
        builder.add(&part("add2"), Add {}, &[x, input])
    }
}
