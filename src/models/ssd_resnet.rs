//! SSD (Liu et al. 2016) on a CIFAR ResNet, small enough to be trained and embedded: objects of 12 to 48 pixels in images of 64.
//!
//! Names and parameter names are the project's own, made like torchvision's: those of the ResNet below `backbone`, and the heads of its SSDs.

use super::default_boxes::DefaultBoxes;
use super::detection::{Heads, SSD_SELECTION, plain_head, ssd_head};
use super::parts::{Style, numbered};
use super::resnet_cifar::{ResNetCifar, with_blocks};
use super::{Architecture, Card, Head, Table, Variant};
use crate::graph::ops::{Activation, Conv2d};
use crate::graph::{BuildError, Builder, Graph};
use serde::{Deserialize, Serialize};

/// The features of a CIFAR ResNet, two layers that halve them, and heads on all three.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SsdResNet {
    in_chans: usize,
    /// Classes and the background.
    num_classes: usize,
    img_size: usize,
    /// Basic blocks in each stage of the ResNet.
    blocks: usize,
}

pub(super) static FAMILY: Table<SsdResNet> = Table {
    name: "ssd-resnet",
    summary: "SSD (Liu et al. 2016) on CIFAR ResNets for small images, names like torchvision's",
    task: "detection",
    variants: &[Variant::new(
        "ssd_resnet20",
        SsdResNet {
            in_chans: 1,
            num_classes: 11,
            img_size: 64,
            blocks: 3,
        },
        Card::UNPUBLISHED
            .stretched(64)
            .normalised(&[0.286], &[0.353]),
    )],
};

/// The channels that the ResNet ends with, and all that follows has.
const WIDTH: usize = 64;

/// Squares of 14 to 42 pixels in an image of 64.
const BOXES: DefaultBoxes = DefaultBoxes {
    scales: &[[0.22, 0.34], [0.34, 0.52], [0.52, 0.8]],
    ratios: &[&[2.0], &[2.0], &[2.0]],
    steps: &[],
};

impl Architecture for SsdResNet {
    const STEMS: &'static [&'static str] = &["backbone.conv1.weight"];
    const HEADS: &'static [&'static str] = &["head.classification_head.module_list.0.weight"];
    const ROWS_A_CLASS: usize = 4;

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let backbone: ResNetCifar = with_blocks(self.blocks);
        let mut x = backbone.features(&mut builder, "backbone.", input)?;
        let mut heads = Heads::torchvision(self.num_classes, plain_head);
        heads.look(&mut builder, BOXES.count(0), x)?;
        for index in 0..2 {
            let names = numbered(&format!("backbone.extra.{index}"), 0);
            let conv = Conv2d::same(WIDTH, WIDTH, 3).stride(2);
            x = Style::new(Activation::Relu).layer(&mut builder, &names, conv, x)?;
            heads.look(&mut builder, BOXES.count(index + 1), x)?;
        }
        heads.end(builder)
    }

    fn head(&self, graph: &Graph) -> Head {
        let sizes = [self.num_classes, self.img_size];
        ssd_head(&BOXES, sizes, graph, SSD_SELECTION)
    }
}
