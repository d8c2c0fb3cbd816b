//! From images of any size to squares of one size.

use super::Image;
use super::resize::resize;
use crate::models::{Interpolation, Preprocessing};
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::ops::Range;

/// How an image is cut to a square: its shorter side is resized, and the middle is cut out; where the crop is larger than
/// the resized image, it is filled up with black.
///
/// Sizes, offsets and pixels are those of torchvision's `Resize` and `CenterCrop` on images of Pillow's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Geometry {
    /// The length of the shorter side after resizing, in pixels.
    pub resize: NonZeroUsize,
    /// The side of the square, in pixels.
    pub crop: NonZeroUsize,
    /// How pixels are interpolated.
    pub interpolation: Interpolation,
}

impl Geometry {
    /// Returns the same for a network that takes squares of another size: the crop is `side`, the resized side in proportion.
    ///
    /// # Panics
    /// If `side` is zero.
    #[must_use]
    pub fn with_crop(self, side: usize) -> Self {
        let (resize, crop) = (self.resize.get(), self.crop.get());
        let scaled = (2 * resize * side + crop) / (2 * crop);
        Self {
            resize: NonZeroUsize::new(scaled.max(1)).expect("one at least"),
            crop: NonZeroUsize::new(side).expect("an image has pixels"),
            ..self
        }
    }

    /// Returns the square of `image`, which has pixels.
    pub fn fit(&self, image: &Image) -> Image {
        let [channels, height, width] = image.shape();
        let crop = self.crop.get();
        let to = self.resized(height, width);
        let [(rows, top), (columns, left)] = to.map(|side| middle(side, crop));
        let inner = resize(image, to, [rows, columns], self.interpolation);
        if inner.shape() == [channels, crop, crop] {
            return inner;
        }
        Image::from_fn([channels, crop, crop], |c, y, x| {
            let inside = y.checked_sub(top).zip(x.checked_sub(left));
            inside
                .and_then(|(y, x)| inner.value(c, y, x))
                .unwrap_or_default()
        })
    }

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

/// As a model's card says.
impl From<Preprocessing> for Geometry {
    fn from(card: Preprocessing) -> Self {
        let pixels = |side| NonZeroUsize::new(side).expect("cards have sides of pixels");
        Self {
            resize: pixels(card.resize),
            crop: pixels(card.crop),
            interpolation: card.interpolation,
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

    /// Results of torchvision and Pillow on the same image; `tests/reference/resize.py` made them.
    #[derive(Deserialize)]
    struct Reference {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        height: usize,
        width: usize,
        geometry: Geometry,
        grey: bool,
        pixels: Vec<String>,
    }

    fn image(height: usize, width: usize) -> Image {
        Image::from_fn([3, height, width], |c, y, x| {
            let value = 7 * x * x + 13 * y * y + 5 * x * y + 91 * c;
            ((value >> 3) ^ value) as u8
        })
    }

    fn hexadecimal(image: &Image) -> String {
        use std::fmt::Write;
        image.pixels().iter().fold(String::new(), |mut text, p| {
            write!(text, "{p:02x}").unwrap();
            text
        })
    }

    #[test]
    fn pixels_are_those_of_pillow() {
        let text = include_str!("../../tests/reference/resize.json");
        let reference: Reference = serde_json::from_str(text).unwrap();
        assert!(reference.cases.len() >= 16);
        for case in reference.cases {
            let mut image = image(case.height, case.width);
            if case.grey {
                image = image.to_grey();
            }
            let found = hexadecimal(&case.geometry.fit(&image));
            let size = [case.height, case.width];
            assert_eq!(found, case.pixels.concat(), "{size:?} {:?}", case.geometry);
        }
    }

    fn geometry(resize: usize, crop: usize) -> Geometry {
        let pixels = |side| NonZeroUsize::new(side).unwrap();
        Geometry {
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
            let found = geometry(resize, crop).with_crop(side);
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
        assert_eq!(geometry(256, 224).fit(&thin).shape(), [3, 224, 224]);
    }
}
