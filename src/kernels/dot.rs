//! Dot products of one vector with several.

use super::lanes::{LANES, halved};
use super::simd::{Level, mul_add};
use pulp::{Simd, WithSimd};

/// The most products that are summed at a time.
const TOGETHER: usize = 5;

/// Dot products under way.
#[derive(Debug)]
pub(super) struct Dots {
    lanes: Vec<[f32; LANES]>,
}

impl Dots {
    /// Begins `count` sums at zero.
    pub(super) fn new(count: usize) -> Self {
        Self {
            lanes: vec![[0.0; LANES]; count],
        }
    }

    /// Adds, to each sum, the products of `left` with as many numbers of `right` from its start on.
    pub(super) fn add(
        &mut self,
        level: Level,
        left: &[f32],
        right: &[f32],
        starts: impl Iterator<Item = usize>,
    ) {
        let mut starts = starts;
        for lanes in self.lanes.chunks_mut(TOGETHER) {
            let mut rights = [[].as_slice(); TOGETHER];
            for (slice, start) in rights.iter_mut().zip(starts.by_ref().take(lanes.len())) {
                *slice = &right[start..][..left.len()];
            }
            level.run(Add {
                lanes,
                left,
                rights,
            });
        }
    }

    /// Returns the sums.
    pub(super) fn sums(self, to: &mut [f32]) {
        for (to, lanes) in to.iter_mut().zip(self.lanes) {
            *to = halved(lanes, |a, b| a + b);
        }
    }
}

struct Add<'a> {
    lanes: &'a mut [[f32; LANES]],
    left: &'a [f32],
    rights: [&'a [f32]; TOGETHER],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.lanes.len() {
            1 => self.some::<S, 1>(simd),
            2 => self.some::<S, 2>(simd),
            3 => self.some::<S, 3>(simd),
            4 => self.some::<S, 4>(simd),
            _ => self.some::<S, TOGETHER>(simd),
        }
    }
}

impl Add<'_> {
    #[inline(always)]
    fn some<S: Simd, const N: usize>(self, simd: S) {
        match LANES / S::F32_LANES {
            1 => self.wide::<S, N, 1>(simd),
            2 => self.wide::<S, N, 2>(simd),
            _ => self.wide::<S, N, 4>(simd),
        }
    }

    /// With `W` vectors for the lanes of each sum.
    #[inline(always)]
    fn wide<S: Simd, const N: usize, const W: usize>(self, simd: S) {
        let mut sums: [[S::f32s; W]; N] = std::array::from_fn(|i| vectors::<S, W>(&self.lanes[i]));
        let (left, left_rest) = self.left.as_chunks::<LANES>();
        let right: [(&[[f32; LANES]], &[f32]); N] =
            std::array::from_fn(|i| self.rights[i].as_chunks());
        for (index, left) in left.iter().enumerate() {
            let left = vectors::<S, W>(left);
            for (sums, (right, _)) in sums.iter_mut().zip(right) {
                let right = vectors::<S, W>(&right[index]);
                for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
                    *sum = mul_add(simd, left, right, *sum);
                }
            }
        }
        if !left_rest.is_empty() {
            let left = vectors::<S, W>(&filled_up(left_rest));
            for (sums, (_, right)) in sums.iter_mut().zip(right) {
                let right = vectors::<S, W>(&filled_up(right));
                for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
                    *sum = mul_add(simd, left, right, *sum);
                }
            }
        }
        for (lanes, sums) in self.lanes.iter_mut().zip(sums) {
            S::as_mut_simd_f32s(lanes).0.copy_from_slice(&sums);
        }
    }
}

#[inline(always)]
fn vectors<S: Simd, const W: usize>(lanes: &[f32; LANES]) -> [S::f32s; W] {
    let (vectors, _) = S::as_simd_f32s(lanes);
    std::array::from_fn(|i| vectors[i])
}

/// Returns the last few numbers of a vector, and zeros.
#[inline(always)]
fn filled_up(rest: &[f32]) -> [f32; LANES] {
    let mut full = [0.0; LANES];
    full[..rest.len()].copy_from_slice(rest);
    full
}
