//! The middle of the image, as classification networks take it.

use super::{Placement, Square, length, pixels, proportional};
use crate::data::Image;
use crate::data::resize::resize;
use crate::models::Interpolation;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::ops::Range;

/// How an image is cut to a square: its shorter side is resized, and the middle is cut out; where the crop is larger than
/// the resized image, it is filled up with black.
///
/// Sizes, offsets and pixels are those of torchvision's `Resize` and `CenterCrop` on images of Pillow's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// The length of the shorter side after resizing, in pixels.
    #[serde(deserialize_with = "length")]
    pub resize: NonZeroUsize,
    /// The side of the square, in pixels.
    #[serde(deserialize_with = "length")]
    pub crop: NonZeroUsize,
    /// How pixels are interpolated.
    pub interpolation: Interpolation,
}

impl Square for Crop {
    fn side(&self) -> usize {
        self.crop.get()
    }

    fn with_side(self, side: usize) -> Self {
        Self {
            resize: proportional(self.resize, self.crop, side),
            crop: pixels(side),
            ..self
        }
    }

    fn fit(&self, image: &Image, _mean: &[f32]) -> Image {
        let [channels, height, width] = image.shape();
        let crop = self.side();
        let to = self.resized(height, width);
        let [(rows, top), (columns, left)] = to.map(|side| middle(side, crop));
        let inner = resize(image, to, [rows, columns], self.interpolation);
        let black = vec![0; channels];
        inner.framed(crop, [top, left], &black)
    }

    fn placement(&self, original: [usize; 2]) -> Placement {
        let [height, width] = original;
        let to = self.resized(height, width);
        let offset = to.map(|side| {
            let (cut, before) = middle(side, self.side());
            before as f64 - cut.start as f64
        });
        Placement::new(original, to).moved(offset, self.side())
    }
}

impl Crop {
    /// Returns the size after resizing, `[h, w]`; the longer side is rounded down.
    fn resized(&self, height: usize, width: usize) -> [usize; 2] {
        let side = self.resize.get();
        if width <= height {
            [side * height / width, side]
        } else {
            [side, side * width / height]
        }
    }
}

/// Returns the part of a side that is cut out, and the black pixels before it.
fn middle(side: usize, crop: usize) -> (Range<usize>, usize) {
    if side < crop {
        return (0..side, (crop - side) / 2);
    }
    // Half of what is left over, rounded half to even as by Python.
    let half = (side - crop) / 2;
    let start = half + (side - crop) % 2 * (half % 2);
    (start..start + crop, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::geometry::tests::{hexadecimal, image};

    /// Results of torchvision and Pillow on the same image; `tests/reference/resize.py` made them.
    #[derive(Deserialize)]
    struct Reference {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        height: usize,
        width: usize,
        geometry: Crop,
        grey: bool,
        pixels: Vec<String>,
    }

    #[test]
    fn pixels_are_those_of_pillow() {
        let text = include_str!("../../../tests/reference/resize.json");
        let reference: Reference = serde_json::from_str(text).unwrap();
        assert!(reference.cases.len() >= 16);
        for case in reference.cases {
            let mut image = image(case.height, case.width);
            if case.grey {
                image = image.to_grey();
            }
            let found = hexadecimal(&case.geometry.fit(&image, &[]));
            let size = [case.height, case.width];
            assert_eq!(found, case.pixels.concat(), "{size:?} {:?}", case.geometry);
        }
    }

    fn geometry(resize: usize, crop: usize) -> Crop {
        Crop {
            resize: pixels(resize),
            crop: pixels(crop),
            interpolation: Interpolation::Bilinear,
        }
    }

    #[test]
    fn another_crop_keeps_the_proportion() {
        for (resize, crop, side, expected) in [
            (256, 224, 224, 256),
            (256, 224, 288, 329), // 329.14
            (235, 224, 240, 252), // 251.79
            (7, 2, 1, 4),         // 3.5
            (1, 224, 7, 1),       // never nothing
        ] {
            let found = geometry(resize, crop).with_side(side);
            assert_eq!(found, geometry(expected, side), "{resize} {crop} {side}");
        }
    }

    #[test]
    fn the_middle_is_rounded_as_python_does() {
        for (side, crop, range, before) in [
            (9, 9, 0..9, 0),
            (10, 9, 0..9, 0),  // 0.5
            (12, 9, 2..11, 0), // 1.5
            (14, 9, 2..11, 0), // 2.5
            (13, 9, 2..11, 0),
            (6, 9, 0..6, 1),
            (8, 9, 0..8, 0),
        ] {
            assert_eq!(middle(side, crop), (range, before), "{side} {crop}");
        }
    }

    #[test]
    fn a_thin_image_needs_no_more_memory_than_its_square() {
        let thin = Image::from_fn([3, 60_000, 1], |_, y, _| y as u8);
        assert_eq!(geometry(256, 224).fit(&thin, &[]).shape(), [3, 224, 224]);
    }

    #[test]
    fn the_place_of_the_middle_follows_the_closed_form() {
        for (resize, crop, original, scale, offset, extent) in [
            (8, 6, [10, 20], [0.8, 0.8], [-1.0, -5.0], [6.0, 6.0]),
            (8, 10, [8, 16], [1.0, 1.0], [1.0, -3.0], [9.0, 10.0]),
            (10, 10, [25, 10], [1.0, 1.0], [-8.0, 0.0], [10.0, 10.0]),
        ] {
            let found = geometry(resize, crop).placement(original);
            let expected = Placement {
                scale,
                offset,
                extent,
            };
            assert_eq!(found, expected, "{resize} {crop} {original:?}");
        }
    }
}
