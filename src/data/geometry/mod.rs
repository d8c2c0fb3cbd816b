//! From images of any size to squares of one size.

mod crop;
mod letterbox;
mod placement;
mod stretch;

pub use crop::Crop;
pub use letterbox::Letterbox;
pub use placement::Placement;
pub use stretch::Stretch;

use super::Image;
use crate::models::{Fit, Preprocessing};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::num::NonZeroUsize;

/// The largest length that can be written, in pixels: what such lengths are multiplied with does not overflow.
const LONGEST: usize = 1 << 16;

/// How an image becomes a square; which way it is, its fields tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a geometry of positive sides up to 65536: `resize` and `crop`, or `side`, or `min`, `max`, `side` and perhaps `fill` (a byte), \
    and with either of them `interpolation`: `bilinear`, `bicubic` or `plain-bilinear`"
)]
pub enum Geometry {
    /// Its middle.
    Crop(Crop),
    /// All of it, without regard to its proportions.
    Stretch(Stretch),
    /// All of it in its proportions, and a border.
    Letterbox(Letterbox),
}

/// One way of making squares.
trait Square {
    /// Returns the side of the square, in pixels.
    fn side(&self) -> usize;

    /// Returns the same for a network that takes squares of another size, all lengths in proportion.
    fn with_side(self, side: usize) -> Self;

    /// Returns the square of `image`, which has pixels; `mean` is that of each channel, on the scale from 0 to 1.
    fn fit(&self, image: &Image, mean: &[f32]) -> Image;

    /// Returns where an image of `original` rows and columns lies in the square.
    fn placement(&self, original: [usize; 2]) -> Placement;
}

/// Evaluates an expression for each kind of geometry.
macro_rules! each {
    ($geometry:expr, $square:ident => $value:expr) => {
        match $geometry {
            Geometry::Crop($square) => $value,
            Geometry::Stretch($square) => $value,
            Geometry::Letterbox($square) => $value,
        }
    };
}

impl Geometry {
    /// Returns the side of the square, in pixels.
    pub fn side(&self) -> usize {
        each!(self, square => square.side())
    }

    /// Returns the same for a network that takes squares of another size, all lengths in proportion.
    ///
    /// # Panics
    /// If `side` is zero.
    #[must_use]
    pub fn with_side(self, side: usize) -> Self {
        each!(self, square => square.with_side(side).into())
    }

    /// Returns the square of `image`, which has pixels. A border has the colour `mean`, on the scale from 0 to 1, where nothing
    /// else is said.
    pub fn fit(&self, image: &Image, mean: &[f32]) -> Image {
        each!(self, square => square.fit(image, mean))
    }

    /// Returns where an image of `original` rows and columns, one at least of each, lies in the square.
    pub fn placement(&self, original: [usize; 2]) -> Placement {
        each!(self, square => square.placement(original))
    }
}

impl From<Crop> for Geometry {
    fn from(crop: Crop) -> Self {
        Self::Crop(crop)
    }
}

impl From<Stretch> for Geometry {
    fn from(stretch: Stretch) -> Self {
        Self::Stretch(stretch)
    }
}

impl From<Letterbox> for Geometry {
    fn from(letterbox: Letterbox) -> Self {
        Self::Letterbox(letterbox)
    }
}

/// As a model's card says.
impl From<Preprocessing> for Geometry {
    fn from(card: Preprocessing) -> Self {
        let interpolation = card.interpolation;
        match card.fit {
            Fit::Crop { resize, crop } => Self::Crop(Crop {
                resize: pixels(resize),
                crop: pixels(crop),
                interpolation,
            }),
            Fit::Stretch { side } => Self::Stretch(Stretch {
                side: pixels(side),
                interpolation,
            }),
            Fit::Letterbox {
                min,
                max,
                side,
                fill,
            } => Self::Letterbox(Letterbox {
                min: pixels(min),
                max: pixels(max),
                side: pixels(side),
                fill,
                interpolation,
            }),
        }
    }
}

fn pixels(side: usize) -> NonZeroUsize {
    NonZeroUsize::new(side).expect("what images are made for has pixels")
}

/// Reads a length that is not larger than [`LONGEST`].
fn length<'de, D: Deserializer<'de>>(number: D) -> Result<NonZeroUsize, D::Error> {
    let length = NonZeroUsize::deserialize(number)?;
    if length.get() > LONGEST {
        return Err(D::Error::custom("a length beyond all measure"));
    }
    Ok(length)
}

/// Returns what `length` is where `side` becomes `to`, rounded, and one at least.
fn proportional(length: NonZeroUsize, side: NonZeroUsize, to: usize) -> NonZeroUsize {
    let [length, side] = [length, side].map(NonZeroUsize::get);
    pixels(((2 * length * to + side) / (2 * side)).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    /// The image of the reference scripts.
    pub(super) fn image(height: usize, width: usize) -> Image {
        Image::from_fn([3, height, width], |c, y, x| {
            let value = 7 * x * x + 13 * y * y + 5 * x * y + 91 * c;
            ((value >> 3) ^ value) as u8
        })
    }

    pub(super) fn hexadecimal(image: &Image) -> String {
        image.pixels().iter().fold(String::new(), |mut text, p| {
            write!(text, "{p:02x}").unwrap();
            text
        })
    }

    /// Found by fuzzing: a `config.json` with a `crop_pct` of zero has images resized to all pixels that can be counted.
    #[test]
    fn lengths_beyond_all_measure_are_refused() {
        let read = |length: &str| {
            let crop = format!(r#"{{"resize":{length},"crop":224,"interpolation":"bilinear"}}"#);
            serde_json::from_str::<Geometry>(&crop)
        };
        assert!(read("65536").is_ok());
        for length in ["65537", "18446744073709551615", "0"] {
            let message = read(length).unwrap_err().to_string();
            assert!(message.contains("positive sides up to 65536"), "{message}");
        }
    }

    /// Results of PyTorch on the same image; `tests/reference/interpolate.py` made them.
    #[derive(Deserialize)]
    struct Reference {
        mean: [f32; 3],
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        height: usize,
        width: usize,
        geometry: Geometry,
        size: [f64; 2],
        pixels: Vec<String>,
    }

    #[test]
    fn pixels_and_sizes_are_those_of_torch() {
        let text = include_str!("../../../tests/reference/interpolate.json");
        let reference: Reference = serde_json::from_str(text).unwrap();
        assert!(reference.cases.len() >= 16);
        for case in reference.cases {
            let size = [case.height, case.width];
            let image = image(case.height, case.width);
            let found = hexadecimal(&case.geometry.fit(&image, &reference.mean));
            assert_eq!(found, case.pixels.concat(), "{size:?} {:?}", case.geometry);
            let extent = case.geometry.placement(size).extent;
            assert_eq!(extent, case.size, "{size:?} {:?}", case.geometry);
        }
    }

    #[test]
    fn fields_tell_which_geometry_is_meant() {
        for text in [
            r#"{"resize":256,"crop":224,"interpolation":"bicubic"}"#,
            r#"{"side":300,"interpolation":"plain-bilinear"}"#,
            r#"{"min":800,"max":1333,"side":1344,"interpolation":"plain-bilinear"}"#,
            r#"{"min":640,"max":640,"side":640,"fill":114,"interpolation":"bilinear"}"#,
        ] {
            let geometry: Geometry = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&geometry).unwrap(), text);
        }
        for text in [
            r#"{"crop":224,"interpolation":"bicubic"}"#,
            r#"{"side":0,"interpolation":"bilinear"}"#,
            r#"{"side":300,"fill":1,"interpolation":"bilinear"}"#,
            r#"{"min":640,"max":640,"side":640,"fill":256,"interpolation":"bilinear"}"#,
        ] {
            let error = serde_json::from_str::<Geometry>(text).unwrap_err();
            let message = error.to_string();
            assert!(message.starts_with("expected a geometry of"), "{message}");
        }
    }
}
