//! The U-Net of DDPM (Ho et al. 2020) and of latent diffusion (Rombach et al. 2022), as diffusers' `UNet2DModel` has it: it tells the
//! noise in an image of a known time step.

use super::dialect::Dialect;
use super::diffusers::{BEFORE, Net, before, card};
use super::parts::linear;
use super::{Architecture, BetaSchedule, Diffusion, Head, Table, Variant};
use crate::graph::ops::{Activation, Concat, Conv2d, Timesteps};
use crate::graph::{BuildError, Builder, Graph, Op, ValueId};
use crate::registry::Params;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// Levels that halve the image, with skips from those on the way down to those on the way up.
///
/// It takes `input` `[in_chans, img_size, img_size]` and `timestep`, a number from 0, and gives the noise in the shape of the image.
/// Fields are called as in diffusers' configurations, but for those that all families have, and for `attention`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UNet2D {
    in_chans: usize,
    img_size: usize,
    /// The channels of each level.
    block_out_channels: Cow<'static, [usize]>,
    /// The levels whose blocks are followed by attention, from 0.
    attention: Cow<'static, [usize]>,
    /// The channels of each head of attention; without, there is one head.
    attention_head_dim: Option<usize>,
    /// Residual blocks of each level on the way down; on the way up there is one more.
    layers_per_block: usize,
    norm_num_groups: usize,
    norm_eps: f64,
    /// The zeros around what is halved; 0 stands for zeros to the right and below alone.
    downsample_padding: usize,
    /// Whether cosines come first in the embedding of time.
    flip_sin_to_cos: bool,
    /// What the number of its frequencies is lessened by, see [`Timesteps`].
    freq_shift: u8,
    /// The noise that time steps add, of which there are a thousand.
    beta_schedule: BetaSchedule,
    /// Whether its images are latents.
    latent: bool,
}

/// The noise of DDPM.
const LINEAR: BetaSchedule = BetaSchedule::Linear {
    start: 1e-4,
    end: 0.02,
};

/// The networks that Google published with DDPM; `in_chans`, sizes and levels are those of their configurations.
const fn google(
    img_size: usize,
    channels: &'static [usize],
    attention: &'static [usize],
) -> UNet2D {
    ddpm([3, img_size], channels, attention, [2, 32])
}

/// A network as those of DDPM: `in_chans` and `img_size`, channels, the levels with attention, `layers_per_block` and `norm_num_groups`.
const fn ddpm(
    [in_chans, img_size]: [usize; 2],
    channels: &'static [usize],
    attention: &'static [usize],
    [layers_per_block, norm_num_groups]: [usize; 2],
) -> UNet2D {
    UNet2D {
        in_chans,
        img_size,
        block_out_channels: Cow::Borrowed(channels),
        attention: Cow::Borrowed(attention),
        attention_head_dim: None,
        layers_per_block,
        norm_num_groups,
        norm_eps: 1e-6,
        downsample_padding: 0,
        flip_sin_to_cos: false,
        freq_shift: 1,
        beta_schedule: LINEAR,
        latent: false,
    }
}

const WIDE: &[usize] = &[128, 128, 256, 256, 512, 512];

pub(super) static FAMILY: Table<UNet2D> = Table {
    name: "unet2d",
    summary: "U-Nets of DDPM (Ho et al. 2020) and latent diffusion (Rombach et al. 2022), names of diffusers' UNet2DModel",
    task: "generation",
    variants: &[
        Variant::new(
            "ddpm_cifar10_32",
            google(32, &[128, 256, 256, 256], &[1]),
            card(32).at("hf:google/ddpm-cifar10-32", "Apache-2.0"),
        ),
        Variant::new(
            "ddpm_church_256",
            google(256, WIDE, &[4]),
            card(256).at("hf:google/ddpm-church-256", "Apache-2.0"),
        ),
        Variant::new(
            "ddpm_bedroom_256",
            google(256, WIDE, &[4]),
            card(256).at("hf:google/ddpm-bedroom-256", "Apache-2.0"),
        ),
        Variant::new(
            "ddpm_micro_28",
            ddpm([1, 28], &[32, 64, 64], &[2], [1, 8]),
            card(28).normalised(&[0.5], &[0.5]),
        ),
        // CompVis' for faces, whose images are latents: `vq_celebahq_256` makes pictures of them.
        Variant::new(
            "ldm_celebahq_256",
            UNet2D {
                in_chans: 3,
                img_size: 64,
                block_out_channels: Cow::Borrowed(&[224, 448, 672, 896]),
                attention: Cow::Borrowed(&[1, 2, 3]),
                attention_head_dim: Some(32),
                layers_per_block: 2,
                norm_num_groups: 32,
                norm_eps: 1e-5,
                downsample_padding: 1,
                flip_sin_to_cos: true,
                freq_shift: 0,
                beta_schedule: BetaSchedule::ScaledLinear {
                    start: 0.0015,
                    end: 0.0195,
                },
                latent: true,
            },
            card(64).at(
                "hf:CompVis/ldm-celebahq-256/unet/diffusion_pytorch_model.bin",
                "Apache-2.0",
            ),
        ),
    ],
};

impl Architecture for UNet2D {
    const STEMS: &'static [&'static str] = &["conv_in.weight"];
    const HEADS: &'static [&'static str] = &[];
    const DIALECTS: &'static [Dialect<Self>] = &[Dialect::renamed(BEFORE, before)];

    fn described(config: &Value) -> Params {
        let mut said = Params::new();
        let others = [("in_channels", "in_chans"), ("sample_size", "img_size")];
        let same = [
            "block_out_channels",
            "layers_per_block",
            "attention_head_dim",
            "norm_num_groups",
            "norm_eps",
            "downsample_padding",
            "flip_sin_to_cos",
            "freq_shift",
        ];
        for (theirs, ours) in others.into_iter().chain(same.map(|name| (name, name))) {
            said.extend(
                config
                    .get(theirs)
                    .map(|value| (ours.to_owned(), value.clone())),
            );
        }
        if let Some(kinds) = config.get("down_block_types").and_then(Value::as_array) {
            let attends = |kind: &Value| kind.as_str().is_some_and(|kind| kind.starts_with("Attn"));
            let levels = (0..kinds.len()).filter(|level| attends(&kinds[*level]));
            said.insert("attention".to_owned(), levels.collect());
        }
        said
    }

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let sides = [self.in_chans, self.img_size, self.img_size];
        let input = builder.input("input", sides)?;
        let condition = self.embed_time(&mut builder)?;
        let mut net = Net {
            builder,
            norm_num_groups: self.norm_num_groups,
            norm_eps: self.norm_eps,
            attention_head_dim: self.attention_head_dim,
            condition: Some(condition),
        };
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
                let module = format!("{name}.downsamplers.0");
                x = net.halved(&module, self.downsample_padding, x)?;
                skips.push(x);
            }
        }
        x = net.middle("mid_block", x)?;
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
        let output = net.ended("", self.in_chans, x)?;
        Ok(net.builder.finish(&[output]))
    }

    fn head(&self, _graph: &Graph) -> Head {
        Head::Noise(Diffusion {
            timesteps: 1000,
            schedule: self.beta_schedule,
            latent: self.latent,
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

    /// Adds the time step and its embedding, and returns the latter.
    fn embed_time(&self, builder: &mut Builder) -> Result<ValueId, BuildError> {
        let (width, embedded) = (self.first(), 4 * self.first());
        let waves = Timesteps {
            dim: width,
            shift: self.freq_shift,
            cosines_first: self.flip_sin_to_cos,
        };
        let steps: [(&str, Op); 5] = [
            ("time_proj", waves.into()),
            ("time_embedding.linear_1", linear(width, embedded).into()),
            ("time_embedding.act", Activation::Silu.into()),
            ("time_embedding.linear_2", linear(embedded, embedded).into()),
            // Each block would do this for itself.
            ("time_embedding.nonlinearity", Activation::Silu.into()),
        ];
        let mut x = builder.input("timestep", [])?;
        for (name, op) in steps {
            x = builder.add(name, op, &[x])?;
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use crate::models::{ModelError, family_of};

    /// As published with `google/ddpm-cifar10-32`, but for the name of the class.
    const CIFAR10: &str = r#"{"_class_name": "UNet2DModel", "_diffusers_version": "0.0.4", "act_fn": "silu", "attention_head_dim": null,
        "block_out_channels": [128, 256, 256, 256], "center_input_sample": false,
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"], "downsample_padding": 0, "flip_sin_to_cos": false,
        "freq_shift": 1, "in_channels": 3, "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-06, "norm_num_groups": 32,
        "out_channels": 3, "sample_size": 32, "time_embedding_type": "positional",
        "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"]}"#;

    #[test]
    fn a_config_is_compared_with_the_model() {
        let check = |model: &str, config: &str| {
            let spec = model.parse().unwrap();
            let checked = family_of("ddpm_cifar10_32").unwrap().check(&spec, config);
            checked.map_err(|error| match error {
                ModelError::Config { parameter, .. } => parameter,
                other => other.to_string(),
            })
        };
        assert_eq!(check("ddpm_cifar10_32", CIFAR10), Ok(()));
        assert_eq!(check("ddpm_cifar10_32", "{}"), Ok(()));
        for (ours, theirs, parameter) in [
            ("1e-06", "1e-05", "norm_eps"),
            (
                "\"norm_num_groups\": 32",
                "\"norm_num_groups\": 16",
                "norm_num_groups",
            ),
            (
                "\"attention_head_dim\": null",
                "\"attention_head_dim\": 8",
                "attention_head_dim",
            ),
            (
                "[\"DownBlock2D\", \"Attn",
                "[\"AttnDownBlock2D\", \"Attn",
                "attention",
            ),
            ("\"sample_size\": 32", "\"sample_size\": 64", "img_size"),
        ] {
            let config = CIFAR10.replace(ours, theirs);
            assert_eq!(check("ddpm_cifar10_32", &config), Err(parameter.to_owned()));
        }
        assert!(check("ddpm_church_256", CIFAR10).is_err());
        assert_eq!(
            check("ddpm_cifar10_32(norm_eps=0.5)", CIFAR10),
            Err("norm_eps".to_owned())
        );
    }
}
