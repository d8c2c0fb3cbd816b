//! The one matrix product behind convolutions, linear layers, attention and their gradients.
//!
//! `C[i, j] = start + sum over terms t of A[i * row_stride + t.a] * B[t.b + j]`. Because a term names where its factors
//! lie, the left side need not be packed and the right side need not be a matrix: a convolution is the product of its
//! weight with shifted views of its input, and no im2col is made.
//!
//! Each element is summed over the terms in order, in blocks that depend on their number alone. So neither the number
//! of threads, nor how a caller cuts `C` into pieces, nor the width of the vectors changes a bit of it.

use super::Clamp;
use super::scratch::with_scratch;
use super::simd::{Level, mul_add};
use pulp::{Simd, WithSimd};

/// Where the factors of one term lie, in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) a: u32,
    pub(super) b: u32,
}

/// What a sum begins with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start<'a> {
    Zero,
    /// What `C` holds.
    Kept,
    /// One number a row.
    Rows(&'a [f32]),
    /// One number a column.
    Columns(&'a [f32]),
}

/// A product; see the head of the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product<'a> {
    pub(super) a: &'a [f32],
    pub(super) row_stride: usize,
    pub(super) b: &'a [f32],
    pub(super) terms: &'a [Term],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) start: Start<'a>,
    pub(super) clamp: Clamp,
}

/// The most terms summed in registers; their part of `B` for one tile stays in the first-level cache.
const BLOCK: usize = 320;

impl Product<'_> {
    /// Computes into `c`, whose rows begin `stride` elements apart.
    ///
    /// # Panics
    /// If a term, a row or a column lies outside its slice.
    pub(super) fn run(self, level: Level, c: &mut [f32], stride: usize) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        assert!(
            self.columns <= stride || self.rows == 1,
            "rows of the result overlap"
        );
        assert!(
            (self.rows - 1) * stride + self.columns <= c.len(),
            "the result is too short"
        );
        match self.start {
            Start::Rows(bias) => assert!(bias.len() >= self.rows),
            Start::Columns(bias) => assert!(bias.len() >= self.columns),
            Start::Zero | Start::Kept => {}
        }
        level.run(Blocks {
            product: self,
            c,
            stride,
        });
    }
}

impl Product<'_> {
    /// Asserts that all terms lie in their slices, for every row and column.
    #[inline(always)]
    fn check_terms(&self) {
        if self.terms.is_empty() {
            return;
        }
        let mut last = Term { a: 0, b: 0 };
        for term in self.terms {
            last.a = last.a.max(term.a);
            last.b = last.b.max(term.b);
        }
        assert!(
            (self.rows - 1) * self.row_stride + (last.a as usize) < self.a.len(),
            "the left side is too short"
        );
        assert!(
            last.b as usize + self.columns <= self.b.len(),
            "the right side is too short"
        );
    }
}

/// Returns `count` split into the fewest parts of at most `most`, as even as can be.
pub(super) fn even_parts(
    count: usize,
    most: usize,
) -> impl Iterator<Item = std::ops::Range<usize>> {
    let parts = count.div_ceil(most).max(1);
    (0..parts).map(move |part| count * part / parts..count * (part + 1) / parts)
}

struct Blocks<'a, 'c> {
    product: Product<'a>,
    c: &'c mut [f32],
    stride: usize,
}

impl WithSimd for Blocks<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { product, c, stride } = self;
        product.check_terms();
        let blocks = even_parts(product.terms.len(), BLOCK).count();
        for (index, terms) in even_parts(product.terms.len(), BLOCK).enumerate() {
            let block = Product {
                terms: &product.terms[terms],
                start: if index == 0 {
                    product.start
                } else {
                    Start::Kept
                },
                clamp: if index + 1 == blocks {
                    product.clamp
                } else {
                    Clamp::NONE
                },
                ..product
            };
            columns(simd, &block, c, stride);
        }
    }
}

/// The registers that a tile of so many rows may fill: rows by vectors of columns. A single row needs many columns, for
/// its sums not to wait for each other.
const fn tile_shape<S: Simd>(rows: usize) -> (usize, usize) {
    match (rows, S::REGISTER_COUNT) {
        (1, _) => (1, 8),
        (_, 32..) => (8, 3),
        _ => (6, 2),
    }
}

/// Walks over panels of columns; the last one, if it does not fill its vectors, goes through padded copies.
#[inline(always)]
fn columns<S: Simd>(simd: S, product: &Product<'_>, c: &mut [f32], stride: usize) {
    let (lanes, (_, widest)) = (S::F32_LANES, tile_shape::<S>(product.rows));
    // No panel is wider than all columns, so that the last one can overlap the one before.
    let widest = widest.min((product.columns / lanes).max(1));
    for panel in even_parts(product.columns.div_ceil(lanes), widest) {
        let (vectors, first) = (panel.len(), panel.start * lanes);
        let width = vectors * lanes;
        // Columns computed twice come out the same, unless they are added to.
        let overlapping = product.columns >= width && !matches!(product.start, Start::Kept);
        if first + width <= product.columns || overlapping {
            let first = first.min(product.columns - width);
            let part = Product {
                b: product.b.get(first..).unwrap_or_default(),
                start: from_column(product.start, first),
                ..*product
            };
            let c = &mut c[first..];
            simd.vectorize(Panel {
                product: &part,
                vectors,
                c,
                stride,
            });
        } else {
            let rest = product.columns - first;
            padded(simd, product, first, rest, width, c, stride);
        }
    }
}

fn from_column(start: Start<'_>, first: usize) -> Start<'_> {
    match start {
        Start::Columns(bias) => Start::Columns(&bias[first..]),
        other => other,
    }
}

/// Computes the last `rest` columns from `first` on, as if there were `width`.
#[inline(always)]
fn padded<S: Simd>(
    simd: S,
    product: &Product<'_>,
    first: usize,
    rest: usize,
    width: usize,
    c: &mut [f32],
    stride: usize,
) {
    let terms = product.terms.len();
    with_scratch(
        [terms * width, product.rows * width, width],
        |[b, tile, bias]| {
            let mut local = [Term { a: 0, b: 0 }; BLOCK];
            for (index, term) in product.terms.iter().enumerate() {
                let from = term.b as usize + first;
                b[index * width..][..rest].copy_from_slice(&product.b[from..from + rest]);
                b[index * width + rest..][..width - rest].fill(0.0);
                local[index] = Term {
                    a: term.a,
                    b: (index * width) as u32,
                };
            }
            let start = match product.start {
                Start::Kept => {
                    for row in 0..product.rows {
                        tile[row * width..][..rest]
                            .copy_from_slice(&c[row * stride + first..][..rest]);
                    }
                    Start::Kept
                }
                Start::Columns(numbers) => {
                    bias[..rest].copy_from_slice(&numbers[first..first + rest]);
                    Start::Columns(bias)
                }
                other => other,
            };
            let part = Product {
                b,
                terms: &local[..terms],
                start,
                ..*product
            };
            simd.vectorize(Panel {
                product: &part,
                vectors: width / S::F32_LANES,
                c: tile,
                stride: width,
            });
            for row in 0..product.rows {
                c[row * stride + first..][..rest].copy_from_slice(&tile[row * width..][..rest]);
            }
        },
    );
}

/// One panel of columns, `vectors` wide, walked down tile by tile.
struct Panel<'a> {
    product: &'a Product<'a>,
    vectors: usize,
    c: &'a mut [f32],
    stride: usize,
}

impl WithSimd for Panel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (tallest, _) = tile_shape::<S>(self.product.rows);
        if tallest == 1 {
            return self.single(simd);
        }
        let mut row = 0;
        while row < self.product.rows {
            let height = (self.product.rows - row).min(tallest);
            let tile = Tile {
                product: self.product,
                row,
                stride: self.stride,
            };
            let c = &mut self.c[row * self.stride..];
            match self.vectors {
                1 => tile.tall::<S, 1>(simd, height, c),
                2 => tile.tall::<S, 2>(simd, height, c),
                _ => tile.tall::<S, 3>(simd, height, c),
            }
            row += height;
        }
    }
}

impl Panel<'_> {
    /// Computes the only row.
    #[inline(always)]
    fn single<S: Simd>(self, simd: S) {
        let tile = Tile {
            product: self.product,
            row: 0,
            stride: self.stride,
        };
        match self.vectors {
            1 => tile.run::<S, 1, 1>(simd, self.c),
            2 => tile.run::<S, 1, 2>(simd, self.c),
            3 => tile.run::<S, 1, 3>(simd, self.c),
            4 => tile.run::<S, 1, 4>(simd, self.c),
            5 => tile.run::<S, 1, 5>(simd, self.c),
            6 => tile.run::<S, 1, 6>(simd, self.c),
            7 => tile.run::<S, 1, 7>(simd, self.c),
            _ => tile.run::<S, 1, 8>(simd, self.c),
        }
    }
}

/// A few rows of a panel, whose sums fit the registers.
struct Tile<'a> {
    product: &'a Product<'a>,
    row: usize,
    stride: usize,
}

impl Tile<'_> {
    #[inline(always)]
    fn tall<S: Simd, const N: usize>(&self, simd: S, height: usize, c: &mut [f32]) {
        match height {
            1 => self.run::<S, 1, N>(simd, c),
            2 => self.run::<S, 2, N>(simd, c),
            3 => self.run::<S, 3, N>(simd, c),
            4 => self.run::<S, 4, N>(simd, c),
            5 => self.run::<S, 5, N>(simd, c),
            6 => self.run::<S, 6, N>(simd, c),
            7 => self.run::<S, 7, N>(simd, c),
            _ => self.run::<S, 8, N>(simd, c),
        }
    }

    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(&self, simd: S, c: &mut [f32]) {
        let sums = self.sums::<S, M, N>(simd);
        let clamp = self.product.clamp.splat(simd);
        for (i, sums) in sums.iter().enumerate() {
            let c = &mut c[i * self.stride..][..N * S::F32_LANES];
            let (c, _) = S::as_mut_simd_f32s(c);
            for (j, (c, sum)) in c.iter_mut().zip(sums).enumerate() {
                let value = match self.product.start {
                    Start::Zero => *sum,
                    Start::Kept => simd.add_f32s(*c, *sum),
                    Start::Rows(bias) => simd.add_f32s(simd.splat_f32s(bias[self.row + i]), *sum),
                    Start::Columns(bias) => simd.add_f32s(S::as_simd_f32s(bias).0[j], *sum),
                };
                *c = clamp.apply(simd, value);
            }
        }
    }

    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "bounds checks would halve the speed of the innermost loop"
    )]
    fn sums<S: Simd, const M: usize, const N: usize>(&self, simd: S) -> [[S::f32s; N]; M] {
        let product = self.product;
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        // SAFETY: `Product::check_terms` asserted that `(rows - 1) * row_stride + t.a` lies in `a` for every term t, and this
        // tile's rows `row..row + M` are among them. It asserted too that `t.b + columns` does not pass the end of the
        // whole `b`; `columns` hands on either a panel `first..first + N * lanes` within those columns, with `b` cut at
        // `first`, or copies of exactly `N * lanes` columns. A vector of plain floats may be read at any alignment.
        unsafe {
            let a = product.a.as_ptr().add(self.row * product.row_stride);
            let b = product.b.as_ptr();
            let left: [*const f32; M] =
                std::array::from_fn(|i| a.wrapping_add(i * product.row_stride));
            for term in product.terms {
                let right = b.add(term.b as usize).cast::<S::f32s>();
                let right: [S::f32s; N] = std::array::from_fn(|j| right.add(j).read_unaligned());
                for (sums, left) in sums.iter_mut().zip(left) {
                    let left = simd.splat_f32s(*left.add(term.a as usize));
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = mul_add(simd, left, right, *sum);
                    }
                }
            }
        }
        sums
    }
}
