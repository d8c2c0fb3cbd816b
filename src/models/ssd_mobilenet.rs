//! SSD (Liu et al. 2016) on MobileNet, and `SSDLite` (Sandler et al. 2018) on MobileNetV2.
//!
//! Structure and parameter names are those of the checkpoints of qfgaohao's `pytorch-ssd`, which were trained on Pascal VOC.

use super::default_boxes::DefaultBoxes;
use super::detection::{Heads, SSD_SELECTION, plain_head, ssd_head};
use super::inverted::{Before, InvertedResidual, Part};
use super::mobilenetv1::STAGES as V1_STAGES;
use super::mobilenetv2::{STAGES as V2_STAGES, STYLE};
use super::parts::{Style, norm, numbered};
use super::ssd::bottleneck;
use super::{Architecture, Candidates, Card, Head, Selection, Table, Variant};
use crate::graph::ops::{Activation, Conv2d};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// MobileNet, four levels more, and heads on six feature maps.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ssd {
    in_chans: usize,
    /// Classes and the background.
    num_classes: usize,
    img_size: usize,
}

/// MobileNetV2 with four more inverted residuals, and heads of depthwise separable convolutions on six feature maps.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SsdLite {
    in_chans: usize,
    /// Classes and the background.
    num_classes: usize,
    img_size: usize,
}

const CARD: Card = Card::UNPUBLISHED
    .at("https://github.com/qfgaohao/pytorch-ssd", "MIT")
    .stretched(300)
    .normalised(&[127.0 / 255.0; 3], &[128.0 / 255.0; 3]);

pub(super) static FAMILY: Table<Ssd> = Table {
    name: "ssd-mobilenetv1",
    summary: "SSD (Liu et al. 2016) on MobileNet, names of pytorch-ssd",
    task: "detection",
    variants: &[Variant::new(
        "ssd300_mobilenet_v1",
        Ssd {
            in_chans: 3,
            num_classes: 21,
            img_size: 300,
        },
        CARD,
    )],
};

pub(super) static LITE: Table<SsdLite> = Table {
    name: "ssdlite-mobilenetv2",
    summary: "SSDLite (Sandler et al. 2018) on MobileNetV2, names of pytorch-ssd",
    task: "detection",
    variants: &[Variant::new(
        "ssdlite300_mobilenet_v2",
        SsdLite {
            in_chans: 3,
            num_classes: 21,
            img_size: 300,
        },
        CARD,
    )],
};

const RATIOS: &[f64] = &[2.0, 3.0];

const BOXES: DefaultBoxes = DefaultBoxes {
    scales: &[
        [0.2, 0.35],
        [0.35, 0.5],
        [0.5, 0.65],
        [0.65, 0.8],
        [0.8, 0.95],
        [0.95, 1.1],
    ],
    ratios: &[RATIOS, RATIOS, RATIOS, RATIOS, RATIOS, RATIOS],
    steps: &[16.0, 32.0, 64.0, 100.0, 150.0, 300.0],
};

const SELECTION: Selection = Selection {
    candidates: Candidates::PerClass(200),
    ..SSD_SELECTION
};

const MODULES: [&str; 2] = ["classification_headers", "regression_headers"];

/// Channels between and after the two convolutions of each level below MobileNet.
const V1_EXTRA: [[usize; 2]; 4] = [[256, 512], [128, 256], [128, 256], [128, 256]];

/// Hidden channels and channels of each level below MobileNetV2.
const V2_EXTRA: [[usize; 2]; 4] = [[256, 512], [128, 256], [128, 256], [64, 64]];

impl Architecture for Ssd {
    const STEMS: &'static [&'static str] = &["base_net.0.0.weight"];
    const HEADS: &'static [&'static str] = &["classification_headers.0.weight"];
    const ROWS_A_CLASS: usize = 6;

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let mut heads = Heads::new(MODULES, self.num_classes, plain_head);
        let mut x = self.mobilenet(&mut builder, &mut heads, input)?;
        heads.look(&mut builder, BOXES.count(1), x)?;
        for (index, [between, width]) in V1_EXTRA.into_iter().enumerate() {
            let wide = Conv2d::same(between, width, 3).stride(2);
            x = bottleneck(&mut builder, &format!("extras.{index}"), wide, x)?;
            heads.look(&mut builder, BOXES.count(index + 2), x)?;
        }
        heads.end(builder)
    }

    fn head(&self, graph: &Graph) -> Head {
        let sizes = [self.num_classes, self.img_size];
        ssd_head(&BOXES, sizes, graph, SELECTION)
    }
}

impl Ssd {
    /// Adds MobileNet, with heads on the last features that have a sixteenth of the image's side.
    fn mobilenet(
        &self,
        builder: &mut Builder,
        heads: &mut Heads,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let style = Style::new(Activation::Relu);
        let stem = Conv2d::same(self.in_chans, 32, 3).stride(2);
        let mut x = style.layer(builder, &numbered("base_net.0", 0), stem, input)?;
        let mut index = 0;
        for (stage, [width, blocks, stride]) in V1_STAGES.into_iter().enumerate() {
            if stage == V1_STAGES.len() - 1 {
                heads.look(builder, BOXES.count(0), x)?;
            }
            for repeat in 0..blocks {
                index += 1;
                let names = |first: usize| numbered(&format!("base_net.{index}"), first);
                let channels = builder.shape(x).channels();
                let depthwise = Conv2d::same(channels, channels, 3)
                    .stride(if repeat == 0 { stride } else { 1 })
                    .groups(channels);
                x = style.layer(builder, &names(0), depthwise, x)?;
                x = style.layer(builder, &names(3), Conv2d::same(channels, width, 1), x)?;
            }
        }
        Ok(x)
    }
}

impl Architecture for SsdLite {
    const STEMS: &'static [&'static str] = &["base_net.0.0.weight"];
    const HEADS: &'static [&'static str] = &["classification_headers.0.3.weight"];
    const ROWS_A_CLASS: usize = 6;

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let mut heads = Heads::new(MODULES, self.num_classes, head);
        let mut x = self.mobilenet(&mut builder, &mut heads, input)?;
        heads.look(&mut builder, BOXES.count(1), x)?;
        for (index, [hidden, width]) in V2_EXTRA.into_iter().enumerate() {
            let block = residual([hidden, width, 2]);
            x = block.add(&mut builder, &format!("extras.{index}"), x)?;
            heads.look(&mut builder, BOXES.count(index + 2), x)?;
        }
        heads.end(builder)
    }

    fn head(&self, graph: &Graph) -> Head {
        let sizes = [self.num_classes, self.img_size];
        ssd_head(&BOXES, sizes, graph, SELECTION)
    }
}

impl SsdLite {
    /// Adds MobileNetV2, with heads on what its 14th block expands, the last with a sixteenth of the image's side.
    fn mobilenet(
        &self,
        builder: &mut Builder,
        heads: &mut Heads,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let stem = Conv2d::same(self.in_chans, 32, 3).stride(2);
        let mut x = STYLE.layer(builder, &numbered("base_net.0", 0), stem, input)?;
        let mut index = 0;
        for stage in V2_STAGES {
            for repeat in 0..stage.repeats {
                index += 1;
                let stride = if repeat == 0 { stage.stride } else { 1 };
                let hidden = stage.expansion * builder.shape(x).channels();
                let block = residual([hidden, stage.width, stride]);
                let expanded;
                [expanded, x] = block.add_tapped(builder, &format!("base_net.{index}"), x)?;
                if index == 14 {
                    heads.look(builder, BOXES.count(0), expanded)?;
                }
            }
        }
        let names = numbered(&format!("base_net.{}", index + 1), 0);
        let last = Conv2d::same(builder.shape(x).channels(), 1280, 1);
        STYLE.layer(builder, &names, last, x)
    }
}

/// Returns an inverted residual of some hidden channels, channels and stride.
fn residual([hidden, width, stride]: [usize; 3]) -> InvertedResidual {
    InvertedResidual {
        style: STYLE,
        naming: flat,
        hidden,
        width,
        kernel: 3,
        stride,
        excitation: None,
    }
}

/// The names of a block here: all its modules are numbered through.
fn flat(block: &str, _: Part, before: Before) -> [String; 3] {
    numbered(&format!("{block}.conv"), 3 * before.layers)
}

/// Adds a head: a depthwise convolution and a pointwise one, or the latter alone for the last level.
fn head(
    builder: &mut Builder,
    name: &str,
    outputs: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let width = builder.shape(input).channels();
    let pointwise = Conv2d::same(width, outputs, 1).biased();
    if name.ends_with(".5") {
        return builder.add(name, pointwise, &[input]);
    }
    let [conv_name, norm_name, relu] = numbered(name, 0);
    let depthwise = Conv2d::same(width, width, 3).groups(width).biased();
    let x = builder.add(&conv_name, depthwise, &[input])?;
    let x = builder.add(&norm_name, norm(width), &[x])?;
    let x = builder.add(&relu, Activation::Relu6, &[x])?;
    builder.add(&format!("{name}.3"), pointwise, &[x])
}
