//! RegNetX and RegNetY (Radosavovic et al. 2020): a few numbers give the widths of all blocks.
//!
//! Names and parameter names are torchvision's; for the smallest two, which torchvision lacks, timm's.

use super::dialect::Dialect;
use super::parts::{SqueezeExcitation, Style, classified, excitation_names, numbered};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{Activation, Add, Conv2d};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// Residual bottlenecks with grouped convolutions, whose widths are quantised from a line (section 3.3).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegNet {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// Blocks in all.
    depth: usize,
    /// The width that the line starts from.
    w0: usize,
    /// Its slope, a block.
    wa: f64,
    /// The ratio of the widths of stages.
    wm: f64,
    /// Channels a group.
    group_size: usize,
    /// Whether blocks have squeeze and excitation, with a quarter of the channels that come into the block.
    se: bool,
}

/// The same network with timm's parameter names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Timm(RegNet);

const fn x(depth: usize, w0: usize, [wa, wm]: [f64; 2], group_size: usize) -> RegNet {
    RegNet {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        depth,
        w0,
        wa,
        wm,
        group_size,
        se: false,
    }
}

const fn y(depth: usize, w0: usize, slopes: [f64; 2], group_size: usize) -> RegNet {
    RegNet {
        se: true,
        ..x(depth, w0, slopes, group_size)
    }
}

pub(super) static FAMILY: Table<RegNet> = Table {
    name: "regnet",
    summary: "RegNetX and RegNetY (Radosavovic et al. 2020), names of torchvision",
    task: "classification",
    variants: &[
        Variant::new(
            "regnet_x_400mf",
            x(22, 24, [24.48, 2.54], 16),
            Card::torchvision("regnet_x_400mf-adf1edd5"),
        ),
        Variant::new(
            "regnet_x_800mf",
            x(16, 56, [35.73, 2.28], 16),
            Card::torchvision("regnet_x_800mf-ad17e45c"),
        ),
        Variant::new(
            "regnet_x_1_6gf",
            x(18, 80, [34.01, 2.25], 24),
            Card::torchvision("regnet_x_1_6gf-e3633e7f"),
        ),
        Variant::new(
            "regnet_x_3_2gf",
            x(25, 88, [26.31, 2.25], 48),
            Card::torchvision("regnet_x_3_2gf-f342aeae"),
        ),
        Variant::new(
            "regnet_y_400mf",
            y(16, 48, [27.89, 2.09], 8),
            Card::torchvision("regnet_y_400mf-c65dace8"),
        ),
        Variant::new(
            "regnet_y_800mf",
            y(14, 56, [38.84, 2.4], 16),
            Card::torchvision("regnet_y_800mf-1b27b58c"),
        ),
        Variant::new(
            "regnet_y_1_6gf",
            y(27, 48, [20.71, 2.65], 24),
            Card::torchvision("regnet_y_1_6gf-b11a554e"),
        ),
        Variant::new(
            "regnet_y_3_2gf",
            y(21, 80, [42.63, 2.66], 24),
            Card::torchvision("regnet_y_3_2gf-b5a9779c"),
        ),
    ],
};

pub(super) static TIMM: Table<Timm> = Table {
    name: "regnet-timm",
    summary: "RegNetX and RegNetY (Radosavovic et al. 2020) of 200 MF, names of timm",
    task: "classification",
    variants: &[
        Variant::new(
            "regnetx_002",
            Timm(x(13, 24, [36.44, 2.49], 8)),
            Card::timm("regnetx_002.pycls_in1k").licensed("MIT"),
        ),
        Variant::new(
            "regnety_002",
            Timm(y(13, 24, [36.44, 2.49], 8)),
            Card::timm("regnety_002.pycls_in1k").licensed("MIT"),
        ),
    ],
};

/// The channels of the stem.
const STEM_WIDTH: usize = 32;

/// Every convolution but the last of a block.
const STYLE: Style = Style::new(Activation::Relu);

/// How modules are called.
#[derive(Debug)]
struct Names {
    /// A convolution, its norm and its activation within their module.
    layer: fn(module: &str) -> [String; 3],
    /// A block of a stage; both count from 1.
    block: fn(stage: usize, block: usize) -> String,
    /// The three convolutions of a block.
    convs: [&'static str; 3],
    /// Squeeze and excitation.
    excitation: &'static str,
    /// The convolution of the shortcut.
    shortcut: &'static str,
    /// The activation after the sum.
    activation: &'static str,
    head: &'static str,
}

const TORCHVISION: Names = Names {
    layer: |module| numbered(module, 0),
    block: |stage, block| format!("trunk_output.block{stage}.block{stage}-{}", block - 1),
    convs: ["f.a", "f.b", "f.c"],
    excitation: "f.se",
    shortcut: "proj",
    activation: "activation",
    head: "fc",
};

const TIMM_NAMES: Names = Names {
    layer: |module| ["conv", "bn", "bn.act"].map(|part| format!("{module}.{part}")),
    block: |stage, block| format!("s{stage}.b{block}"),
    convs: ["conv1", "conv2", "conv3"],
    excitation: "se",
    shortcut: "downsample",
    activation: "act3",
    head: "head.fc",
};

impl Architecture for RegNet {
    const STEMS: &'static [&'static str] = &["stem.0.weight", "stem.conv.weight"];
    const HEADS: &'static [&'static str] = &["fc.weight", "head.fc.weight"];
    const DIALECTS: &'static [Dialect<Self>] =
        &[Dialect::twin("timm", |network| network.named(&TIMM_NAMES))];

    fn build(&self) -> Result<Graph, BuildError> {
        self.named(&TORCHVISION)
    }
}

impl Architecture for Timm {
    const STEMS: &'static [&'static str] = &["stem.conv.weight"];
    const HEADS: &'static [&'static str] = &["head.fc.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        self.0.named(&TIMM_NAMES)
    }
}

impl RegNet {
    fn named(&self, names: &Names) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let stem = Conv2d::same(self.in_chans, STEM_WIDTH, 3).stride(2);
        let mut x = STYLE.layer(&mut builder, &(names.layer)("stem"), stem, input)?;
        for (stage, (width, blocks)) in (1..).zip(self.stages()) {
            for block in 1..=blocks {
                let bottleneck = Bottleneck {
                    names,
                    name: (names.block)(stage, block),
                    width,
                    group_size: self.group_size.min(width),
                    stride: if block == 1 { 2 } else { 1 },
                    se: self.se,
                };
                x = bottleneck.add(&mut builder, x)?;
            }
        }
        classified(builder, names.head, self.num_classes, x)
    }

    /// Returns the width of each stage, and its number of blocks: widths on a line are rounded to powers of `wm` times the
    /// first (eq. 2 to 4), then to multiples of 8, and at last to whole groups.
    fn stages(&self) -> Vec<(usize, usize)> {
        let w0 = self.w0 as f64;
        let quantised = |block: usize| {
            let on_line = w0 + self.wa * block as f64;
            let power = ((on_line / w0).ln() / self.wm.ln()).round_ties_even();
            (w0 * self.wm.powf(power) / 8.0).round_ties_even() as usize * 8
        };
        let mut stages: Vec<(usize, usize)> = Vec::new();
        for width in (0..self.depth).map(quantised) {
            match stages.last_mut() {
                Some((last, blocks)) if *last == width => *blocks += 1,
                _ => stages.push((width, 1)),
            }
        }
        for (width, _) in &mut stages {
            *width = whole_groups(*width, self.group_size);
        }
        stages
    }
}

/// Returns the multiple of the group's size that is nearest to a width, and at least nine tenths of it.
fn whole_groups(width: usize, group_size: usize) -> usize {
    let group = group_size.min(width).max(1);
    let rounded = (width + group / 2) / group * group;
    if 10 * rounded < 9 * width {
        rounded + group
    } else {
        rounded
    }
}

/// A residual block of a 1x1, a grouped 3x3 and a 1x1 convolution (Figure 4).
struct Bottleneck<'a> {
    names: &'a Names,
    name: String,
    width: usize,
    group_size: usize,
    stride: usize,
    se: bool,
}

impl Bottleneck<'_> {
    fn add(&self, builder: &mut Builder, input: ValueId) -> Result<ValueId, BuildError> {
        let (channels, width) = (builder.shape(input).channels(), self.width);
        let part = |suffix: &str| format!("{}.{suffix}", self.name);
        let layer = |suffix: &str| (self.names.layer)(&part(suffix));
        let [first, second, third] = self.names.convs.map(layer);
        let x = STYLE.layer(builder, &first, Conv2d::same(channels, width, 1), input)?;
        let grouped = Conv2d::same(width, width, 3)
            .stride(self.stride)
            .groups(width / self.group_size);
        let mut x = STYLE.layer(builder, &second, grouped, x)?;
        if self.se {
            let excitation = SqueezeExcitation {
                squeezed: (channels as f64 / 4.0).round_ties_even() as usize,
                activation: Activation::Relu,
                gate: Activation::Sigmoid,
            };
            let excited = excitation_names(part(self.names.excitation), ["fc1", "fc2"]);
            x = excitation.add(builder, &excited, x)?;
        }
        let x = STYLE.linear(builder, &third, Conv2d::same(width, width, 1), x)?;
        let shortcut = if self.stride > 1 || channels != width {
            let conv = Conv2d::same(channels, width, 1).stride(self.stride);
            STYLE.linear(builder, &layer(self.names.shortcut), conv, input)?
        } else {
            input
        };
        let x = builder.add(&part("add"), Add {}, &[x, shortcut])?;
        builder.add(&part(self.names.activation), STYLE.activation, &[x])
    }
}
