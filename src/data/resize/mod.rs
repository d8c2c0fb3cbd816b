//! Resizing images to the bit as the program did whose pixels a network was trained and measured on.

mod pillow;
mod plain;

use super::Image;
use crate::models::Interpolation;
use std::ops::Range;

/// Returns the part `window` (rows, columns) of `image`, which has pixels, resized to `to`, `[h, w]`.
pub(super) fn resize(
    image: &Image,
    to: [usize; 2],
    window: [Range<usize>; 2],
    interpolation: Interpolation,
) -> Image {
    match interpolation {
        Interpolation::Bilinear => pillow::resize(image, to, window, pillow::LINEAR),
        Interpolation::Bicubic => pillow::resize(image, to, window, pillow::CUBIC),
        Interpolation::PlainBilinear => plain::resize(image, to, window),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Interpolation; 3] = [
        Interpolation::Bilinear,
        Interpolation::Bicubic,
        Interpolation::PlainBilinear,
    ];

    #[test]
    fn the_same_size_changes_nothing() {
        let image = Image::from_fn([2, 5, 7], |c, y, x| (c * 111 + y * 53 + x * 31) as u8);
        for interpolation in ALL {
            let same = resize(&image, [5, 7], [0..5, 0..7], interpolation);
            assert_eq!(same, image);
        }
    }

    #[test]
    fn one_color_stays_one_color() {
        let image = Image::from_fn([1, 9, 13], |_, _, _| 200);
        for interpolation in ALL {
            for to in [[4, 5], [31, 2], [40, 50]] {
                let found = resize(&image, to, [0..to[0], 0..to[1]], interpolation);
                assert!(found.pixels().iter().all(|&p| p == 200), "{to:?}");
            }
        }
    }

    #[test]
    fn a_window_is_a_part_of_the_whole() {
        let image = Image::from_fn([1, 20, 30], |_, y, x| (y * y * 7 + x * x * 5) as u8);
        for interpolation in ALL {
            let whole = resize(&image, [11, 45], [0..11, 0..45], interpolation);
            let part = resize(&image, [11, 45], [3..9, 20..41], interpolation);
            let cut = Image::from_fn([1, 6, 21], |c, y, x| whole.value(c, y + 3, x + 20).unwrap());
            assert_eq!(part, cut);
        }
    }
}
