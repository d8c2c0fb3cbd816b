//! Drawings, to be compared with those of another network.

use crate::data::Image;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

/// Images that a network drew, all of one shape, in levels from 0 to 255.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// Of each image: channels, height and width.
    shape: [usize; 3],
    /// All levels, in base 64.
    levels: String,
}

impl Drawn {
    /// Takes images of one shape.
    ///
    /// # Panics
    /// If there are none.
    pub(super) fn of(images: &[Image]) -> Self {
        let levels: Vec<u8> = images.iter().flat_map(Image::pixels).copied().collect();
        Self {
            shape: images[0].shape(),
            levels: BASE64_STANDARD.encode(levels),
        }
    }

    /// Returns the root of the mean squared difference of the levels to those of other drawings; `None` where these are not as many and of
    /// the same shape.
    pub(super) fn difference(&self, other: &Self) -> Option<f64> {
        let decoded = |drawn: &Self| BASE64_STANDARD.decode(&drawn.levels).ok();
        let (ours, theirs) = (decoded(self)?, decoded(other)?);
        if self.shape != other.shape || ours.len() != theirs.len() {
            return None;
        }
        let squares = ours
            .iter()
            .zip(&theirs)
            .map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
        Some((squares.sum::<f64>() / ours.len() as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_follow_the_definition() {
        let drawn = |levels: [u8; 4]| {
            let image = |first: usize| Image::from_fn([1, 1, 2], |_, _, x| levels[first + x]);
            Drawn::of(&[image(0), image(2)])
        };
        let (a, b) = (drawn([0, 10, 255, 7]), drawn([6, 10, 247, 7]));
        assert_eq!(a.difference(&b), Some(5.0));
        assert_eq!(a.difference(&a), Some(0.0));
        let one = Drawn::of(&[Image::from_fn([1, 1, 2], |_, _, _| 0)]);
        assert_eq!(a.difference(&one), None);
        let text = serde_json::to_string(&a).unwrap();
        assert_eq!(serde_json::from_str::<Drawn>(&text).unwrap(), a);
    }
}
