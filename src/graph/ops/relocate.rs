//! Features that are not where they belong.

use crate::graph::op::only;
use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How features lose their places. All channels of a place stay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Motion {
    /// All go the same way: so many pixels down and to the right, what is at the borders filling up.
    Shift,
    /// Those of each window of `reach + 1` pixels a side change places at random.
    Permute,
    /// Each is taken from a random place at most so many pixels away in each direction.
    Jitter,
}

/// Moves the places of `[n, c, h, w]`, the same for all samples and channels and in every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Relocate {
    /// How they move.
    pub motion: Motion,
    /// How far, in pixels; nothing moves by 0.
    pub reach: usize,
}

impl Operator for Relocate {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let dims: [usize; 3] = only(inputs)?.exactly()?;
        Ok(dims.into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let x = inputs[0];
        let (_, _, h, w) = x.dims4()?;
        let sources = Tensor::from_vec(self.sources([h, w]), h * w, x.device())?;
        let moved = x.flatten_from(2)?.index_select(&sources, 2)?;
        moved.reshape(x.shape())
    }
}

impl Relocate {
    /// Returns the place that each place takes its features from, row by row.
    fn sources(&self, [h, w]: [usize; 2]) -> Vec<u32> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.reach as u64);
        let places = || (0..h).flat_map(|y| (0..w).map(move |x| [y, x]));
        let sources: Vec<[usize; 2]> = match self.motion {
            Motion::Shift => places()
                .map(|place| place.map(|along| along.saturating_sub(self.reach)))
                .collect(),
            Motion::Jitter => places()
                .map(|[y, x]| [self.near(y, h, &mut rng), self.near(x, w, &mut rng)])
                .collect(),
            Motion::Permute => self.permuted([h, w], &mut rng),
        };
        let number = |[y, x]: [usize; 2]| (y * w + x) as u32;
        sources.into_iter().map(number).collect()
    }

    fn near(&self, along: usize, length: usize, rng: &mut ChaCha8Rng) -> usize {
        let moved = along + rng.random_range(0..=2 * self.reach);
        moved.saturating_sub(self.reach).min(length - 1)
    }

    fn permuted(&self, [h, w]: [usize; 2], rng: &mut ChaCha8Rng) -> Vec<[usize; 2]> {
        let side = self.reach + 1;
        let mut sources = vec![[0; 2]; h * w];
        for (top, left) in (0..h)
            .step_by(side)
            .flat_map(|y| (0..w).step_by(side).map(move |x| (y, x)))
        {
            let (rows, columns) = (top..h.min(top + side), left..w.min(left + side));
            let places = rows.flat_map(|y| columns.clone().map(move |x| [y, x]));
            let places: Vec<[usize; 2]> = places.collect();
            let mut from = places.clone();
            from.shuffle(rng);
            for ([y, x], from) in places.into_iter().zip(from) {
                sources[y * w + x] = from;
            }
        }
        sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(motion: Motion, reach: usize, size: [usize; 2]) -> Vec<u32> {
        Relocate { motion, reach }.sources(size)
    }

    #[test]
    fn nothing_moves_by_nothing() {
        for motion in [Motion::Shift, Motion::Permute, Motion::Jitter] {
            let expected: Vec<u32> = (0..12).collect();
            assert_eq!(sources(motion, 0, [3, 4]), expected, "{motion:?}");
        }
    }

    #[test]
    fn a_shift_goes_down_and_to_the_right() {
        let expected = [0, 0, 1, 2, 0, 0, 1, 2, 4, 4, 5, 6];
        assert_eq!(sources(Motion::Shift, 1, [3, 4]), expected);
    }

    #[test]
    fn a_permutation_stays_in_its_window_and_loses_nothing() {
        let found = sources(Motion::Permute, 2, [7, 8]);
        let mut sorted = found.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..56).collect::<Vec<u32>>());
        let window = |place: usize| [place / 8 / 3, place % 8 / 3];
        for (place, from) in found.iter().enumerate() {
            assert_eq!(window(place), window(*from as usize));
        }
        assert_ne!(found, sorted);
    }

    #[test]
    fn jitter_stays_within_reach() {
        let found = sources(Motion::Jitter, 2, [9, 9]);
        for (place, from) in found.iter().enumerate() {
            let from = *from as usize;
            assert!((place / 9).abs_diff(from / 9) <= 2 && (place % 9).abs_diff(from % 9) <= 2);
        }
        assert_eq!(found, sources(Motion::Jitter, 2, [9, 9]));
    }
}
