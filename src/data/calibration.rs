//! Which images of the calibration split a case uses.

use super::DataError;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws `wanted` distinct indices below `available`, a function of the arguments alone.
///
/// The draw is a Fisher-Yates shuffle from the front, so a smaller draw of the same seed is the start of a larger one, and
/// cases that differ in the number of images share as many as they can.
///
/// # Errors
/// [`DataError::TooFew`] if `wanted` is more than `available`.
pub fn draw_calibration(
    available: usize,
    wanted: usize,
    seed: u64,
) -> Result<Vec<usize>, DataError> {
    if wanted > available {
        return Err(DataError::TooFew {
            available,
            wanted,
            advice: "ask for fewer".to_owned(),
        });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut indices: Vec<usize> = (0..available).collect();
    for place in 0..wanted {
        indices.swap(place, rng.random_range(place..available));
    }
    indices.truncate(wanted);
    Ok(indices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn draws_are_distinct_and_nested(
            (available, wanted) in (0..200_usize).prop_flat_map(|n| (Just(n), 0..=n)),
            seed: u64,
        ) {
            let drawn = draw_calibration(available, wanted, seed).unwrap();
            let distinct: BTreeSet<usize> = drawn.iter().copied().collect();
            prop_assert_eq!(distinct.len(), wanted);
            prop_assert!(drawn.iter().all(|&index| index < available));
            let all = draw_calibration(available, available, seed).unwrap();
            prop_assert_eq!(&all[..wanted], &drawn[..]);
        }
    }

    #[test]
    fn every_index_is_drawn_equally_often() {
        let mut hits = [0_u32; 10];
        for seed in 0..2_000 {
            for index in draw_calibration(10, 3, seed).unwrap() {
                hits[index] += 1;
            }
        }
        // Binomial(2000, 0.3): mean 600, standard deviation 20.5; five deviations.
        assert!(hits.iter().all(|hit| hit.abs_diff(600) < 103), "{hits:?}");
    }

    #[test]
    fn too_large_a_draw_says_how_many_there_are() {
        assert_eq!(
            draw_calibration(1024, 1025, 0).unwrap_err().to_string(),
            "there are 1024 calibration images, expected at least 1025: ask for fewer"
        );
    }
}
