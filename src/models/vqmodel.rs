//! The decoder of the VQ-regularised autoencoders of latent diffusion (Rombach et al. 2022), as diffusers' `VQModel` has it: it makes
//! pictures of latents, which diffusion models draw.

use super::dialect::Dialect;
use super::diffusers::{BEFORE, Net, before, card};
use super::{Architecture, Head, Table, Variant};
use crate::graph::ops::{Conv2d, Quantize};
use crate::graph::{BuildError, Builder, Graph};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A codebook, and levels that double the image: what diffusers calls `VQModel.decode`.
///
/// It takes `input` `[in_chans, img_size, img_size]`, latents as `VQModel.encode` makes them, and gives images of `out_channels` whose sides
/// are doubled from each level to the next. Fields are called as in diffusers' configurations, but for those that all families have:
/// `in_chans` is `vq_embed_dim`, and `img_size` the side of the latents.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VqDecoder {
    in_chans: usize,
    img_size: usize,
    /// The codes of the book.
    num_vq_embeddings: usize,
    /// The channels between codebook and decoder.
    latent_channels: usize,
    out_channels: usize,
    /// The channels of each level, from the largest image to the smallest.
    block_out_channels: Cow<'static, [usize]>,
    /// Residual blocks of each level of the encoder; here there is one more.
    layers_per_block: usize,
    norm_num_groups: usize,
}

pub(super) static FAMILY: Table<VqDecoder> = Table {
    name: "vqmodel",
    summary: "Decoders of latent diffusion (Rombach et al. 2022), names of diffusers' VQModel",
    task: "generation",
    variants: &[
        // CompVis' for faces, whose latents `ldm_celebahq_256` draws.
        Variant::new(
            "vq_celebahq_256",
            VqDecoder {
                in_chans: 3,
                img_size: 64,
                num_vq_embeddings: 8192,
                latent_channels: 3,
                out_channels: 3,
                block_out_channels: Cow::Borrowed(&[128, 256, 512]),
                layers_per_block: 2,
                norm_num_groups: 32,
            },
            card(64).at(
                "hf:CompVis/ldm-celebahq-256/vqvae/diffusion_pytorch_model.bin",
                "Apache-2.0",
            ),
        ),
    ],
};

impl Architecture for VqDecoder {
    const STEMS: &'static [&'static str] = &["post_quant_conv.weight"];
    const HEADS: &'static [&'static str] = &[];
    const DIALECTS: &'static [Dialect<Self>] = &[Dialect::renamed(BEFORE, before)];
    const UNUSED: &'static [&'static str] = &["encoder", "quant_conv"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut net = Net {
            builder: Builder::new(),
            norm_num_groups: self.norm_num_groups,
            norm_eps: 1e-6,
            attention_head_dim: None,
            condition: None,
        };
        let sides = [self.in_chans, self.img_size, self.img_size];
        let input = net.builder.input("input", sides)?;
        let book = Quantize {
            codes: self.num_vq_embeddings,
            dim: self.in_chans,
        };
        let x = net.builder.add("quantize", book, &[input])?;
        let conv = Conv2d::same(self.in_chans, self.latent_channels, 1).biased();
        let x = net.builder.add("post_quant_conv", conv, &[x])?;
        let widest = self.block_out_channels.last().copied().unwrap_or_default();
        let stem = Conv2d::same(self.latent_channels, widest, 3).biased();
        let x = net.builder.add("decoder.conv_in", stem, &[x])?;
        let mut x = net.middle("decoder.mid_block", x)?;
        let levels = self.block_out_channels.len();
        for (level, width) in self.block_out_channels.iter().rev().enumerate() {
            let name = format!("decoder.up_blocks.{level}");
            for index in 0..=self.layers_per_block {
                x = net.blocks(&name, index, *width, false, x)?;
            }
            if level + 1 < levels {
                x = net.doubled(&format!("{name}.upsamplers.0"), x)?;
            }
        }
        let output = net.ended("decoder.", self.out_channels, x)?;
        Ok(net.builder.finish(&[output]))
    }

    fn head(&self, _graph: &Graph) -> Head {
        Head::Images
    }
}
