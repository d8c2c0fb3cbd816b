//! `flip`: the mirror image, left and right exchanged.

use super::Augmentation;
use crate::data::Image;
use crate::registry::{Technique, from_params};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

pub(super) const FLIP: Technique<dyn Augmentation> = Technique::new(
    "flip",
    "the mirror image, left and right exchanged",
    |params| Ok(Box::new(from_params::<Flip>(params)?)),
);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Flip {}

impl Augmentation for Flip {
    fn copy(&self, image: &Image, _rng: &mut ChaCha8Rng) -> Image {
        let [_, _, width] = image.shape();
        Image::from_fn(image.shape(), |c, y, x| {
            image
                .value(c, y, width - 1 - x)
                .expect("a mirrored column is a column")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;

    fn flip(image: &Image) -> Image {
        Flip {}.copy(image, &mut ChaCha8Rng::seed_from_u64(0))
    }

    #[test]
    fn columns_are_exchanged() {
        let image = Image::from_slice([2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        assert_eq!(flip(&image).pixels(), [3, 2, 1, 6, 5, 4]);
    }

    proptest! {
        #[test]
        fn flipping_twice_changes_nothing(shape in [1..4_usize, 1..6, 1..6], factor: u8) {
            let image = Image::from_fn(shape, |c, y, x| {
                (c * 31 + y * 7 + x) as u8 ^ factor
            });
            prop_assert_eq!(flip(&flip(&image)), image);
        }
    }
}
