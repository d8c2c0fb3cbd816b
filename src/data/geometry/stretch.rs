//! The whole image without regard to its proportions, as SSD takes it.

use super::{Placement, Square, length, pixels};
use crate::data::Image;
use crate::data::resize::resize;
use crate::models::Interpolation;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;

/// How an image is stretched to a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// The side of the square, in pixels.
    #[serde(deserialize_with = "length")]
    pub side: NonZeroUsize,
    /// How pixels are interpolated.
    pub interpolation: Interpolation,
}

impl Square for Stretch {
    fn side(&self) -> usize {
        self.side.get()
    }

    fn with_side(self, side: usize) -> Self {
        Self {
            side: pixels(side),
            ..self
        }
    }

    fn fit(&self, image: &Image, _mean: &[f32]) -> Image {
        let side = self.side();
        let whole = [0..side, 0..side];
        resize(image, [side; 2], whole, self.interpolation)
    }

    fn placement(&self, original: [usize; 2]) -> Placement {
        Placement::new(original, [self.side(); 2])
    }
}
