//! EfficientNet-Lite (Liu 2020, `tpu/models/official/efficientnet/lite`): EfficientNet without squeeze and excitation, with
//! ReLU6, and with a stem and a head of one size.
//!
//! Names and parameter names are timm's. `tf_` networks carry the weights of the original and therefore pad as TensorFlow
//! does, with its epsilon.

use super::efficientnet::STAGES;
use super::inverted::{Network, Stage};
use super::parts::Style;
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::Activation;
use crate::graph::{BuildError, Graph};
use serde::{Deserialize, Serialize};

/// Inverted residuals whose widths and repeats are scaled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EfficientNetLite {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    channel_multiplier: f64,
    depth_multiplier: f64,
    /// Whether padding and epsilon are TensorFlow's.
    tf: bool,
}

const fn lite(channel_multiplier: f64, depth_multiplier: f64, img_size: usize) -> EfficientNetLite {
    EfficientNetLite {
        in_chans: 3,
        num_classes: 1000,
        img_size,
        channel_multiplier,
        depth_multiplier,
        tf: false,
    }
}

/// timm has the network, but no weights for it.
const UNTRAINED: Card = Card::UNPUBLISHED.bicubic();

pub(super) static FAMILY: Table<EfficientNetLite> = Table {
    name: "efficientnet-lite",
    summary: "EfficientNet-Lite (Liu 2020), names of timm",
    task: "classification",
    variants: &[
        Variant::new(
            "efficientnet_lite0",
            lite(1.0, 1.0, 224),
            Card::timm("efficientnet_lite0.ra_in1k"),
        ),
        Variant::new(
            "efficientnet_lite1",
            lite(1.0, 1.1, 240),
            UNTRAINED.sized(272, 240),
        ),
        Variant::new(
            "efficientnet_lite2",
            lite(1.1, 1.2, 260),
            UNTRAINED.sized(292, 260),
        ),
        Variant::new(
            "tf_efficientnet_lite0",
            EfficientNetLite {
                tf: true,
                ..lite(1.0, 1.0, 224)
            },
            Card::timm("tf_efficientnet_lite0.in1k").inception(),
        ),
    ],
};

impl Architecture for EfficientNetLite {
    const STEMS: &'static [&'static str] = &["conv_stem.weight"];
    const HEADS: &'static [&'static str] = &["classifier.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        let plain = Style::new(Activation::Relu6);
        let style = Style {
            eps: if self.tf { 1e-3 } else { plain.eps },
            tf_same: self.tf,
            ..plain
        };
        let deepened = |(index, stage): (usize, Stage)| {
            let stage = stage.widened(self.channel_multiplier);
            // The first and the last stage keep their single block.
            if index == 0 || index + 1 == STAGES.len() {
                stage
            } else {
                stage.deepened(self.depth_multiplier)
            }
        };
        let network = Network {
            style,
            stem: 32,
            stages: STAGES.into_iter().enumerate().map(deepened).collect(),
            excitation: |_| None,
            head: 1280,
        };
        network.build([self.in_chans, self.img_size, self.num_classes])
    }
}
