//! What is known of the published checkpoints of a model.

use serde::{Deserialize, Serialize};

/// Where a model's published checkpoint comes from, and how it expects its images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Card {
    /// Who publishes it, or where: a repository of the hub as `hf:<owner>/<repo>`, which `--weights` takes, or a name.
    pub source: &'static str,
    /// Its licence, as in the SPDX list.
    pub license: &'static str,
    /// How it expects images.
    pub preprocessing: Preprocessing,
}

/// How images become inputs: the shorter side is resized, the middle is cut out, channels are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Preprocessing {
    /// The length of the shorter side after resizing, in pixels.
    pub resize: usize,
    /// The side of the square that is cut out of the middle, in pixels.
    pub crop: usize,
    /// How pixels are interpolated; always with the antialiasing of PIL and torchvision.
    pub interpolation: Interpolation,
    /// The mean of each channel, of pixels in `[0, 1]`.
    pub mean: &'static [f32],
    /// The standard deviation of each channel.
    pub std: &'static [f32],
}

/// A way of resizing images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Linear in each direction.
    Bilinear,
    /// Cubic in each direction (Catmull-Rom, a = -0.5, as in PIL).
    Bicubic,
}

impl Preprocessing {
    /// ImageNet's mean and standard deviation, 256 pixels of which 224 are cut out, bilinear: torchvision's of 2016.
    pub(super) const IMAGENET: Self = Self {
        resize: 256,
        crop: 224,
        interpolation: Interpolation::Bilinear,
        mean: &[0.485, 0.456, 0.406],
        std: &[0.229, 0.224, 0.225],
    };

    /// The same, scaled to `[-1, 1]` instead: the Inceptions and the models of Google's that followed.
    pub(super) const INCEPTION: Self = Self {
        mean: &[0.5, 0.5, 0.5],
        std: &[0.5, 0.5, 0.5],
        ..Self::IMAGENET
    };

    /// Sets the sides after resizing and cutting.
    pub(super) const fn sized(self, resize: usize, crop: usize) -> Self {
        Self {
            resize,
            crop,
            ..self
        }
    }

    /// Interpolates with cubics.
    pub(super) const fn bicubic(self) -> Self {
        Self {
            interpolation: Interpolation::Bicubic,
            ..self
        }
    }
}

impl Card {
    /// A checkpoint of torchvision's.
    pub(super) const TORCHVISION: Self = Self {
        source: "torchvision",
        license: "BSD-3-Clause",
        preprocessing: Preprocessing::IMAGENET,
    };

    /// A checkpoint of timm's.
    pub(super) const TIMM: Self = Self {
        source: "timm",
        license: "Apache-2.0",
        preprocessing: Preprocessing::IMAGENET.bicubic(),
    };

    /// Sets how images are expected.
    pub(super) const fn with(self, preprocessing: Preprocessing) -> Self {
        Self {
            preprocessing,
            ..self
        }
    }
}
