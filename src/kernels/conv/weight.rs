//! The weight gradient: products of output gradients with the input, channels last.
//!
//! With the channels of a padded image last, what the taps of one row of the kernel see at a pixel lies in one piece:
//! `kernel width * channels` numbers, the columns of the product. Its rows are output channels, its terms pixels.

use super::Geometry;
use super::axis::Axis;
use crate::kernels::Clamp;
use crate::kernels::product::{Product, Start, Term};
use crate::kernels::scratch::with_scratch;
use crate::kernels::simd::{Level, WIDEST};
use crate::kernels::transpose::transpose;
use rayon::prelude::*;

/// The bytes of padded images that are made at a time.
const BYTES: usize = 1 << 20;

/// Returns the gradient of the weight `[out, in / groups, kh, kw]` for the gradient of the outputs.
pub(super) fn weight_gradient(
    level: Level,
    shape: &Geometry,
    input: &[f32],
    gradient: &[f32],
) -> Vec<f32> {
    let (inner, outer) = (shape.inner(), shape.outer());
    let runs = Runs::new(shape);
    let mut result = vec![0.0; shape.out_channels * runs.row()];
    let padded = Padded::new(shape);
    let images = (BYTES / size_of::<f32>() / padded.len().max(1)).clamp(1, shape.batch.max(1));
    let (plane, image) = (
        shape.y.output * shape.x.output,
        shape.y.input * shape.x.input,
    );
    for (group, result) in result.chunks_mut(outer * runs.row()).enumerate() {
        for first in (0..shape.batch).step_by(images) {
            let count = images.min(shape.batch - first);
            let gradient = &gradient[(first * shape.out_channels + group * outer) * plane..];
            let input = &input[(first * shape.in_channels + group * inner) * image..];
            let terms = padded.terms(shape, count);
            with_scratch([count * padded.len() + WIDEST], |[pixels]| {
                let images = &mut pixels[..count * padded.len()];
                let images = images.par_chunks_mut(padded.len()).enumerate();
                images.for_each(|(index, pixels)| {
                    let input = &input[index * shape.in_channels * image..][..inner * image];
                    padded.fill(level, shape, input, pixels);
                });
                let channels = outer.div_ceil(rayon::current_num_threads());
                let parts = result.par_chunks_mut(channels * runs.row()).enumerate();
                parts.for_each(|(part, result)| {
                    let gradient = &gradient[part * channels * plane..];
                    padded.products(level, shape, &runs, [gradient, pixels], &terms, result);
                });
            });
        }
    }
    runs.in_order(shape, &result)
}

/// How the gradients of one output channel are laid out while they are summed: by runs of taps that see adjacent pixels,
/// channels last.
struct Runs {
    /// The horizontal taps of a run.
    taps: usize,
    /// The runs of an output channel.
    count: usize,
    /// The elements of a run, and with padding to whole vectors: what is computed too much is left out at the end.
    used: usize,
    size: usize,
}

impl Runs {
    fn new(shape: &Geometry) -> Self {
        let taps = match shape.x.offsets.as_slice() {
            [first, second, ..] if second - first > 1 => 1,
            taps => taps.len(),
        };
        let used = taps * shape.inner();
        Self {
            taps,
            count: shape.taps() / taps,
            used,
            size: used.next_multiple_of(WIDEST),
        }
    }

    /// Returns the elements of an output channel.
    fn row(&self) -> usize {
        self.count * self.size
    }

    /// Brings gradients into the order of a weight, `[out, in, kh, kw]`.
    fn in_order(&self, shape: &Geometry, gradient: &[f32]) -> Vec<f32> {
        let (inner, taps) = (shape.inner(), shape.taps());
        let mut result = vec![0.0; shape.out_channels * inner * taps];
        let channels = gradient.chunks_exact(self.row());
        for (from, to) in channels.zip(result.chunks_exact_mut(inner * taps)) {
            let runs = from.chunks_exact(self.size);
            let pixels = runs.flat_map(|run| run[..self.used].chunks_exact(inner));
            for (tap, from) in pixels.enumerate() {
                for (to, from) in to[tap..].iter_mut().step_by(taps).zip(from) {
                    *to = *from;
                }
            }
        }
        result
    }
}

/// An image `[h, w, c]` with as much padding as the taps see.
struct Padded {
    top: isize,
    left: isize,
    height: usize,
    width: usize,
    channels: usize,
}

impl Padded {
    fn new(shape: &Geometry) -> Self {
        let size = |axis: &Axis| {
            let (low, high) = axis.span();
            (low, (high - low + 1) as usize)
        };
        let ((top, height), (left, width)) = (size(&shape.y), size(&shape.x));
        Self {
            top,
            left,
            height,
            width,
            channels: shape.inner(),
        }
    }

    fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Returns where the pixels of `count` images lie among the gradients and in the padded images.
    fn terms(&self, shape: &Geometry, count: usize) -> Vec<Term> {
        let (height, width) = (shape.y.output, shape.x.output);
        let mut terms = Vec::with_capacity(count * height * width);
        for image in 0..count {
            for y in 0..height {
                for x in 0..width {
                    let gradient = (image * shape.out_channels * height + y) * width + x;
                    let pixel = y * shape.y.step * self.width + x * shape.x.step;
                    terms.push(Term {
                        a: gradient as u32,
                        b: (image * self.len() + pixel * self.channels) as u32,
                    });
                }
            }
        }
        terms
    }

    /// Fills `pixels` from the channels `input` of one image.
    fn fill(&self, level: Level, shape: &Geometry, input: &[f32], pixels: &mut [f32]) {
        let (height, width) = (shape.y.input as isize, shape.x.input as isize);
        let (first, past) = (
            self.left.clamp(0, width),
            (self.left + self.width as isize).clamp(0, width),
        );
        let rows = pixels.chunks_exact_mut(self.width * self.channels);
        for (y, row) in (self.top..).zip(rows) {
            if y < 0 || y >= height || first == past {
                row.fill(0.0);
                continue;
            }
            let before = (first - self.left) as usize * self.channels;
            let (before, row) = row.split_at_mut(before);
            let (row, after) = row.split_at_mut((past - first) as usize * self.channels);
            before.fill(0.0);
            after.fill(0.0);
            let input = &input[(y * width + first) as usize..];
            transpose(
                level,
                input,
                (height * width) as usize,
                self.channels,
                (past - first) as usize,
                row,
            );
        }
    }

    /// Adds to the rows `result` of some output channels, whose gradients `gradient` begins with.
    fn products(
        &self,
        level: Level,
        shape: &Geometry,
        runs: &Runs,
        [gradient, pixels]: [&[f32]; 2],
        terms: &[Term],
        result: &mut [f32],
    ) {
        let across = shape.x.offsets.len() / runs.taps;
        for run in 0..runs.count {
            let y = shape.y.offsets[run / across] - self.top;
            let x = shape.x.offsets[run % across * runs.taps] - self.left;
            let pixel = y as usize * self.width + x as usize;
            let product = Product {
                a: gradient,
                row_stride: shape.y.output * shape.x.output,
                b: &pixels[pixel * self.channels..],
                terms,
                rows: result.len() / runs.row(),
                columns: runs.size,
                start: Start::Kept,
                clamp: Clamp::NONE,
            };
            product.run(level, &mut result[run * runs.size..], runs.row());
        }
    }
}
