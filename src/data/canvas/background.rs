//! What is behind the items of a canvas.

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use std::ops::RangeInclusive;

/// The level of the middle.
const LEVEL: RangeInclusive<i32> = 0..=56;

/// How far the level of a corner is from that of the middle at most.
const SLOPE: i32 = 24;

/// How far noise takes a pixel up and down at most; each canvas has its own reach.
const NOISE: RangeInclusive<i32> = 0..=10;

/// Draws `side` rows of as many pixels: the levels of the corners, what is linear between them in each direction, and noise.
pub(super) fn draw(side: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let level = rng.random_range(LEVEL);
    let corners: [i32; 4] = std::array::from_fn(|_| level + rng.random_range(-SLOPE..=SLOPE));
    let reach = rng.random_range(NOISE);
    let mut pixels = vec![0; side * side];
    rng.fill_bytes(&mut pixels);
    for (place, pixel) in pixels.iter_mut().enumerate() {
        let noise = ((i32::from(*pixel) * (2 * reach + 1)) >> 8) - reach;
        let [y, x] = [place / side, place % side];
        *pixel = (between(corners, side, [y, x]) + noise).clamp(0, 255) as u8;
    }
    pixels
}

/// Returns the level of a pixel between the upper left, upper right, lower left and lower right corner, rounded down.
fn between(corners: [i32; 4], side: usize, [y, x]: [usize; 2]) -> i32 {
    let last = side as i32 - 1;
    let [y, x] = [y as i32, x as i32];
    let weights = [
        (last - y) * (last - x),
        (last - y) * x,
        y * (last - x),
        y * x,
    ];
    let products = corners
        .iter()
        .zip(weights)
        .map(|(level, weight)| level * weight);
    products.sum::<i32>().div_euclid((last * last).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn corners_and_what_is_between_follow_the_closed_form() {
        let corners = [10, 20, 30, 60];
        for (place, expected) in [
            ([0, 0], 10),
            ([0, 4], 20),
            ([4, 0], 30),
            ([4, 4], 60),
            ([2, 2], 30),
            ([0, 1], 12), // 12.5
        ] {
            assert_eq!(between(corners, 5, place), expected, "{place:?}");
        }
        assert_eq!(between([-1, -1, -1, -1], 5, [1, 1]), -1);
    }

    #[test]
    fn backgrounds_are_dark_and_of_many_levels() {
        let mean = |seed| {
            let pixels = draw(64, &mut ChaCha8Rng::seed_from_u64(seed));
            let brightest = pixels.iter().max().unwrap();
            assert!(i32::from(*brightest) <= 56 + SLOPE + 10);
            pixels.iter().map(|&p| u32::from(p)).sum::<u32>() / 4096
        };
        let means: Vec<u32> = (0..100).map(mean).collect();
        assert!(means.iter().any(|&mean| mean < 12) && means.iter().any(|&mean| mean > 50));
    }
}
