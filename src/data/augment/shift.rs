//! `shift(pixels=N)`: the image moved by up to `N` pixels along each axis, with black where nothing was.
//!
//! Each of the (2N + 1)² offsets is as likely as any other, as in cropping from a padded image (He et al.,
//! arXiv 1512.03385, section 4.2, with N = 4).

use super::Augmentation;
use crate::data::Image;
use crate::registry::{Technique, from_params};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

pub(super) const SHIFT: Technique<dyn Augmentation> = Technique::new(
    "shift",
    "moved by up to `pixels` along each axis (2, or 4 from 64 pixels on), black at the edge",
    |params| Ok(Box::new(from_params::<Shift>(params)?)),
);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Shift {
    /// The largest offset along an axis; by default it follows the size of the image.
    pixels: Option<u16>,
}

impl Shift {
    fn reach(&self, [_, height, width]: [usize; 3]) -> i32 {
        let usual = if height.min(width) >= 64 { 4 } else { 2 };
        self.pixels.unwrap_or(usual).into()
    }
}

impl Augmentation for Shift {
    fn copy(&self, image: &Image, rng: &mut ChaCha8Rng) -> Image {
        let reach = self.reach(image.shape());
        let down = rng.random_range(-reach..=reach);
        let right = rng.random_range(-reach..=reach);
        shifted(image, down as isize, right as isize)
    }
}

/// Returns `image` moved `down` and `right` by so many pixels.
fn shifted(image: &Image, down: isize, right: isize) -> Image {
    Image::from_fn(image.shape(), |c, y, x| {
        let source = y
            .checked_add_signed(-down)
            .zip(x.checked_add_signed(-right));
        source
            .and_then(|(y, x)| image.value(c, y, x))
            .unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    /// An image that is black but for one pixel.
    fn dot(side: usize, row: usize, column: usize) -> Image {
        Image::from_fn([1, side, side], |_, y, x| u8::from((y, x) == (row, column)))
    }

    #[test]
    fn pixels_move_and_fall_off_the_edge() {
        let image = Image::from_slice([1, 2, 3], &[1, 2, 3, 4, 5, 6]);
        for (down, right, expected) in [
            (0, 0, [1, 2, 3, 4, 5, 6]),
            (1, 0, [0, 0, 0, 1, 2, 3]),
            (0, -1, [2, 3, 0, 5, 6, 0]),
            (-1, 2, [0, 0, 4, 0, 0, 0]),
            (2, 0, [0; 6]),
        ] {
            let moved = shifted(&image, down, right);
            assert_eq!(moved.pixels(), expected, "{down} down, {right} right");
        }
    }

    #[test]
    fn every_offset_within_reach_is_drawn_and_no_other() {
        let params = |pixels| Shift { pixels };
        for (shift, side, reach) in [
            (params(None), 28, 2),
            (params(None), 64, 4),
            (params(Some(1)), 28, 1),
            (params(Some(0)), 28, 0),
        ] {
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            let middle = side / 2;
            let image = dot(side, middle, middle);
            let found: BTreeSet<usize> = (0..2_000)
                .map(|_| shift.copy(&image, &mut rng))
                .map(|copy| copy.pixels().iter().position(|&p| p == 1).unwrap())
                .collect();
            let around = middle - reach..=middle + reach;
            let expected = around
                .clone()
                .flat_map(|y| around.clone().map(move |x| y * side + x))
                .collect();
            assert_eq!(found, expected, "{shift:?} of {side} pixels");
        }
    }
}
