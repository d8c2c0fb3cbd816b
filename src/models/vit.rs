//! Vision transformers (Dosovitskiy et al. 2021), also with the distillation token of DeiT (Touvron et al. 2021).
//!
//! Parameter names are those of timm's `VisionTransformer`, as are the names of the parameters of the architecture:
//! `vit_tiny_patch16_224(embed_dim=96,depth=6)` is another size.

use super::parts::{linear, mlp, patch_embedding};
use super::{Architecture, Card, Preprocessing, Table};
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

pub(super) static FAMILY: Table<VisionTransformer> = Table {
    name: "vit",
    summary: "vision transformers (Dosovitskiy et al. 2021), names of timm",
    task: "classification",
    card: Card::TIMM.with(Preprocessing::INCEPTION.sized(248, 224).bicubic()),
    variants: &[
        (
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
        ),
        ("vit_tiny_patch16_224", imagenet(16, 192, 3, false)),
        ("vit_small_patch16_224", imagenet(16, 384, 6, false)),
        ("vit_base_patch16_224", imagenet(16, 768, 12, false)),
        ("vit_small_patch32_224", imagenet(32, 384, 6, false)),
        ("vit_base_patch32_224", imagenet(32, 768, 12, false)),
    ],
};

/// timm's epsilon of every layer norm.
const EPS: f64 = 1e-6;

impl Architecture for VisionTransformer {
    const STEM: &'static str = "patch_embed.proj.weight";
    const HEAD: &'static str = "head.weight";

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
