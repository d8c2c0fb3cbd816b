//! Samples for people to look at.

use crate::data::Image;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

/// The longer side of a picture, in pixels, beyond which it is made smaller.
const LARGEST: usize = 256;

/// A sample of the test data, and what a network makes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exhibit {
    /// What it is: `test image 3`.
    pub name: String,
    /// The picture.
    pub picture: Picture,
    /// What is there.
    pub truth: Vec<Mark>,
    /// What the network sees.
    pub seen: Vec<Mark>,
}

/// A picture that a page can hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// A PNG as a `data:` URL.
    pub url: String,
    /// Its width, in pixels.
    pub width: usize,
    /// Its height, in pixels.
    pub height: usize,
}

/// A box in a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// The left, upper, right and lower edge, in pixels of the picture.
    pub edges: [f32; 4],
    /// What it is.
    pub label: String,
    /// How sure the network is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

impl Picture {
    /// Makes a picture of an image, and says by what factor it is smaller.
    pub(super) fn of(image: &Image) -> (Self, f64) {
        let [_, height, width] = image.shape();
        let factor = (LARGEST as f64 / height.max(width) as f64).min(1.0);
        let side = |length: usize| ((length as f64 * factor).round() as usize).max(1);
        let small = image.resized([side(height), side(width)]);
        let [_, height, width] = small.shape();
        let text = BASE64_STANDARD.encode(small.to_png());
        let picture = Self {
            url: format!("data:image/png;base64,{text}"),
            width,
            height,
        };
        (picture, factor)
    }
}
