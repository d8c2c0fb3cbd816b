//! Dot products of one vector with several.

use super::lanes::{LANES, halved};
use super::simd::{Level, mul_add};
use pulp::{NullaryFnOnce, Simd, WithSimd};

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

    /// Adds, to the sums from `first` on, the products of `left` with as many numbers of `right` from each of `starts` on.
    pub(super) fn add(
        &mut self,
        level: Level,
        first: usize,
        left: &[f32],
        right: &[f32],
        starts: &[u32],
    ) {
        level.run(Add {
            lanes: &mut self.lanes[first..][..starts.len()],
            left,
            right,
            starts,
        });
    }

    /// Returns the sums.
    pub(super) fn sums(self, level: Level, to: &mut [f32]) {
        level.run(Sum {
            lanes: self.lanes,
            to,
        });
    }
}

struct Sum<'a> {
    lanes: Vec<[f32; LANES]>,
    to: &'a mut [f32],
}

impl NullaryFnOnce for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (to, lanes) in self.to.iter_mut().zip(self.lanes) {
            *to = halved(lanes, |a, b| a + b);
        }
    }
}

struct Add<'a> {
    lanes: &'a mut [[f32; LANES]],
    left: &'a [f32],
    right: &'a [f32],
    starts: &'a [u32],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // A piece of the left side stays in the registers while all sums are added to.
        match (LANES / S::F32_LANES, S::REGISTER_COUNT) {
            (1, _) => self.pieces::<S, 1, 8>(simd),
            (2, _) => self.pieces::<S, 2, 4>(simd),
            _ => self.pieces::<S, 4, 4>(simd),
        }
    }
}

impl Add<'_> {
    /// Adds piece by piece, with `W` vectors for the lanes of a sum, and at most `N` times as many for a piece.
    #[inline(always)]
    fn pieces<S: Simd, const W: usize, const N: usize>(mut self, simd: S) {
        self.whole::<S, W, N>(simd);
        self.whole::<S, W, 4>(simd);
        self.whole::<S, W, 2>(simd);
        self.whole::<S, W, 1>(simd);
        if self.left.is_empty() {
            return;
        }
        let left = vectors::<S, W>(&filled_up(self.left));
        for (lanes, start) in self.lanes.iter_mut().zip(self.starts) {
            let right = &self.right[*start as usize..][..self.left.len()];
            add(simd, [left], &[filled_up(right)], lanes);
        }
    }

    /// Adds all pieces of `N * LANES` numbers, and goes past them.
    #[inline(always)]
    fn whole<S: Simd, const W: usize, const N: usize>(&mut self, simd: S) {
        while let Some((piece, rest)) = self.left.split_at_checked(N * LANES) {
            let mut left = [[simd.splat_f32s(0.0); W]; N];
            for (left, piece) in left.iter_mut().zip(piece.as_chunks().0) {
                *left = vectors::<S, W>(piece);
            }
            for (lanes, start) in self.lanes.iter_mut().zip(self.starts) {
                let right = &self.right[*start as usize..][..N * LANES];
                let (right, _) = right.as_chunks::<LANES>();
                add(simd, left, right, lanes);
            }
            (self.left, self.right) = (rest, &self.right[N * LANES..]);
        }
    }
}

/// Adds the products of a piece to one sum.
#[inline(always)]
fn add<S: Simd, const W: usize, const N: usize>(
    simd: S,
    left: [[S::f32s; W]; N],
    right: &[[f32; LANES]],
    lanes: &mut [f32; LANES],
) {
    let mut sum = vectors::<S, W>(lanes);
    for (left, right) in left.iter().zip(right) {
        let right = vectors::<S, W>(right);
        for ((sum, left), right) in sum.iter_mut().zip(left).zip(right) {
            *sum = mul_add(simd, *left, right, *sum);
        }
    }
    S::as_mut_simd_f32s(lanes).0.copy_from_slice(&sum);
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
