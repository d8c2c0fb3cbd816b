//! The whole image in its proportions and a border on the right and below, as the detectors of torchvision and YOLOX take it.

use super::{Placement, Square, length, pixels, proportional};
use crate::data::Image;
use crate::data::resize::resize;
use crate::models::Interpolation;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;

/// How an image is put into the upper left corner of a square: its shorter side becomes `min` pixels, or less where its longer side
/// would become more than `max`, and what is left of the square is filled.
///
/// Sizes are those of torchvision's `GeneralizedRCNNTransform`, and with three equal sides those of YOLOX: the scale in f64, the
/// sides rounded down. An image is cut off where it is larger than the square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letterbox {
    /// The length of the shorter side after resizing, in pixels.
    #[serde(deserialize_with = "length")]
    pub min: NonZeroUsize,
    /// The largest length of the longer side after resizing, in pixels.
    #[serde(deserialize_with = "length")]
    pub max: NonZeroUsize,
    /// The side of the square, in pixels.
    #[serde(deserialize_with = "length")]
    pub side: NonZeroUsize,
    /// The level of the border in all channels; if absent, that which is nearest to the mean of each channel, for torchvision
    /// fills with zeros what is normalised already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<u8>,
    /// How pixels are interpolated.
    pub interpolation: Interpolation,
}

impl Square for Letterbox {
    fn side(&self) -> usize {
        self.side.get()
    }

    fn with_side(self, side: usize) -> Self {
        let scaled = |length| proportional(length, self.side, side);
        Self {
            min: scaled(self.min),
            max: scaled(self.max),
            side: pixels(side),
            ..self
        }
    }

    fn fit(&self, image: &Image, mean: &[f32]) -> Image {
        let [channels, height, width] = image.shape();
        let to = self.resized([height, width]);
        let window = to.map(|length| 0..length.min(self.side()));
        let inner = resize(image, to, window, self.interpolation);
        let fill = (0..channels).map(|c| self.fill.unwrap_or_else(|| nearest(mean.get(c))));
        inner.framed(self.side(), [0, 0], &fill.collect::<Vec<_>>())
    }

    fn placement(&self, original: [usize; 2]) -> Placement {
        let placement = Placement::new(original, self.resized(original));
        placement.moved([0.0, 0.0], self.side())
    }
}

impl Letterbox {
    /// Returns the size after resizing, `[h, w]`, one at least.
    fn resized(&self, original: [usize; 2]) -> [usize; 2] {
        let ratio = |side: NonZeroUsize, length: usize| side.get() as f64 / length as f64;
        let [height, width] = original;
        let scale = ratio(self.min, height.min(width)).min(ratio(self.max, height.max(width)));
        original.map(|length| ((length as f64 * scale) as usize).max(1))
    }
}

/// Returns the level nearest to a mean on the scale from 0 to 1.
fn nearest(mean: Option<&f32>) -> u8 {
    mean.map_or(0, |mean| (mean * 255.0).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letterbox(min: usize, max: usize, side: usize) -> Letterbox {
        Letterbox {
            min: pixels(min),
            max: pixels(max),
            side: pixels(side),
            fill: None,
            interpolation: Interpolation::PlainBilinear,
        }
    }

    #[test]
    fn sizes_follow_the_closed_form() {
        for (sides, original, expected) in [
            ((800, 1333, 1344), [480, 640], [800, 1066]),
            ((800, 1333, 1344), [640, 427], [1199, 800]), // 1199.06
            ((800, 1333, 1344), [300, 1000], [399, 1333]), // 399.9
            ((800, 1333, 1344), [1, 5000], [1, 1333]),    // 0.27
            ((640, 640, 640), [480, 640], [480, 640]),
            ((640, 640, 640), [1280, 100], [640, 50]),
            ((640, 640, 640), [333, 500], [426, 640]), // 426.24
        ] {
            let (min, max, side) = sides;
            let found = letterbox(min, max, side).resized(original);
            assert_eq!(found, expected, "{sides:?} {original:?}");
        }
    }

    #[test]
    fn another_side_keeps_the_proportions() {
        let half = letterbox(800, 1333, 1344).with_side(672);
        assert_eq!(half, letterbox(400, 667, 672));
        assert_eq!(half.side(), 672);
    }

    #[test]
    fn the_border_is_the_fill_or_the_mean() {
        let image = Image::from_fn([2, 2, 4], |c, _, _| [200, 100][c]);
        for (fill, border) in [(Some(114), [114, 114]), (None, [124, 0])] {
            let geometry = Letterbox {
                fill,
                ..letterbox(4, 4, 5)
            };
            let expected = Image::from_fn([2, 5, 5], |c, y, x| {
                let inside = y < 2 && x < 4;
                if inside { [200, 100][c] } else { border[c] }
            });
            assert_eq!(geometry.fit(&image, &[0.485, 0.001]), expected);
        }
    }

    #[test]
    fn what_is_larger_than_the_square_is_cut_off() {
        let image = Image::from_fn([1, 4, 4], |_, y, x| (4 * y + x) as u8);
        let geometry = letterbox(4, 4, 3);
        let expected = Image::from_slice([1, 3, 3], &[0, 1, 2, 4, 5, 6, 8, 9, 10]);
        assert_eq!(geometry.fit(&image, &[0.0]), expected);
        assert_eq!(geometry.placement([4, 4]).extent, [3.0, 3.0]);
    }
}
