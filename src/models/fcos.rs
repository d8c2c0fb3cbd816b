//! FCOS (Tian et al. 2019) on a pyramid of ResNet-50's features.
//!
//! Names and parameter names are torchvision's.

use super::detection::{after_background, gathered, grids};
use super::dialect::Dialect;
use super::fpn::{self, WIDTH, each, prediction, resnet50_fpn};
use super::{
    Architecture, Candidates, Card, Coding, Detector, Head, Scoring, Selection, Table, Variant,
};
use crate::graph::ops::{Activation, Conv2d, GroupNorm};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// Five levels, and two heads that look at each; one of them says two things.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fcos {
    in_chans: usize,
    /// Classes and a background that no box is of.
    num_classes: usize,
    /// The side of a square that holds images as torchvision resizes them, upright or not.
    img_size: usize,
}

pub(super) static FAMILY: Table<Fcos> = Table {
    name: "fcos",
    summary: "FCOS (Tian et al. 2019) on ResNet-50, names of torchvision",
    task: "detection",
    variants: &[Variant::new(
        "fcos_resnet50_fpn",
        Fcos {
            in_chans: 3,
            num_classes: 91,
            img_size: 1344,
        },
        Card::torchvision("fcos_resnet50_fpn_coco-99b0c9b7").letterboxed(800, 1333, 1344, None),
    )],
};

impl Architecture for Fcos {
    const STEMS: &'static [&'static str] = &["backbone.body.conv1.weight"];
    const HEADS: &'static [&'static str] = &["head.classification_head.cls_logits.weight"];
    const DIALECTS: &'static [Dialect<Self>] =
        &[Dialect::renamed("torchvision's files", fpn::published)];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let levels = resnet50_fpn(&mut builder, 1e-5, input)?;
        let [classification, regression] = ["head.classification_head", "head.regression_head"];
        let x = tower(&mut builder, classification, &levels)?;
        let name = format!("{classification}.cls_logits");
        let classes = prediction(&mut builder, &name, self.num_classes, &x)?;
        let x = tower(&mut builder, regression, &levels)?;
        let name = format!("{regression}.bbox_reg");
        let places = prediction(&mut builder, &name, 4, &x)?;
        let places = each(
            &mut builder,
            &format!("{name}.relu"),
            Activation::Relu,
            &places,
        )?;
        let name = format!("{regression}.bbox_ctrness");
        let centerness = prediction(&mut builder, &name, 1, &x)?;
        gathered(
            builder,
            &[
                ("cls_logits", self.num_classes, classes),
                ("bbox_regression", 4, places),
                ("bbox_ctrness", 1, centerness),
            ],
        )
    }

    fn head(&self, graph: &Graph) -> Head {
        Head::Boxes(Detector {
            levels: fpn::levels(&grids(graph), self.img_size, anchors),
            coding: Coding::Distances,
            scoring: Scoring::Centerness,
            classes: after_background(self.num_classes),
            selection: Selection {
                score_threshold: 0.2,
                candidates: Candidates::PerLevel(1000),
                nms_threshold: 0.6,
                detections: 100,
                clip: true,
            },
        })
    }
}

/// Adds four convolutions with their norms and activations, to each level.
fn tower(
    builder: &mut Builder,
    head: &str,
    levels: &[ValueId],
) -> Result<Vec<ValueId>, BuildError> {
    let norm = GroupNorm {
        groups: 32,
        channels: WIDTH,
        eps: 1e-5,
    };
    let mut x = levels.to_vec();
    for index in 0..4 {
        let part = |offset: usize| format!("{head}.conv.{}", 3 * index + offset);
        let conv = Conv2d::same(WIDTH, WIDTH, 3).biased();
        x = each(builder, &part(0), conv, &x)?;
        x = each(builder, &part(1), norm, &x)?;
        x = each(builder, &part(2), Activation::Relu, &x)?;
    }
    Ok(x)
}

/// Returns the one anchor of a cell, as large as a cell.
fn anchors(level: i32) -> Vec<[f32; 4]> {
    let half = 4.0 * (1 << level) as f32;
    vec![[-half, -half, half, half]]
}
