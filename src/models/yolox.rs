//! YOLOX (Ge et al. 2021).
//!
//! Names and parameter names are those of Megvii's checkpoints. Images come as `OpenCV` reads them: blue, green and red, from 0 to 255.

use super::detection::{gathered, grids, map_size};
use super::parts::Style;
use super::{
    Architecture, Candidates, Card, Coding, Detector, Head, Level, Scoring, Selection, Table,
    Variant,
};
use crate::graph::ops::{Activation, Add, Concat, Conv2d, Focus, MaxPool2d, Upsample};
use crate::graph::{BuildError, Builder, Graph, ValueId};
use serde::{Deserialize, Serialize};

/// A `CSPDarknet`, a pyramid that goes down and up again, and a head for each of its three levels.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Yolox {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// What the numbers of bottlenecks are multiplied by.
    depth: f64,
    /// What all widths are multiplied by.
    width: f64,
    /// Whether 3x3 convolutions are depthwise, followed by pointwise ones.
    depthwise: bool,
}

const fn sized(depth: f64, width: f64, img_size: usize) -> Yolox {
    Yolox {
        in_chans: 3,
        num_classes: 80,
        img_size,
        depth,
        width,
        depthwise: false,
    }
}

const fn card(source: &'static str, side: usize) -> Card {
    Card::UNPUBLISHED
        .at(source, "Apache-2.0")
        .letterboxed(side, side, side, Some(114))
        .normalised(&[0.0; 3], &[1.0 / 255.0; 3])
        .bgr()
}

pub(super) static FAMILY: Table<Yolox> = Table {
    name: "yolox",
    summary: "YOLOX (Ge et al. 2021), names of Megvii's checkpoints",
    task: "detection",
    variants: &[
        Variant::new(
            "yolox_nano",
            Yolox {
                depthwise: true,
                ..sized(0.33, 0.25, 416)
            },
            card(
                "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_nano.pth",
                416,
            ),
        ),
        Variant::new(
            "yolox_tiny",
            sized(0.33, 0.375, 416),
            card(
                "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_tiny.pth",
                416,
            ),
        ),
        Variant::new(
            "yolox_s",
            sized(0.33, 0.5, 640),
            card(
                "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_s.pth",
                640,
            ),
        ),
    ],
};

/// The distances between the cells of each level, in pixels.
const STRIDES: [u8; 3] = [8, 16, 32];

const STYLE: Style = Style {
    eps: 1e-3,
    ..Style::new(Activation::Silu)
};

impl Architecture for Yolox {
    // The first convolution takes four pixels of each channel, so that it does not tell how many there are.
    const STEMS: &'static [&'static str] = &[];
    const HEADS: &'static [&'static str] = &["head.cls_preds.0.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let features = self.darknet(&mut builder, "backbone.backbone", input)?;
        let levels = self.pyramid(&mut builder, features)?;
        let mut outputs = [
            ("cls_logits", self.num_classes, Vec::new()),
            ("bbox_regression", 4, Vec::new()),
            ("objectness", 1, Vec::new()),
        ];
        for (level, input) in levels.into_iter().enumerate() {
            let said = self.branches(&mut builder, level, input)?;
            for ((.., levels), value) in outputs.iter_mut().zip(said) {
                levels.push(value);
            }
        }
        gathered(builder, &outputs)
    }

    fn head(&self, graph: &Graph) -> Head {
        let grids = grids(graph);
        let anchors = grids.iter().map(|[rows, columns]| rows * columns);
        Head::Boxes(Detector {
            coding: Coding::Offsets([1.0; 4]),
            scoring: Scoring::Objectness,
            classes: (0..).map(Some).take(self.num_classes).collect(),
            selection: Selection {
                score_threshold: 0.01,
                candidates: Candidates::BestClass,
                nms_threshold: 0.65,
                detections: anchors.sum(),
                clip: false,
            },
            levels: grids.into_iter().zip(STRIDES).map(level).collect(),
        })
    }
}

/// Returns a level with one anchor a cell, as large as a cell, around its corner.
fn level((grid, stride): ([usize; 2], u8)) -> Level {
    let stride = f32::from(stride);
    let half = stride / 2.0;
    Level {
        grid,
        stride: [stride; 2],
        anchors: vec![[-half, -half, half, half]],
    }
}

impl Yolox {
    fn scaled(&self, channels: usize) -> usize {
        (channels as f64 * self.width) as usize
    }

    /// Returns a number of bottlenecks, at least one.
    fn repeats(&self, times: usize) -> usize {
        (3.0 * self.depth).round().max(1.0) as usize * times
    }

    /// Adds the backbone, and returns the features of its last three stages.
    fn darknet(
        &self,
        builder: &mut Builder,
        name: &str,
        input: ValueId,
    ) -> Result<[ValueId; 3], BuildError> {
        let part = |suffix: &str| format!("{name}.{suffix}");
        let x = builder.add(&part("stem.focus"), Focus {}, &[input])?;
        let stem = Conv2d::same(4 * self.in_chans, self.scaled(64), 3);
        let mut x = layer(builder, &part("stem.conv"), stem, x)?;
        let mut features = [x; 4];
        for (index, feature) in features.iter_mut().enumerate() {
            let stage = part(&format!("dark{}", index + 2));
            let width = self.scaled(128 << index);
            x = self.conv(builder, &format!("{stage}.0"), [width, 2], x)?;
            let last = index == 3;
            if last {
                x = pooled(builder, &format!("{stage}.1"), x)?;
            }
            let csp = Csp {
                width,
                repeats: self.repeats(if index == 1 || index == 2 { 3 } else { 1 }),
                shortcut: !last,
            };
            x = self.csp(
                builder,
                &format!("{stage}.{}", 1 + usize::from(last)),
                csp,
                x,
            )?;
            *feature = x;
        }
        let [_, rest @ ..] = features;
        Ok(rest)
    }

    /// Adds the pyramid, and returns its levels, the largest first.
    fn pyramid(
        &self,
        builder: &mut Builder,
        [large, medium, small]: [ValueId; 3],
    ) -> Result<[ValueId; 3], BuildError> {
        let [narrow, middle, wide] = [256, 512, 1024].map(|width| Csp {
            width: self.scaled(width),
            repeats: self.repeats(1),
            shortcut: false,
        });
        let part = |suffix: &str| format!("backbone.{suffix}");
        let lateral = pointwise(builder, &part("lateral_conv0"), middle.width, small)?;
        let x = below(builder, &part("upsample0"), lateral, medium)?;
        let x = self.csp(builder, &part("C3_p4"), middle, x)?;
        let reduced = pointwise(builder, &part("reduce_conv1"), narrow.width, x)?;
        let x = below(builder, &part("upsample1"), reduced, large)?;
        let first = self.csp(builder, &part("C3_p3"), narrow, x)?;
        let x = self.conv(builder, &part("bu_conv2"), [narrow.width, 2], first)?;
        let x = builder.add(&part("concat2"), Concat {}, &[x, reduced])?;
        let second = self.csp(builder, &part("C3_n3"), middle, x)?;
        let x = self.conv(builder, &part("bu_conv1"), [middle.width, 2], second)?;
        let x = builder.add(&part("concat1"), Concat {}, &[x, lateral])?;
        let third = self.csp(builder, &part("C3_n4"), wide, x)?;
        Ok([first, second, third])
    }

    /// Adds the head of a level: what it says of classes, of places, and of whether there is an object.
    fn branches(
        &self,
        builder: &mut Builder,
        level: usize,
        input: ValueId,
    ) -> Result<[ValueId; 3], BuildError> {
        let part = |module: &str| format!("head.{module}.{level}");
        let width = self.scaled(256);
        let stem = pointwise(builder, &part("stems"), width, input)?;
        let [mut classes, mut places] = [stem; 2];
        for index in 0..2 {
            let name = |module: &str| format!("{}.{index}", part(module));
            classes = self.conv(builder, &name("cls_convs"), [width, 1], classes)?;
            places = self.conv(builder, &name("reg_convs"), [width, 1], places)?;
        }
        let mut say = |module: &str, columns: usize, input: ValueId| {
            let conv = Conv2d::same(width, columns, 1).biased();
            builder.add(&part(module), conv, &[input])
        };
        Ok([
            say("cls_preds", self.num_classes, classes)?,
            say("reg_preds", 4, places)?,
            say("obj_preds", 1, places)?,
        ])
    }

    /// Adds a 3x3 convolution to some width with some stride, or a depthwise and a pointwise one.
    fn conv(
        &self,
        builder: &mut Builder,
        name: &str,
        [width, stride]: [usize; 2],
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let channels = builder.shape(input).channels();
        if !self.depthwise {
            let conv = Conv2d::same(channels, width, 3).stride(stride);
            return layer(builder, name, conv, input);
        }
        let depthwise = Conv2d::same(channels, channels, 3)
            .stride(stride)
            .groups(channels);
        let x = layer(builder, &format!("{name}.dconv"), depthwise, input)?;
        pointwise(builder, &format!("{name}.pconv"), width, x)
    }

    /// Adds two branches, one of them with bottlenecks, and what mixes them (Wang et al. 2020).
    fn csp(
        &self,
        builder: &mut Builder,
        name: &str,
        csp: Csp,
        input: ValueId,
    ) -> Result<ValueId, BuildError> {
        let part = |suffix: &str| format!("{name}.{suffix}");
        let hidden = csp.width / 2;
        let mut x = pointwise(builder, &part("conv1"), hidden, input)?;
        let bypass = pointwise(builder, &part("conv2"), hidden, input)?;
        for index in 0..csp.repeats {
            let bottleneck = |suffix: &str| part(&format!("m.{index}.{suffix}"));
            let inner = pointwise(builder, &bottleneck("conv1"), hidden, x)?;
            let inner = self.conv(builder, &bottleneck("conv2"), [hidden, 1], inner)?;
            x = if csp.shortcut {
                builder.add(&bottleneck("add"), Add {}, &[inner, x])?
            } else {
                inner
            };
        }
        let x = builder.add(&part("concat"), Concat {}, &[x, bypass])?;
        pointwise(builder, &part("conv3"), csp.width, x)
    }
}

/// What distinguishes the cross-stage partial layers.
#[derive(Debug, Clone, Copy)]
struct Csp {
    width: usize,
    repeats: usize,
    /// Whether bottlenecks are residual.
    shortcut: bool,
}

/// Adds a convolution, its batch norm and the activation.
fn layer(
    builder: &mut Builder,
    name: &str,
    conv: Conv2d,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let names = ["conv", "bn", "act"].map(|suffix| format!("{name}.{suffix}"));
    STYLE.layer(builder, &names, conv, input)
}

/// Adds a 1x1 convolution to some width, its batch norm and the activation.
fn pointwise(
    builder: &mut Builder,
    name: &str,
    width: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let conv = Conv2d::same(builder.shape(input).channels(), width, 1);
    layer(builder, name, conv, input)
}

/// Adds poolings of several sizes side by side, between pointwise convolutions (He et al. 2015).
fn pooled(builder: &mut Builder, name: &str, input: ValueId) -> Result<ValueId, BuildError> {
    let width = builder.shape(input).channels();
    let x = pointwise(builder, &format!("{name}.conv1"), width / 2, input)?;
    let mut sizes = vec![x];
    for (index, kernel) in [5, 9, 13].into_iter().enumerate() {
        let pool = MaxPool2d::new(kernel, 1).padding(kernel / 2);
        sizes.push(builder.add(&format!("{name}.m.{index}"), pool, &[x])?);
    }
    let x = builder.add(&format!("{name}.concat"), Concat {}, &sizes)?;
    pointwise(builder, &format!("{name}.conv2"), width, x)
}

/// Adds what comes from the level above, stretched, to the features of a level.
fn below(
    builder: &mut Builder,
    name: &str,
    above: ValueId,
    features: ValueId,
) -> Result<ValueId, BuildError> {
    let size = map_size(builder, features);
    let x = builder.add(name, Upsample { size }, &[above])?;
    builder.add(&format!("{name}.concat"), Concat {}, &[x, features])
}
