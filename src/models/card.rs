//! What is known of the published checkpoint of a model.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// Where a model's published checkpoint is, and how it expects its images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Card {
    /// Where the checkpoint is; nothing where nobody publishes one.
    pub source: Option<Origin>,
    /// Its licence, as in the SPDX list.
    pub license: Option<&'static str>,
    /// How it expects images. Where there is no checkpoint, what a training by the recipe of its siblings would have.
    pub preprocessing: Preprocessing,
}

/// A place of checkpoints, and the name of one there.
///
/// [`fmt::Display`] and JSON have it in full: what `--weights` takes, or a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// One of timm's repositories on the Hugging Face hub.
    Timm(&'static str),
    /// A file of torchvision's, without extension.
    Torchvision(&'static str),
    /// Any other, in full.
    Other(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timm(repository) => write!(f, "hf:timm/{repository}"),
            Self::Torchvision(file) => write!(f, "https://download.pytorch.org/models/{file}.pth"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How images become inputs: squares are made of them, channels are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Preprocessing {
    /// How an image becomes a square.
    #[serde(flatten)]
    pub fit: Fit,
    /// How pixels are interpolated.
    pub interpolation: Interpolation,
    /// The mean of each channel, of pixels in `[0, 1]`, in the order of the image's channels.
    pub mean: &'static [f32],
    /// The standard deviation of each channel.
    pub std: &'static [f32],
    /// The order of the input's channels.
    #[serde(skip_serializing_if = "ChannelOrder::is_rgb")]
    pub channels: ChannelOrder,
}

/// A way of making a square of an image; lengths are in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Fit {
    /// The shorter side is resized, the middle is cut out.
    Crop {
        /// The length of the shorter side after resizing.
        resize: usize,
        /// The side of the square.
        crop: usize,
    },
    /// Both sides are resized, whatever the proportions.
    Stretch {
        /// The side of the square.
        side: usize,
    },
    /// All of the image is put into the upper left corner, in its proportions.
    Letterbox {
        /// The length of the shorter side after resizing.
        min: usize,
        /// The largest length of the longer side, for which the shorter one becomes less.
        max: usize,
        /// The side of the square.
        side: usize,
        /// The level of the border; if absent, that of the mean.
        #[serde(skip_serializing_if = "Option::is_none")]
        fill: Option<u8>,
    },
}

impl Fit {
    /// Returns the side of the square, in pixels.
    pub const fn side(self) -> usize {
        match self {
            Self::Crop { crop: side, .. }
            | Self::Stretch { side }
            | Self::Letterbox { side, .. } => side,
        }
    }
}

/// Lengths in the order of their use: `256/224`, `300x300`, `800-1333/1344`.
impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crop { resize, crop } => write!(f, "{resize}/{crop}"),
            Self::Stretch { side } => write!(f, "{side}x{side}"),
            Self::Letterbox { min, max, side, .. } => write!(f, "{min}-{max}/{side}"),
        }
    }
}

/// A way of resizing images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Linear in each direction, with the antialiasing of PIL and torchvision's transforms.
    Bilinear,
    /// Cubic in each direction (Catmull-Rom, a = -0.5), with the same antialiasing.
    Bicubic,
    /// Linear in each direction between the nearest pixels, without antialiasing: PyTorch's `interpolate`, `cv2.INTER_LINEAR`.
    PlainBilinear,
}

impl fmt::Display for Interpolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
            Self::PlainBilinear => "plain-bilinear",
        })
    }
}

/// The order in which a network takes the channels of colour images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red: networks trained on what `OpenCV` reads.
    Bgr,
}

impl ChannelOrder {
    /// Whether it is that of images.
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks with references"
    )]
    pub(crate) fn is_rgb(&self) -> bool {
        *self == Self::Rgb
    }
}

impl Preprocessing {
    /// ImageNet's mean and standard deviation, 256 pixels of which 224 are cut out, bilinear: torchvision's of 2016.
    const IMAGENET: Self = Self {
        fit: Fit::Crop {
            resize: 256,
            crop: 224,
        },
        interpolation: Interpolation::Bilinear,
        mean: &[0.485, 0.456, 0.406],
        std: &[0.229, 0.224, 0.225],
        channels: ChannelOrder::Rgb,
    };

    /// Mean and standard deviation of CIFAR-10 as its checkpoints usually have them, for images as they are.
    const CIFAR10: Self = Self {
        mean: &[0.4914, 0.4822, 0.4465],
        std: &[0.2023, 0.1994, 0.201],
        ..Self::IMAGENET.sized(32, 32)
    };

    /// The same of CIFAR-100.
    const CIFAR100: Self = Self {
        mean: &[0.507, 0.4865, 0.4409],
        std: &[0.2673, 0.2564, 0.2761],
        ..Self::CIFAR10
    };

    const fn sized(self, resize: usize, crop: usize) -> Self {
        Self {
            fit: Fit::Crop { resize, crop },
            ..self
        }
    }
}

impl Card {
    /// Nobody's checkpoint.
    pub const UNPUBLISHED: Self = Self {
        source: None,
        license: None,
        preprocessing: Preprocessing::IMAGENET,
    };

    /// The checkpoints of chenyaofo's `pytorch-cifar-models` for CIFAR-10.
    pub(super) const CIFAR10: Self = Self {
        source: Some(Origin::Other(
            "https://github.com/chenyaofo/pytorch-cifar-models",
        )),
        license: Some("BSD-3-Clause"),
        preprocessing: Preprocessing::CIFAR10,
    };

    /// The same for CIFAR-100.
    pub(super) const CIFAR100: Self = Self {
        preprocessing: Preprocessing::CIFAR100,
        ..Self::CIFAR10
    };

    /// The first weights that torchvision had for a model (`IMAGENET1K_V1`), in the file called `file`.
    pub(super) const fn torchvision(file: &'static str) -> Self {
        Self {
            source: Some(Origin::Torchvision(file)),
            license: Some("BSD-3-Clause"),
            preprocessing: Preprocessing::IMAGENET,
        }
    }

    /// The weights that timm takes by default, in its repository called `repository`.
    pub(super) const fn timm(repository: &'static str) -> Self {
        Self {
            source: Some(Origin::Timm(repository)),
            license: Some("Apache-2.0"),
            preprocessing: Preprocessing::IMAGENET,
        }
        .bicubic()
    }

    /// A checkpoint that is elsewhere, for images as `self` has them.
    pub(super) const fn at(self, source: &'static str, license: &'static str) -> Self {
        Self {
            source: Some(Origin::Other(source)),
            license: Some(license),
            ..self
        }
    }

    /// Sets the licence.
    pub(super) const fn licensed(self, license: &'static str) -> Self {
        Self {
            license: Some(license),
            ..self
        }
    }

    /// Sets the sides after resizing and cutting.
    pub(super) const fn sized(self, resize: usize, crop: usize) -> Self {
        Self {
            preprocessing: self.preprocessing.sized(resize, crop),
            ..self
        }
    }

    /// Stretches images to squares of `side` pixels, interpolated as detectors do it: plainly.
    #[must_use]
    pub const fn stretched(self, side: usize) -> Self {
        self.plainly(Fit::Stretch { side })
    }

    /// Puts images into the upper left corner of squares of `side` pixels, interpolated plainly: the shorter side becomes `min`, the longer
    /// one at most `max`; without a level to fill the rest with, it is that of the mean.
    #[must_use]
    pub const fn letterboxed(self, min: usize, max: usize, side: usize, fill: Option<u8>) -> Self {
        self.plainly(Fit::Letterbox {
            min,
            max,
            side,
            fill,
        })
    }

    const fn plainly(self, fit: Fit) -> Self {
        Self {
            preprocessing: Preprocessing {
                fit,
                interpolation: Interpolation::PlainBilinear,
                ..self.preprocessing
            },
            ..self
        }
    }

    /// Interpolates with cubics.
    pub(super) const fn bicubic(self) -> Self {
        Self {
            preprocessing: Preprocessing {
                interpolation: Interpolation::Bicubic,
                ..self.preprocessing
            },
            ..self
        }
    }

    /// Sets mean and standard deviation.
    pub(super) const fn normalised(self, mean: &'static [f32], std: &'static [f32]) -> Self {
        Self {
            preprocessing: Preprocessing {
                mean,
                std,
                ..self.preprocessing
            },
            ..self
        }
    }

    /// Takes channels from blue to red.
    pub(super) const fn bgr(self) -> Self {
        Self {
            preprocessing: Preprocessing {
                channels: ChannelOrder::Bgr,
                ..self.preprocessing
            },
            ..self
        }
    }

    /// Scales pixels to `[-1, 1]`: the Inceptions and the models of Google's that followed.
    pub(super) const fn inception(self) -> Self {
        self.normalised(&[0.5; 3], &[0.5; 3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preprocessing_is_written_flat_and_as_one_word() {
        let card = Card::UNPUBLISHED.normalised(&[0.5], &[0.25]);
        for (card, word, json) in [
            (
                card,
                "256/224",
                r#""resize":256,"crop":224,"interpolation":"bilinear""#,
            ),
            (
                card.stretched(300),
                "300x300",
                r#""side":300,"interpolation":"plain-bilinear""#,
            ),
            (
                card.letterboxed(800, 1333, 1344, None),
                "800-1333/1344",
                r#""min":800,"max":1333,"side":1344,"interpolation":"plain-bilinear""#,
            ),
            (
                card.letterboxed(640, 640, 640, Some(114)),
                "640-640/640",
                r#""min":640,"max":640,"side":640,"fill":114,"interpolation":"plain-bilinear""#,
            ),
        ] {
            let images = card.preprocessing;
            assert_eq!(images.fit.to_string(), word);
            let json = format!(r#"{{{json},"mean":[0.5],"std":[0.25]}}"#);
            assert_eq!(serde_json::to_string(&images).unwrap(), json);
        }
    }
}
