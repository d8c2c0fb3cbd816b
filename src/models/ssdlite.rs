//! `SSDLite` (Sandler et al. 2018, section 6.2) on MobileNetV3 (Howard et al. 2019, section 6.3), whose last stage is half as wide.
//!
//! Names and parameter names are torchvision's.

use super::default_boxes::DefaultBoxes;
use super::detection::{Heads, ssd_head};
use super::inverted::{self, Before, Part};
use super::mobilenetv3::{LARGE, Row, STYLE, block};
use super::parts::{Style, excitation_names, numbered};
use super::{Architecture, Candidates, Card, Head, Selection, Table, Variant};
use crate::graph::ops::{Activation, Conv2d};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// MobileNetV3, four levels more, and heads of depthwise separable convolutions on six feature maps.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SsdLite {
    in_chans: usize,
    /// Classes and the background.
    num_classes: usize,
    img_size: usize,
}

pub(super) static FAMILY: Table<SsdLite> = Table {
    name: "ssdlite",
    summary: "SSDLite (Sandler et al. 2018) on MobileNetV3, names of torchvision",
    task: "detection",
    variants: &[Variant::new(
        "ssdlite320_mobilenet_v3_large",
        SsdLite {
            in_chans: 3,
            num_classes: 91,
            img_size: 320,
        },
        Card::torchvision("ssdlite320_mobilenet_v3_large_coco-a79551df")
            .stretched(320)
            .inception(),
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
        [0.95, 1.0],
    ],
    ratios: &[RATIOS, RATIOS, RATIOS, RATIOS, RATIOS, RATIOS],
    steps: &[],
};

/// The blocks of the last stage, with half the channels.
const LAST: [Row; 3] = [
    (5, 672, 80, true, Activation::Hardswish, 2),
    (5, 480, 80, true, Activation::Hardswish, 1),
    (5, 480, 80, true, Activation::Hardswish, 1),
];

const SELECTION: Selection = Selection {
    score_threshold: 0.001,
    candidates: Candidates::PerClass(300),
    nms_threshold: 0.55,
    detections: 300,
    clip: true,
};

/// The channels of the levels below MobileNetV3.
const EXTRA: [usize; 4] = [512, 256, 256, 128];

/// The style of all that is not MobileNetV3.
const ADDED: Style = Style {
    eps: STYLE.eps,
    ..Style::new(Activation::Relu6)
};

impl Architecture for SsdLite {
    const STEMS: &'static [&'static str] = &["backbone.features.0.0.0.weight"];
    const HEADS: &'static [&'static str] = &["head.classification_head.module_list.0.1.weight"];
    const ROWS_A_CLASS: usize = 6;

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let mut heads = Heads::torchvision(self.num_classes, head);
        let mut x = self.mobilenet(&mut builder, &mut heads, input)?;
        heads.look(&mut builder, BOXES.count(1), x)?;
        for (index, width) in EXTRA.into_iter().enumerate() {
            x = extra(&mut builder, &format!("backbone.extra.{index}"), width, x)?;
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
    /// Adds MobileNetV3, with heads on what the first block of the last stage expands.
    fn mobilenet(
        &self,
        builder: &mut Builder,
        heads: &mut Heads,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let stem = Conv2d::same(self.in_chans, 16, 3).stride(2);
        let mut x = STYLE.layer(builder, &numbered("backbone.features.0.0", 0), stem, input)?;
        let blocks = LARGE.len() - LAST.len();
        for (index, row) in (1..).zip(&LARGE[..blocks]) {
            let block = block(*row, STYLE, inverted::torchvision);
            x = block.add(builder, &format!("backbone.features.0.{index}"), x)?;
        }
        let first = block(LAST[0], STYLE, straddling);
        let [expanded, mut x] = first.add_tapped(builder, "backbone.features", x)?;
        heads.look(builder, BOXES.count(0), expanded)?;
        for (index, row) in (1..).zip(&LAST[1..]) {
            let block = block(*row, STYLE, inverted::torchvision);
            x = block.add(builder, &format!("backbone.features.1.{index}"), x)?;
        }
        let names = numbered(&format!("backbone.features.1.{}", LAST.len()), 0);
        let width = builder.shape(x).channels();
        STYLE.layer(builder, &names, Conv2d::same(width, 6 * width, 1), x)
    }
}

/// The names of the block that is taken apart: the expansion ends the first half of the features, and the rest begins the second.
fn straddling(features: &str, part: Part, before: Before) -> [String; 3] {
    let module = match part {
        Part::Expand => format!("{features}.0.13"),
        _ => format!("{features}.1.0.{}", before.parts),
    };
    match part {
        Part::Excite => excitation_names(module, ["fc1", "fc2"]),
        _ => numbered(&module, 0),
    }
}

/// Adds a level: a bottleneck with a depthwise convolution that halves the image.
fn extra(
    builder: &mut Builder,
    name: &str,
    width: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let names = |number: usize| numbered(&format!("{name}.{number}"), 0);
    let half = width / 2;
    let narrow = Conv2d::same(builder.shape(input).channels(), half, 1);
    let x = ADDED.layer(builder, &names(0), narrow, input)?;
    let depthwise = Conv2d::same(half, half, 3).stride(2).groups(half);
    let x = ADDED.layer(builder, &names(1), depthwise, x)?;
    ADDED.layer(builder, &names(2), Conv2d::same(half, width, 1), x)
}

/// Adds a head: a depthwise convolution and a pointwise one.
fn head(
    builder: &mut Builder,
    name: &str,
    outputs: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let width = builder.shape(input).channels();
    let depthwise = Conv2d::same(width, width, 3).groups(width);
    let x = ADDED.layer(
        builder,
        &numbered(&format!("{name}.0"), 0),
        depthwise,
        input,
    )?;
    let pointwise = Conv2d::same(width, outputs, 1).biased();
    builder.add(&format!("{name}.1"), pointwise, &[x])
}
