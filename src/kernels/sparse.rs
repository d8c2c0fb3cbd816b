//! Products whose left side is mostly zeros: the convolutions of pruned networks.
//!
//! The counterpart of [`super::product`] for weights of which few are left. Each row has terms of its own, those whose
//! left factor is not zero, and is summed for as many columns at a time as registers hold.
//!
//! Each element is the sum of its row's terms in order, even and odd ones apart, in blocks that depend on the number of
//! terms alone. So neither threads, nor how a caller cuts the result into pieces, nor the width of the vectors changes
//! a bit of it.

use super::Clamp;
use super::product::{Term, even_parts};
use super::simd::{Level, WIDEST, mul_add};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// The terms that are left of each row, in blocks.
#[derive(Debug)]
pub(super) struct Sparse {
    rows: usize,
    entries: Vec<Entry>,
    /// Where the entries of each row begin, block after block, and where the last ones end.
    starts: Vec<usize>,
}

/// A term that is left.
#[derive(Debug, Clone, Copy)]
struct Entry {
    factor: f32,
    b: u32,
}

/// The share of terms up to which leaving out the others pays.
const DENSITY: f64 = 0.6;

/// The terms of a row up to which it does: more outgrow the first-level cache.
const TERMS: usize = 250;

/// The fewest columns that a [`SparseProduct`] may have: the widest vector.
pub(super) const COLUMNS: usize = WIDEST;

/// Terms a block, whose part of the right side for one panel stays in the first-level cache.
const BLOCK: usize = 160;

/// Whether so few of the numbers `a`, which make up `rows` rows, are left that [`Sparse`] pays.
pub(super) fn few(a: &[f32], rows: usize) -> bool {
    let left = left(a);
    left as f64 <= DENSITY * a.len() as f64 && left <= TERMS * rows
}

fn left(a: &[f32]) -> usize {
    a.iter().filter(|x| **x != 0.0).count()
}

impl Sparse {
    /// Collects the terms whose left factor is not zero. The left factors of row `i` begin at `a[first(i)]`; all rows together
    /// use each number of `a` at most once.
    pub(super) fn new(
        a: &[f32],
        rows: usize,
        terms: &[Term],
        first: impl Fn(usize) -> usize,
    ) -> Self {
        // One more than are left, for the next one to be written before it is known whether it counts.
        let mut entries = vec![Entry { factor: 0.0, b: 0 }; left(a) + 1];
        let mut starts = vec![0];
        let mut count = 0;
        for block in even_parts(terms.len(), BLOCK) {
            for row in 0..rows {
                let a = &a[first(row)..];
                for term in &terms[block.clone()] {
                    let (factor, b) = (a[term.a as usize], term.b);
                    entries[count] = Entry { factor, b };
                    count += usize::from(factor != 0.0);
                }
                starts.push(count);
            }
        }
        entries.truncate(count);
        Self {
            rows,
            entries,
            starts,
        }
    }
}

/// Some rows of a product with `b`.
#[derive(Debug, Clone)]
pub(super) struct SparseProduct<'a> {
    pub(super) sparse: &'a Sparse,
    pub(super) rows: Range<usize>,
    pub(super) b: &'a [f32],
    pub(super) columns: usize,
    /// What the sum of each row begins with.
    pub(super) bias: Option<&'a [f32]>,
    pub(super) clamp: Clamp,
}

impl SparseProduct<'_> {
    /// Computes into `c`, whose rows begin `stride` elements apart.
    ///
    /// # Panics
    /// If a term, a row or a column lies outside its slice.
    pub(super) fn run(self, level: Level, c: &mut [f32], stride: usize) {
        level.run(Panels {
            product: self,
            c,
            stride,
        });
    }

    /// Returns the entries of a row in a block.
    fn entries(&self, block: usize, row: usize) -> &[Entry] {
        let at = block * self.sparse.rows + self.rows.start + row;
        &self.sparse.entries[self.sparse.starts[at]..self.sparse.starts[at + 1]]
    }
}

struct Panels<'a, 'c> {
    product: SparseProduct<'a>,
    c: &'c mut [f32],
    stride: usize,
}

impl WithSimd for Panels<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { product, c, stride } = self;
        let (lanes, columns) = (S::F32_LANES, product.columns);
        let widest = if S::REGISTER_COUNT >= 32 { 8 } else { 4 };
        for panel in even_parts(
            columns.div_ceil(lanes),
            widest.min((columns / lanes).max(1)),
        ) {
            // The last panel, if it does not fill its vectors, overlaps the one before: what is computed twice comes out
            // the same.
            let first = (panel.start * lanes).min(columns - panel.len() * lanes);
            simd.vectorize(Panel {
                product: &product,
                first,
                vectors: panel.len(),
                c: &mut c[first..],
                stride,
            });
        }
    }
}

/// One panel of columns.
struct Panel<'a> {
    product: &'a SparseProduct<'a>,
    first: usize,
    vectors: usize,
    c: &'a mut [f32],
    stride: usize,
}

impl WithSimd for Panel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.vectors {
            1 => self.run::<S, 1>(simd),
            2 => self.run::<S, 2>(simd),
            3 => self.run::<S, 3>(simd),
            4 => self.run::<S, 4>(simd),
            5 => self.run::<S, 5>(simd),
            6 => self.run::<S, 6>(simd),
            7 => self.run::<S, 7>(simd),
            _ => self.run::<S, 8>(simd),
        }
    }
}

impl Panel<'_> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, simd: S) {
        let product = self.product;
        let clamp = product.clamp.splat(simd);
        let rows = product.rows.len();
        let blocks = (product.sparse.starts.len() - 1) / product.sparse.rows;
        // Where there are no terms, nothing of the right side need be there.
        let b = product.b.get(self.first..).unwrap_or_default();
        for block in 0..blocks {
            for (row, c) in self.c.chunks_mut(self.stride).take(rows).enumerate() {
                let entries = product.entries(block, row);
                let sums = sums::<S, N>(simd, entries, b);
                let (c, _) = S::as_mut_simd_f32s(&mut c[..N * S::F32_LANES]);
                let bias = product.bias.map_or(0.0, |bias| bias[row]);
                let bias = simd.splat_f32s(bias);
                for (c, sum) in c.iter_mut().zip(sums) {
                    let before = if block == 0 { bias } else { *c };
                    let sum = simd.add_f32s(before, sum);
                    *c = if block + 1 == blocks {
                        clamp.apply(simd, sum)
                    } else {
                        sum
                    };
                }
            }
        }
    }
}

/// Sums the entries of a row over `N` vectors of columns.
#[inline(always)]
fn sums<S: Simd, const N: usize>(simd: S, entries: &[Entry], b: &[f32]) -> [S::f32s; N] {
    let mut even = [simd.splat_f32s(0.0); N];
    let mut odd = even;
    let (pairs, last) = entries.as_chunks::<2>();
    for [first, second] in pairs {
        add(simd, first, b, &mut even);
        add(simd, second, b, &mut odd);
    }
    for entry in last {
        add(simd, entry, b, &mut even);
    }
    for (even, odd) in even.iter_mut().zip(odd) {
        *even = simd.add_f32s(*even, odd);
    }
    even
}

#[inline(always)]
fn add<S: Simd, const N: usize>(simd: S, entry: &Entry, b: &[f32], sums: &mut [S::f32s; N]) {
    let factor = simd.splat_f32s(entry.factor);
    let (b, _) = S::as_simd_f32s(&b[entry.b as usize..][..N * S::F32_LANES]);
    for (sum, b) in sums.iter_mut().zip(b) {
        *sum = mul_add(simd, factor, *b, *sum);
    }
}
