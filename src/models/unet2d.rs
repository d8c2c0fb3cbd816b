//! The U-Net of DDPM (Ho et al. 2020), as diffusers' `UNet2DModel` has it: it tells the noise in an image of a known time step.
//!
//! Names and parameter names are those of diffusers from 0.18 on; checkpoints from before, such as the published ones of Google's, have
//! other names for the projections of attention.

use super::dialect::Dialect;
use super::parts::linear;
use super::{Architecture, BetaSchedule, Card, Diffusion, Head, Table, Variant};
use crate::graph::ops::{
    Activation, Add, Attention, Concat, Conv2d, GroupNorm, PatchTokens, Shift, Timesteps,
    TokensToImage, Upsample, ZeroPad2d,
};
use crate::graph::{BuildError, Builder, Graph, Op, ValueId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Levels that halve the image, with skips from those on the way down to those on the way up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UNet2D {
    in_chans: usize,
    img_size: usize,
    /// The channels of each level.
    block_out_channels: Cow<'static, [usize]>,
    /// The levels whose blocks are followed by attention, from 0.
    attention: Cow<'static, [usize]>,
    /// Residual blocks of each level on the way down; on the way up there is one more.
    layers_per_block: usize,
    norm_num_groups: usize,
}

/// The networks that Google published with DDPM; `in_chans`, sizes and levels are those of their configurations.
const fn google(
    img_size: usize,
    channels: &'static [usize],
    attention: &'static [usize],
) -> UNet2D {
    UNet2D {
        in_chans: 3,
        img_size,
        block_out_channels: Cow::Borrowed(channels),
        attention: Cow::Borrowed(attention),
        layers_per_block: 2,
        norm_num_groups: 32,
    }
}

const WIDE: &[usize] = &[128, 128, 256, 256, 512, 512];

pub(super) static FAMILY: Table<UNet2D> = Table {
    name: "unet2d",
    summary: "U-Nets of DDPM (Ho et al. 2020), names of diffusers' UNet2DModel",
    task: "generation",
    variants: &[
        Variant::new(
            "ddpm_cifar10_32",
            google(32, &[128, 256, 256, 256], &[1]),
            card("hf:google/ddpm-cifar10-32", 32),
        ),
        Variant::new(
            "ddpm_church_256",
            google(256, WIDE, &[4]),
            card("hf:google/ddpm-church-256", 256),
        ),
        Variant::new(
            "ddpm_bedroom_256",
            google(256, WIDE, &[4]),
            card("hf:google/ddpm-bedroom-256", 256),
        ),
        Variant::new(
            "ddpm_micro_28",
            UNet2D {
                in_chans: 1,
                img_size: 28,
                block_out_channels: Cow::Borrowed(&[32, 64, 64]),
                attention: Cow::Borrowed(&[2]),
                layers_per_block: 1,
                norm_num_groups: 8,
            },
            Card::UNPUBLISHED.sized(28, 28).normalised(&[0.5], &[0.5]),
        ),
    ],
};

/// Images lie between -1 and 1.
const fn card(source: &'static str, side: usize) -> Card {
    Card::UNPUBLISHED
        .at(source, "Apache-2.0")
        .sized(side, side)
        .inception()
}

impl Architecture for UNet2D {
    const STEMS: &'static [&'static str] = &["conv_in.weight"];
    const HEADS: &'static [&'static str] = &[];
    const DIALECTS: &'static [Dialect<Self>] = &[Dialect::renamed("diffusers before 0.18", before)];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut net = Net {
            builder: Builder::new(),
            groups: self.norm_num_groups,
            embedded: 4 * self.first(),
            condition: None,
        };
        let sides = [self.in_chans, self.img_size, self.img_size];
        let input = net.builder.input("input", sides)?;
        net.embed_time(self.first())?;
        let stem = Conv2d::same(self.in_chans, self.first(), 3).biased();
        let mut x = net.builder.add("conv_in", stem, &[input])?;
        let mut skips = vec![x];
        let levels = self.block_out_channels.len();
        for (level, width) in self.block_out_channels.iter().enumerate() {
            let name = format!("down_blocks.{level}");
            for index in 0..self.layers_per_block {
                x = net.blocks(&name, index, *width, self.attends(level), x)?;
                skips.push(x);
            }
            if level + 1 < levels {
                x = net.halved(&format!("{name}.downsamplers.0"), x)?;
                skips.push(x);
            }
        }
        let widest = self.block_out_channels[levels - 1];
        x = net.blocks("mid_block", 0, widest, true, x)?;
        x = net.residual("mid_block.resnets.1", widest, x)?;
        for (index, width) in self.block_out_channels.iter().rev().enumerate() {
            let name = format!("up_blocks.{index}");
            let level = levels - 1 - index;
            for index in 0..=self.layers_per_block {
                let skip = skips.pop().expect("as many are taken as were left");
                x = net
                    .builder
                    .add(&format!("{name}.cat.{index}"), Concat {}, &[x, skip])?;
                x = net.blocks(&name, index, *width, self.attends(level), x)?;
            }
            if level > 0 {
                x = net.doubled(&format!("{name}.upsamplers.0"), x)?;
            }
        }
        let x = net.norm("conv_norm_out", x)?;
        let x = net.builder.add("conv_act", Activation::Silu, &[x])?;
        let out = Conv2d::same(self.first(), self.in_chans, 3).biased();
        let output = net.builder.add("conv_out", out, &[x])?;
        Ok(net.builder.finish(&[output]))
    }

    fn head(&self, _graph: &Graph) -> Head {
        Head::Noise(Diffusion {
            timesteps: 1000,
            schedule: BetaSchedule::Linear {
                start: 1e-4,
                end: 0.02,
            },
        })
    }
}

impl UNet2D {
    fn first(&self) -> usize {
        self.block_out_channels.first().copied().unwrap_or_default()
    }

    fn attends(&self, level: usize) -> bool {
        self.attention.contains(&level)
    }
}

/// Returns the name that a parameter of ours had.
fn before(name: &str) -> String {
    let renamed = [
        (".to_q.", ".query."),
        (".to_k.", ".key."),
        (".to_v.", ".value."),
        (".to_out.0.", ".proj_attn."),
    ];
    let rename = |name: String, (ours, theirs): &(&str, &str)| name.replace(ours, theirs);
    renamed.iter().fold(name.to_owned(), rename)
}

/// A U-Net in the making.
struct Net {
    builder: Builder,
    groups: usize,
    /// The features of the embedded time step.
    embedded: usize,
    /// The embedded time step, as blocks take it.
    condition: Option<ValueId>,
}

impl Net {
    /// Adds the time step and its embedding.
    fn embed_time(&mut self, width: usize) -> Result<(), BuildError> {
        let waves = Timesteps {
            dim: width,
            shift: 1,
            cosines_first: false,
        };
        let steps: [(&str, Op); 5] = [
            ("time_proj", waves.into()),
            (
                "time_embedding.linear_1",
                linear(width, self.embedded).into(),
            ),
            ("time_embedding.act", Activation::Silu.into()),
            (
                "time_embedding.linear_2",
                linear(self.embedded, self.embedded).into(),
            ),
            // Each block would do this for itself.
            ("time_embedding.nonlinearity", Activation::Silu.into()),
        ];
        let mut x = self.builder.input("timestep", [])?;
        for (name, op) in steps {
            x = self.builder.add(name, op, &[x])?;
        }
        self.condition = Some(x);
        Ok(())
    }

    fn norm(&mut self, name: &str, input: ValueId) -> Result<ValueId, BuildError> {
        let norm = GroupNorm {
            groups: self.groups,
            channels: self.builder.shape(input).channels(),
            eps: 1e-6,
        };
        self.builder.add(name, norm, &[input])
    }

    /// Adds a residual block of a module, and attention where it `attends`.
    fn blocks(
        &mut self,
        module: &str,
        index: usize,
        width: usize,
        attends: bool,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let x = self.residual(&format!("{module}.resnets.{index}"), width, input)?;
        if attends {
            self.attention(&format!("{module}.attentions.{index}"), x)
        } else {
            Ok(x)
        }
    }

    /// Adds diffusers' `ResnetBlock2D`.
    fn residual(
        &mut self,
        name: &str,
        width: usize,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |part: &str| format!("{name}.{part}");
        let given = self.builder.shape(input).channels();
        let condition = self.condition.expect("time was embedded first");
        let time = linear(self.embedded, width);
        let time = self
            .builder
            .add(&part("time_emb_proj"), time, &[condition])?;
        let x = self.norm(&part("norm1"), input)?;
        let x = self.builder.add(&part("act1"), Activation::Silu, &[x])?;
        let conv = Conv2d::same(given, width, 3).biased();
        let x = self.builder.add(&part("conv1"), conv, &[x])?;
        let x = self.builder.add(&part("shift"), Shift {}, &[x, time])?;
        let x = self.norm(&part("norm2"), x)?;
        let x = self.builder.add(&part("act2"), Activation::Silu, &[x])?;
        let conv = Conv2d::same(width, width, 3).biased();
        let x = self.builder.add(&part("conv2"), conv, &[x])?;
        let shortcut = if given == width {
            input
        } else {
            let conv = Conv2d::same(given, width, 1).biased();
            self.builder.add(&part("conv_shortcut"), conv, &[input])?
        };
        self.builder.add(&part("add"), Add {}, &[shortcut, x])
    }

    /// Adds attention of all pixels to all, with one head.
    fn attention(&mut self, name: &str, input: ValueId) -> Result<ValueId, BuildError> {
        let part = |part: &str| format!("{name}.{part}");
        let [width, height, columns] = self.builder.shape(input).exactly().expect("an image");
        let x = self.norm(&part("group_norm"), input)?;
        let x = self.builder.add(&part("tokens"), PatchTokens {}, &[x])?;
        let mut sides = [x; 3];
        for (side, name) in sides.iter_mut().zip(["to_q", "to_k", "to_v"]) {
            *side = self.builder.add(&part(name), linear(width, width), &[x])?;
        }
        let x = self.builder.add(&part("qkv"), Concat {}, &sides)?;
        let x = self
            .builder
            .add(&part("attend"), Attention { heads: 1 }, &[x])?;
        let x = self
            .builder
            .add(&part("to_out.0"), linear(width, width), &[x])?;
        let image = TokensToImage {
            height,
            width: columns,
        };
        let x = self.builder.add(&part("image"), image, &[x])?;
        self.builder.add(&part("add"), Add {}, &[input, x])
    }

    /// Adds a convolution that takes every second pixel, with zeros to the right and below only.
    fn halved(&mut self, name: &str, input: ValueId) -> Result<ValueId, BuildError> {
        let width = self.builder.shape(input).channels();
        let pad = ZeroPad2d {
            left: 0,
            right: 1,
            top: 0,
            bottom: 1,
        };
        let x = self.builder.add(&format!("{name}.pad"), pad, &[input])?;
        let conv = Conv2d::same(width, width, 3).stride(2).padding(0).biased();
        self.builder.add(&format!("{name}.conv"), conv, &[x])
    }

    fn doubled(&mut self, name: &str, input: ValueId) -> Result<ValueId, BuildError> {
        let [width, height, columns] = self.builder.shape(input).exactly().expect("an image");
        let size = [2 * height, 2 * columns];
        let x = self
            .builder
            .add(&format!("{name}.interpolate"), Upsample { size }, &[input])?;
        let conv = Conv2d::same(width, width, 3).biased();
        self.builder.add(&format!("{name}.conv"), conv, &[x])
    }
}
