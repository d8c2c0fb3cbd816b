//! What the networks of diffusers are made of, under the names that they have from 0.18 on; published checkpoints are often from before,
//! and have other names for the projections of attention.

use super::Card;
use super::parts::linear;
use crate::graph::ops::{
    Activation, Add, Attention, Concat, Conv2d, GroupNorm, PatchTokens, Shift, TokensToImage,
    Upsample, ZeroPad2d,
};
use crate::graph::{BuildError, Builder, OpError, ValueId};

/// What dialects call the names of [`before`].
pub(super) const BEFORE: &str = "diffusers before 0.18";

/// Returns the name that a parameter had before diffusers 0.18.
pub(super) fn before(name: &str) -> String {
    let renamed = [
        (".to_q.", ".query."),
        (".to_k.", ".key."),
        (".to_v.", ".value."),
        (".to_out.0.", ".proj_attn."),
    ];
    let rename = |name: String, (ours, theirs): &(&str, &str)| name.replace(ours, theirs);
    renamed.iter().fold(name.to_owned(), rename)
}

/// Returns the card of a network on squares of `side` pixels; images lie between -1 and 1.
pub(super) const fn card(side: usize) -> Card {
    Card::UNPUBLISHED.sized(side, side).inception()
}

/// A network in the making.
pub(super) struct Net {
    pub(super) builder: Builder,
    pub(super) norm_num_groups: usize,
    pub(super) norm_eps: f64,
    /// The channels of each head of attention; without, there is one head.
    pub(super) attention_head_dim: Option<usize>,
    /// What residual blocks take besides the image, a vector `[d]`: the embedded time step, where the network knows time.
    pub(super) condition: Option<ValueId>,
}

impl Net {
    /// Adds a group norm.
    fn norm(&mut self, name: &str, input: ValueId) -> Result<ValueId, BuildError> {
        let norm = GroupNorm {
            groups: self.norm_num_groups,
            channels: self.builder.shape(input).channels(),
            eps: self.norm_eps,
        };
        self.builder.add(name, norm, &[input])
    }

    /// Adds a residual block of a module, and attention where it `attends`.
    pub(super) fn blocks(
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

    /// Adds diffusers' `UNetMidBlock2D`: two residual blocks with attention between.
    pub(super) fn middle(&mut self, module: &str, input: ValueId) -> Result<ValueId, BuildError> {
        let width = self.builder.shape(input).channels();
        let x = self.blocks(module, 0, width, true, input)?;
        self.blocks(module, 1, width, false, x)
    }

    /// Adds diffusers' `ResnetBlock2D`, which gives `width` channels.
    fn residual(
        &mut self,
        name: &str,
        width: usize,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |part: &str| format!("{name}.{part}");
        let given = self.builder.shape(input).channels();
        let shift = self.condition.map(|condition| {
            let layer = linear(self.builder.shape(condition).channels(), width);
            self.builder
                .add(&part("time_emb_proj"), layer, &[condition])
        });
        let x = self.norm(&part("norm1"), input)?;
        let x = self.builder.add(&part("act1"), Activation::Silu, &[x])?;
        let conv = Conv2d::same(given, width, 3).biased();
        let mut x = self.builder.add(&part("conv1"), conv, &[x])?;
        if let Some(shift) = shift.transpose()? {
            x = self.builder.add(&part("shift"), Shift {}, &[x, shift])?;
        }
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

    /// Returns into how many heads attention on so many channels falls.
    fn heads(&self, name: &str, width: usize) -> Result<usize, BuildError> {
        match self.attention_head_dim {
            None => Ok(1),
            Some(dim) if dim > 0 && width.is_multiple_of(dim) => Ok(width / dim),
            // diffusers would leave out what is over.
            Some(dim) => Err(BuildError::Operator {
                node: name.to_owned(),
                source: OpError::Size {
                    what: "channels that are a multiple of `attention_head_dim`",
                    expected: width.next_multiple_of(dim.max(1)),
                    found: width,
                },
            }),
        }
    }

    /// Adds attention of all pixels to all.
    fn attention(&mut self, name: &str, input: ValueId) -> Result<ValueId, BuildError> {
        let part = |part: &str| format!("{name}.{part}");
        let [width, height, columns] = self.builder.shape(input).exactly().expect("an image");
        let heads = self.heads(name, width)?;
        let x = self.norm(&part("group_norm"), input)?;
        let x = self.builder.add(&part("tokens"), PatchTokens {}, &[x])?;
        let mut sides = [x; 3];
        for (side, name) in sides.iter_mut().zip(["to_q", "to_k", "to_v"]) {
            *side = self.builder.add(&part(name), linear(width, width), &[x])?;
        }
        let x = self.builder.add(&part("qkv"), Concat {}, &sides)?;
        let x = self
            .builder
            .add(&part("attend"), Attention { heads }, &[x])?;
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

    /// Adds a convolution that takes every second pixel, called `conv` in a module. Without padding, it gets zeros to the right and below.
    pub(super) fn halved(
        &mut self,
        module: &str,
        padding: usize,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let width = self.builder.shape(input).channels();
        let pad = ZeroPad2d {
            left: 0,
            right: 1,
            top: 0,
            bottom: 1,
        };
        let x = match padding {
            0 => self.builder.add(&format!("{module}.pad"), pad, &[input])?,
            _ => input,
        };
        let conv = Conv2d::same(width, width, 3).stride(2);
        let conv = conv.padding(padding).biased();
        self.builder.add(&format!("{module}.conv"), conv, &[x])
    }

    /// Adds an image of four pixels for each, and the convolution called `conv` in a module.
    pub(super) fn doubled(&mut self, module: &str, input: ValueId) -> Result<ValueId, BuildError> {
        let [width, height, columns] = self.builder.shape(input).exactly().expect("an image");
        let size = [2 * height, 2 * columns];
        let x = self.builder.add(
            &format!("{module}.interpolate"),
            Upsample { size },
            &[input],
        )?;
        let conv = Conv2d::same(width, width, 3).biased();
        self.builder.add(&format!("{module}.conv"), conv, &[x])
    }

    /// Adds the end: `conv_norm_out`, `conv_act` and `conv_out` after `prefix`, which give so many channels.
    pub(super) fn ended(
        &mut self,
        prefix: &str,
        channels: usize,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let width = self.builder.shape(input).channels();
        let part = |part: &str| format!("{prefix}{part}");
        let x = self.norm(&part("conv_norm_out"), input)?;
        let x = self
            .builder
            .add(&part("conv_act"), Activation::Silu, &[x])?;
        let conv = Conv2d::same(width, channels, 3).biased();
        self.builder.add(&part("conv_out"), conv, &[x])
    }
}
