//! `RetinaNet` (Lin et al. 2017) on a pyramid of ResNet-50's features.
//!
//! Names and parameter names are torchvision's, and so are batch norms without an epsilon, which its checkpoint needs.

use super::detection::{after_background, gathered, grids};
use super::dialect::Dialect;
use super::fpn::{self, WIDTH, each, prediction, resnet50_fpn};
use super::{
    Architecture, Candidates, Card, Coding, Detector, Head, Scoring, Selection, Table, Variant,
};
use crate::graph::ops::{Activation, Conv2d};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// Five levels, and two heads that look at each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetinaNet {
    in_chans: usize,
    /// Classes and a background that no box is of.
    num_classes: usize,
    /// The side of a square that holds images as torchvision resizes them, upright or not.
    img_size: usize,
}

pub(super) static FAMILY: Table<RetinaNet> = Table {
    name: "retinanet",
    summary: "RetinaNet (Lin et al. 2017) on ResNet-50, names of torchvision",
    task: "detection",
    variants: &[Variant::new(
        "retinanet_resnet50_fpn",
        RetinaNet {
            in_chans: 3,
            num_classes: 91,
            img_size: 1344,
        },
        Card::torchvision("retinanet_resnet50_fpn_coco-eeacb38b")
            .letterboxed(800, 1333, 1344, None),
    )],
};

/// The anchors of a cell.
const ANCHORS: usize = 9;

impl Architecture for RetinaNet {
    const STEMS: &'static [&'static str] = &["backbone.body.conv1.weight"];
    const HEADS: &'static [&'static str] = &["head.classification_head.cls_logits.weight"];
    const ROWS_A_CLASS: usize = ANCHORS;
    const DIALECTS: &'static [Dialect<Self>] =
        &[Dialect::renamed("torchvision's files", published)];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let levels = resnet50_fpn(&mut builder, 0.0, input)?;
        let mut outputs = Vec::new();
        for (name, module, columns) in [
            (
                "cls_logits",
                "classification_head.cls_logits",
                self.num_classes,
            ),
            ("bbox_regression", "regression_head.bbox_reg", 4),
        ] {
            let name_of = |module: &str| format!("head.{module}");
            let (head, _) = module.split_once('.').expect("a head holds a layer");
            let x = tower(&mut builder, &name_of(head), &levels)?;
            let x = prediction(&mut builder, &name_of(module), ANCHORS * columns, &x)?;
            outputs.push((name, columns, x));
        }
        gathered(builder, &outputs)
    }

    fn head(&self, graph: &Graph) -> Head {
        Head::Boxes(Detector {
            levels: fpn::levels(&grids(graph), self.img_size, anchors),
            coding: Coding::Offsets([1.0; 4]),
            scoring: Scoring::Sigmoid,
            classes: after_background(self.num_classes),
            selection: Selection {
                score_threshold: 0.05,
                candidates: Candidates::PerLevel(1000),
                nms_threshold: 0.5,
                detections: 300,
                clip: true,
            },
        })
    }
}

/// Adds four convolutions with their activations, to each level.
fn tower(
    builder: &mut Builder,
    head: &str,
    levels: &[ValueId],
) -> Result<Vec<ValueId>, BuildError> {
    let mut x = levels.to_vec();
    for index in 0..4 {
        let conv = Conv2d::same(WIDTH, WIDTH, 3).biased();
        x = each(builder, &format!("{head}.conv.{index}.0"), conv, &x)?;
        x = each(
            builder,
            &format!("{head}.conv.{index}.1"),
            Activation::Relu,
            &x,
        )?;
    }
    Ok(x)
}

/// Returns anchors of three ratios of height to width, each in three sizes within an octave, with edges on whole pixels.
fn anchors(level: i32) -> Vec<[f32; 4]> {
    let size = 32.0 * f64::from(1 << level);
    let sizes = [0.0, 1.0, 2.0].map(|third: f64| (size * (third / 3.0).exp2()).floor());
    let of_ratio = |ratio: f64| {
        sizes.map(|size| {
            let half = |side: f64| (side / 2.0).round_ties_even() as f32;
            let (w, h) = (half(size / ratio.sqrt()), half(size * ratio.sqrt()));
            [-w, -h, w, h]
        })
    };
    [0.5, 1.0, 2.0].map(of_ratio).concat()
}

/// The names in torchvision's files: layers and activations of a head were not yet modules of two.
fn published(name: &str) -> String {
    let renamed = || {
        let (head, rest) = name.split_once(".conv.")?;
        let (index, parameter) = rest.split_once(".0.")?;
        let index: usize = index.parse().ok()?;
        Some(format!("{head}.conv.{}.{parameter}", 2 * index))
    };
    renamed().unwrap_or_else(|| fpn::published(name))
}
