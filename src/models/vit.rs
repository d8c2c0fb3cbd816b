//! Vision transformers (Dosovitskiy et al. 2021), also with the distillation token of DeiT (Touvron et al. 2021).
//!
//! Parameter names are those of timm's `VisionTransformer`, as are the names of the parameters of the architecture:
//! `vit_tiny_patch16_224(embed_dim=96,depth=6)` is another size.

use super::dialect::Dialect;
use super::parts::{linear, mlp, patch_embedding};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{
    Add, Attention, Average, ClassToken, LayerNorm, PatchTokens, PositionEmbedding, TakeToken,
};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// A patch embedding, `depth` pre-norm encoder blocks, and a head on the class token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VisionTransformer {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    patch_size: usize,
    embed_dim: usize,
    depth: usize,
    num_heads: usize,
    mlp_ratio: f64,
    /// Whether a second token with a head of its own learned from a teacher; the output is the mean of both heads.
    distilled: bool,
}

/// Returns the network of twelve blocks for ImageNet.
pub(super) const fn imagenet(
    patch_size: usize,
    embed_dim: usize,
    num_heads: usize,
    distilled: bool,
) -> VisionTransformer {
    VisionTransformer {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        patch_size,
        embed_dim,
        depth: 12,
        num_heads,
        mlp_ratio: 4.0,
        distilled,
    }
}

/// The checkpoint that this program carries.
const MICRO: Card = Card::UNPUBLISHED
    .bicubic()
    .at(
        "embedded:vit_micro_patch4_28-fashion-mnist",
        "MIT OR Apache-2.0",
    )
    .sized(28, 28)
    .normalised(&[0.286], &[0.353]);

/// A checkpoint of Steiner et al. 2022, as timm has it.
const fn augreg(repository: &'static str) -> Card {
    Card::timm(repository).sized(248, 224).inception()
}

pub(super) static FAMILY: Table<VisionTransformer> = Table {
    name: "vit",
    summary: "vision transformers (Dosovitskiy et al. 2021), names of timm",
    task: "classification",
    variants: &[
        Variant::new(
            "vit_micro_patch4_28",
            VisionTransformer {
                in_chans: 1,
                num_classes: 10,
                img_size: 28,
                patch_size: 4,
                embed_dim: 64,
                depth: 6,
                num_heads: 4,
                mlp_ratio: 4.0,
                distilled: false,
            },
            MICRO,
        ),
        Variant::new(
            "vit_tiny_patch16_224",
            imagenet(16, 192, 3, false),
            augreg("vit_tiny_patch16_224.augreg_in21k_ft_in1k"),
        ),
        Variant::new(
            "vit_small_patch16_224",
            imagenet(16, 384, 6, false),
            augreg("vit_small_patch16_224.augreg_in21k_ft_in1k"),
        ),
        Variant::new(
            "vit_base_patch16_224",
            imagenet(16, 768, 12, false),
            augreg("vit_base_patch16_224.augreg2_in21k_ft_in1k"),
        ),
        Variant::new(
            "vit_small_patch32_224",
            imagenet(32, 384, 6, false),
            augreg("vit_small_patch32_224.augreg_in21k_ft_in1k"),
        ),
        Variant::new(
            "vit_base_patch32_224",
            imagenet(32, 768, 12, false),
            augreg("vit_base_patch32_224.augreg_in21k_ft_in1k"),
        ),
    ],
};

/// timm's epsilon of every layer norm.
const EPS: f64 = 1e-6;

impl Architecture for VisionTransformer {
    const STEMS: &'static [&'static str] = &["patch_embed.proj.weight", "conv_proj.weight"];
    const HEADS: &'static [&'static str] = &["head.weight", "heads.head.weight"];
    const DIALECTS: &'static [Dialect<Self>] = &[
        Dialect::renamed("torchvision", torchvision),
        Dialect::renamed("torchvision's files", torchvision_legacy),
    ];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let dim = self.embed_dim;
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let embed = patch_embedding(self.in_chans, dim, self.patch_size);
        let x = builder.add("patch_embed.proj", embed, &[input])?;
        let x = builder.add("patch_embed.flatten", PatchTokens {}, &[x])?;
        let x = if self.distilled {
            builder.add("dist_token", ClassToken { dim }, &[x])?
        } else {
            x
        };
        let x = builder.add("cls_token", ClassToken { dim }, &[x])?;
        let tokens = builder.shape(x).dims()[0];
        let mut x = builder.add("pos_embed", PositionEmbedding { tokens, dim }, &[x])?;
        for index in 0..self.depth {
            x = self.attention(&mut builder, index, x)?;
            x = self.mlp(&mut builder, index, x)?;
        }
        let x = builder.add("norm", LayerNorm { dim, eps: EPS }, &[x])?;
        let mut output = self.head(&mut builder, ["pool", "head"], 0, x)?;
        if self.distilled {
            let other = self.head(&mut builder, ["pool_dist", "head_dist"], 1, x)?;
            output = builder.add("average", Average {}, &[output, other])?;
        }
        Ok(builder.finish(&[output]))
    }
}

impl VisionTransformer {
    fn head(
        &self,
        builder: &mut Builder,
        [pool, head]: [&str; 2],
        index: usize,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let x = builder.add(pool, TakeToken { index }, &[input])?;
        builder.add(head, linear(self.embed_dim, self.num_classes), &[x])
    }

    fn attention(
        &self,
        builder: &mut Builder,
        index: usize,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |suffix: &str| format!("blocks.{index}.{suffix}");
        let (dim, heads) = (self.embed_dim, self.num_heads);
        let x = builder.add(&part("norm1"), LayerNorm { dim, eps: EPS }, &[input])?;
        let x = builder.add(&part("attn.qkv"), linear(dim, 3 * dim), &[x])?;
        let x = builder.add(&part("attn"), Attention { heads }, &[x])?;
        let x = builder.add(&part("attn.proj"), linear(dim, dim), &[x])?;
        builder.add(&part("add1"), Add {}, &[x, input])
    }

    fn mlp(
        &self,
        builder: &mut Builder,
        index: usize,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |suffix: &str| format!("blocks.{index}.{suffix}");
        let dim = self.embed_dim;
        let hidden = (dim as f64 * self.mlp_ratio) as usize;
        let x = builder.add(&part("norm2"), LayerNorm { dim, eps: EPS }, &[input])?;
        let names = ["mlp.fc1", "mlp.act", "mlp.fc2"].map(part);
        let x = mlp(builder, &names, dim, hidden, x)?;
        builder.add(&part("add2"), Add {}, &[x, input])
    }
}

/// torchvision's names.
fn torchvision(name: &str) -> String {
    renamed(name, ["mlp.0", "mlp.3"])
}

/// The names in torchvision's files, whose perceptrons it renames on loading.
fn torchvision_legacy(name: &str) -> String {
    renamed(name, ["mlp.linear_1", "mlp.linear_2"])
}

fn renamed(name: &str, [fc1, fc2]: [&str; 2]) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["cls_token"] => "class_token".to_owned(),
        ["pos_embed"] => "encoder.pos_embedding".to_owned(),
        ["patch_embed", "proj", parameter] => format!("conv_proj.{parameter}"),
        ["norm", parameter] => format!("encoder.ln.{parameter}"),
        ["head", parameter] => format!("heads.head.{parameter}"),
        ["blocks", index, ref layer @ .., parameter] => {
            let layer = match layer {
                ["norm1"] => "ln_1.",
                ["attn", "qkv"] => "self_attention.in_proj_",
                ["attn", "proj"] => "self_attention.out_proj.",
                ["norm2"] => "ln_2.",
                ["mlp", "fc1"] => &format!("{fc1}."),
                _ => &format!("{fc2}."),
            };
            format!("encoder.layers.encoder_layer_{index}.{layer}{parameter}")
        }
        _ => name.to_owned(),
    }
}
