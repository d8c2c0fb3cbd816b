//! Correlation with 3x3 taps side by side in fewer multiplications: Winograd's F(2x2, 3x3) (Lavin and Gray 2016,
//! section 4.1), 16 for the 36 of each 2x2 outputs.
//!
//! Outputs fall into tiles of 2x2, each of which sees 4x4 inputs. Both the inputs of a tile and the taps are brought
//! into a space of 16 components, in which correlating is multiplying: 16 products over the channels. Its matrices hold
//! only 0, 1 and 1/2, so that rounding errors stay those of an ordinary sum.

use super::axis::Axis;
use super::views::Views;
use super::{Kernels, Rows};
use crate::kernels::Clamp;
use crate::kernels::product::{Product, Start, Term};
use crate::kernels::scratch::with_scratch;
use crate::kernels::simd::{Level, WIDEST};
use pulp::{NullaryFnOnce, Simd, WithSimd};
use std::ops::Range;

/// The components of a tile.
const PARTS: usize = 16;

/// The outputs of a tile.
const OUTPUTS: usize = 4;

/// Below this many channels in or out, the transforms cost more than they save.
const CHANNELS: usize = 64;

/// Below this many tiles side by side, most of a vector is wasted on each row of them.
const WIDTH: usize = 7;

/// The elements that the components of some tiles should stay within, for the second-level cache to hold them.
const ELEMENTS: usize = 1 << 17;

/// The fewest and the most tiles that are worth a product.
const TILES: Range<usize> = 112..384;

/// The most rows whose components are made before they are brought back.
const ROWS: usize = 64;

/// A correlation in the space of components, prepared once for all images.
#[derive(Debug)]
pub(super) struct Winograd {
    /// The components of every kernel, `[16, kernels]`.
    spectrum: Vec<f32>,
    kernels: usize,
    /// From the kernels of one row to those of the next.
    row_stride: usize,
    channels: usize,
    terms: Vec<Term>,
    /// What the tiles of one channel see.
    views: Views,
    /// Where each of the 4x4 inputs of a tile begins in the views.
    inputs: [usize; PARTS],
    /// Tiles and outputs, vertical and horizontal.
    tiles: [usize; 2],
    output: [usize; 2],
    /// Tiles that are transformed at a time.
    together: usize,
}

/// Some rows of tiles of one image.
struct Segment {
    image: usize,
    band: Range<usize>,
    /// Its first column.
    start: usize,
    width: usize,
}

/// Returns the taps in the order of what they see, if there are three side by side.
fn adjacent(axis: &Axis) -> Option<[usize; 3]> {
    let mut taps: [usize; 3] = (0..axis.offsets.len())
        .collect::<Vec<_>>()
        .try_into()
        .ok()?;
    taps.sort_by_key(|tap| axis.offsets[*tap]);
    let [a, b, c] = taps.map(|tap| axis.offsets[tap]);
    (axis.step == 1 && b - a == 1 && c - b == 1).then_some(taps)
}

impl Winograd {
    /// Prepares a correlation, if this saves anything. `tap` says which element of a kernel of `weight` a pair of taps is.
    pub(super) fn new(
        level: Level,
        [y, x]: [&Axis; 2],
        weight: &[f32],
        kernels: Kernels,
        tap: impl Fn(usize, usize) -> usize,
    ) -> Option<Self> {
        let (ky, kx) = (adjacent(y)?, adjacent(x)?);
        let tiles = [y.output.div_ceil(2), x.output.div_ceil(2)];
        if kernels.rows.min(kernels.channels) < CHANNELS || tiles[1] < WIDTH {
            return None;
        }
        let half = |axis: &Axis, first: usize, taps: isize, output: usize| Axis {
            input: axis.input,
            output,
            step: 2,
            offsets: (0..taps).map(|i| axis.offsets[first] + i).collect(),
        };
        // The right half of what a tile sees is the left half of what the next one sees.
        let seen_y = half(y, ky[0], 4, tiles[0]);
        let seen_x = half(x, kx[0], 2, tiles[1] + 1);
        let together = ELEMENTS / (PARTS * kernels.channels);
        let together = together.clamp(TILES.start, TILES.end);
        let views = Views::banded(1, seen_y, seen_x, together / tiles[1].max(1));
        let count = weight.len() / 9;
        let mut spectrum = vec![0.0; PARTS * count];
        level.run(Taps {
            weight,
            order: ky.map(|ky| kx.map(|kx| tap(ky, kx))),
            spectrum: &mut spectrum,
        });
        let mut winograd = Self {
            spectrum,
            kernels: count,
            row_stride: kernels.row_stride,
            channels: kernels.channels,
            terms: Vec::new(),
            inputs: std::array::from_fn(|i| views.offset(0, i / 4, i % 2) + i % 4 / 2),
            views,
            tiles,
            output: [y.output, x.output],
            together,
        };
        let term = |channel: usize| Term {
            a: (channel * kernels.channel_stride) as u32,
            b: (channel * winograd.pitch()) as u32,
        };
        winograd.terms = (0..kernels.channels).map(term).collect();
        Some(winograd)
    }

    /// Returns the elements from one row of components to the next: enough for vectors that begin at any tile.
    fn pitch(&self) -> usize {
        let most = self.together.max(self.views.band() * self.tiles[1]);
        // An odd number of lines, for rows not to fight for the same few of the first-level cache.
        (most + WIDEST).next_multiple_of(WIDEST) | WIDEST
    }

    /// Returns the elements from one component of so many rows to the next: a line more than they take, for the
    /// components of a tile not to fight for the same lines of the first-level cache.
    fn part(&self, rows: usize) -> usize {
        rows * self.pitch() + WIDEST
    }

    /// Returns how many images [`Self::run`] had best be given at once.
    pub(super) fn images(&self) -> usize {
        (self.together / (self.tiles[0] * self.tiles[1]).max(1)).max(1)
    }

    /// Computes the planes `output` of `rows` of some images, one image after the other.
    pub(super) fn run(&self, level: Level, images: &[f32], rows: Rows<'_>, output: &mut [f32]) {
        let (plane, image) = (self.views.plane(), self.views.plane() * self.channels);
        let pitch = self.pitch();
        let sizes = [
            self.views.len() + WIDEST,
            PARTS * self.part(self.channels),
            PARTS * self.part(ROWS.min(rows.count)),
            OUTPUTS * pitch,
        ];
        with_scratch(sizes, |[views, inputs, products, outputs]| {
            views.fill(0.0);
            for segments in self.groups(images.len() / image) {
                for segment in &segments {
                    for channel in 0..self.channels {
                        let plane = &images[segment.image * image + channel * plane..][..plane];
                        self.views.fill(level, plane, &segment.band, views);
                        level.run(Inputs {
                            views: &*views,
                            starts: self.inputs,
                            tiles: [segment.band.len(), self.tiles[1]],
                            parts: &mut inputs[channel * pitch + segment.start..],
                            stride: self.part(self.channels),
                        });
                    }
                }
                for first in (0..rows.count).step_by(ROWS) {
                    let some = Rows {
                        first: rows.first + first,
                        kernel: rows.kernel + first * self.row_stride,
                        count: ROWS.min(rows.count - first),
                        bias: rows.bias.map(|bias| &bias[first..]),
                        clamp: rows.clamp,
                    };
                    self.products(level, some, &segments, inputs, products);
                    for segment in &segments {
                        let plane = self.output[0] * self.output[1];
                        level.run(Outputs {
                            winograd: self,
                            segment,
                            rows: some,
                            products: &*products,
                            tile: &mut *outputs,
                            output: &mut output[(segment.image * rows.count + first) * plane..],
                        });
                    }
                }
            }
        });
    }

    /// Multiplies the components of the inputs of some segments with those of some rows of kernels.
    fn products(
        &self,
        level: Level,
        rows: Rows<'_>,
        segments: &[Segment],
        inputs: &[f32],
        products: &mut [f32],
    ) {
        let pitch = self.pitch();
        let columns: usize = segments.iter().map(|segment| segment.width).sum();
        for part in 0..PARTS {
            let product = Product {
                a: &self.spectrum[part * self.kernels + rows.kernel..],
                row_stride: self.row_stride,
                b: &inputs[part * self.part(self.channels)..],
                terms: &self.terms,
                rows: rows.count,
                columns: columns.next_multiple_of(WIDEST),
                start: Start::Zero,
                clamp: Clamp::NONE,
            };
            product.run(level, &mut products[part * self.part(rows.count)..], pitch);
        }
    }

    /// Returns what to transform at a time.
    fn groups(&self, images: usize) -> Vec<Vec<Segment>> {
        let mut groups: Vec<Vec<Segment>> = vec![Vec::new()];
        let mut start = 0;
        for image in 0..images {
            for band in self.views.bands() {
                let width = band.len() * self.tiles[1];
                if start > 0 && start + width > self.together {
                    groups.push(Vec::new());
                    start = 0;
                }
                groups.last_mut().expect("there is one").push(Segment {
                    image,
                    band,
                    start,
                    width,
                });
                start += width;
            }
        }
        groups
    }
}

/// Transforms kernels: `G g G^T`.
struct Taps<'a> {
    weight: &'a [f32],
    order: [[usize; 3]; 3],
    spectrum: &'a mut [f32],
}

impl NullaryFnOnce for Taps<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        type Some = [f32; WIDEST];
        let count = self.weight.len() / 9;
        let spread = |[a, b, c]: [Some; 3]| -> [Some; 4] {
            let middle = |sign: f32| std::array::from_fn(|i| 0.5 * (a[i] + c[i] + sign * b[i]));
            [a, middle(1.0), middle(-1.0), c]
        };
        for (index, kernels) in self.weight.chunks(9 * WIDEST).enumerate() {
            let (first, some) = (index * WIDEST, kernels.len() / 9);
            let taps = self.order.map(|row| {
                row.map(|tap| {
                    let mut lanes = [0.0; WIDEST];
                    for (lane, kernel) in lanes.iter_mut().zip(kernels.chunks_exact(9)) {
                        *lane = kernel[tap];
                    }
                    lanes
                })
            });
            for (part, lanes) in both_ways(taps, spread).as_flattened().iter().enumerate() {
                let to = &mut self.spectrum[part * count + first..][..some];
                to.copy_from_slice(&lanes[..some]);
            }
        }
    }
}

/// Transforms what tiles of one channel see: `B^T d B`.
struct Inputs<'a> {
    views: &'a [f32],
    starts: [usize; PARTS],
    tiles: [usize; 2],
    /// The components, `stride` apart.
    parts: &'a mut [f32],
    stride: usize,
}

impl WithSimd for Inputs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (add, sub) = (|a, b| simd.add_f32s(a, b), |a, b| simd.sub_f32s(a, b));
        let spread = |[a, b, c, d]: [S::f32s; 4]| [sub(a, c), add(b, c), sub(c, b), sub(b, d)];
        let [rows, width] = self.tiles;
        for row in 0..rows {
            for first in (0..width).step_by(S::F32_LANES) {
                let start = row * (width + 1) + first;
                let seen = square(simd, self.views, |y, x| self.starts[y * 4 + x] + start);
                let parts = &mut self.parts[row * width + first..];
                for (index, part) in both_ways(seen, spread).as_flattened().iter().enumerate() {
                    let to = &mut parts[index * self.stride..][..S::F32_LANES];
                    S::as_mut_simd_f32s(to).0[0] = *part;
                }
            }
        }
    }
}

/// Brings products back, `A^T m A`, with bias and clamp, and puts the tiles where they belong.
struct Outputs<'a> {
    winograd: &'a Winograd,
    segment: &'a Segment,
    rows: Rows<'a>,
    products: &'a [f32],
    /// Room for one row's tiles, output by output.
    tile: &'a mut [f32],
    output: &'a mut [f32],
}

impl WithSimd for Outputs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (add, sub) = (|a, b| simd.add_f32s(a, b), |a, b| simd.sub_f32s(a, b));
        let gather = |[a, b, c, d]: [S::f32s; 4]| [add(add(a, b), c), sub(sub(b, c), d)];
        let pitch = self.winograd.pitch();
        let clamp = self.rows.clamp.splat(simd);
        let [height, width] = self.winograd.output;
        let planes = self.output.chunks_exact_mut(height * width);
        for (row, plane) in planes.take(self.rows.count).enumerate() {
            let bias = simd.splat_f32s(self.rows.bias.map_or(0.0, |bias| bias[row]));
            for first in (0..self.segment.width).step_by(S::F32_LANES) {
                let start = row * pitch + self.segment.start + first;
                let part = self.winograd.part(self.rows.count);
                let products = square(simd, self.products, |y, x| (y * 4 + x) * part + start);
                for (index, sum) in both_ways(products, gather)
                    .as_flattened()
                    .iter()
                    .enumerate()
                {
                    let to = &mut self.tile[index * pitch + first..][..S::F32_LANES];
                    S::as_mut_simd_f32s(to).0[0] = clamp.apply(simd, simd.add_f32s(bias, *sum));
                }
            }
            let rows = plane
                .chunks_exact_mut(width)
                .enumerate()
                .skip(2 * self.segment.band.start);
            for (y, to) in rows.take(2 * self.segment.band.len()) {
                let tiles = (y / 2 - self.segment.band.start) * self.winograd.tiles[1];
                let from =
                    |x: usize| &self.tile[(y % 2 * 2 + x) * pitch + tiles..][..width.div_ceil(2)];
                interleave(from(0), from(1), to);
            }
        }
    }
}

/// Applies `f` to every row of a square, and to every column of what comes out.
///
/// Loops rather than the methods of arrays: those are not inlined, and so not compiled for vector instructions.
#[inline(always)]
fn both_ways<T: Copy, const N: usize, const M: usize>(
    square: [[T; N]; N],
    f: impl Fn([T; N]) -> [T; M],
) -> [[T; M]; M] {
    let mut wide = [f(square[0]); N];
    for y in 1..N {
        wide[y] = f(square[y]);
    }
    let mut result = [wide[0]; M];
    for x in 0..M {
        let mut column = [wide[0][x]; N];
        for y in 1..N {
            column[y] = wide[y][x];
        }
        let column = f(column);
        for y in 0..M {
            result[y][x] = column[y];
        }
    }
    result
}

/// Returns the vectors at `place(y, x)` of a square.
#[inline(always)]
fn square<S: Simd>(
    simd: S,
    numbers: &[f32],
    place: impl Fn(usize, usize) -> usize,
) -> [[S::f32s; 4]; 4] {
    let mut square = [[simd.splat_f32s(0.0); 4]; 4];
    for (y, row) in square.iter_mut().enumerate() {
        for (x, vector) in row.iter_mut().enumerate() {
            let place = place(y, x);
            *vector = S::as_simd_f32s(&numbers[place..place + S::F32_LANES]).0[0];
        }
    }
    square
}

/// Puts even and odd pixels together.
#[inline(always)]
fn interleave(even: &[f32], odd: &[f32], row: &mut [f32]) {
    let (pairs, last) = row.as_chunks_mut::<2>();
    for ((pair, even), odd) in pairs.iter_mut().zip(even).zip(odd) {
        *pair = [*even, *odd];
    }
    if let ([last], Some(even)) = (last, even.last()) {
        *last = *even;
    }
}
