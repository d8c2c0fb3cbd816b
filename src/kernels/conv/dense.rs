//! Convolution and its input gradient: products of the weight with views of an image.

use super::Geometry;
use super::axis::{Axis, Class};
use super::views::{Views, terms};
use crate::kernels::Clamp;
use crate::kernels::product::{Product, Start, Term};
use crate::kernels::scratch::{filled, with_scratch};
use crate::kernels::simd::Level;
use std::ops::Range;

/// Returns the outputs `[n, out, oh, ow]`.
pub(super) fn forward(
    level: Level,
    shape: &Geometry,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    clamp: Clamp,
) -> Vec<f32> {
    let kernel = shape.taps();
    let correlation = Correlation::new(shape.inner(), &shape.y, &shape.x, |c, ky, kx| {
        c * kernel + ky * shape.x.offsets.len() + kx
    });
    let (image, plane) = (
        shape.inner() * shape.y.input * shape.x.input,
        shape.y.output * shape.x.output,
    );
    let cut = Cut::new(shape.batch * shape.groups, shape.outer());
    cut.filled(plane, |pieces, output| {
        with_scratch([correlation.scratch()], |[views]| {
            views.fill(0.0);
            for (piece, output) in pieces.zip(output.chunks_exact_mut(cut.rows * plane)) {
                let first = cut.first_row(piece, shape.groups);
                let left = Left {
                    weight: &weight[first * shape.inner() * kernel..],
                    row_stride: shape.inner() * kernel,
                    rows: cut.rows,
                    bias: bias.map(|bias| &bias[first..first + cut.rows]),
                    clamp,
                };
                let input = &input[cut.image(piece) * image..][..image];
                correlation.run(level, input, left, views, output);
            }
        });
    })
}

/// Returns the gradients of the inputs `[n, in, h, w]` for gradients of the outputs.
pub(super) fn input_gradient(
    level: Level,
    shape: &Geometry,
    weight: &[f32],
    gradient: &[f32],
) -> Vec<f32> {
    let ways: Vec<Way> = shape
        .y
        .backward()
        .into_iter()
        .flat_map(|y| shape.x.backward().into_iter().map(move |x| (y.clone(), x)))
        .map(|(y, x)| Way { y, x })
        .collect();
    let kernel = shape.taps();
    let (plane, image) = (
        shape.y.input * shape.x.input,
        shape.outer() * shape.y.output * shape.x.output,
    );
    let cut = Cut::new(shape.batch * shape.groups, shape.inner());
    let correlations: Vec<Correlation<'_>> = ways
        .iter()
        .map(|Way { y, x }| {
            Correlation::new(shape.outer(), &y.axis, &x.axis, |o, ky, kx| {
                let tap = y.taps[ky] * shape.x.offsets.len() + x.taps[kx];
                o * shape.inner() * kernel + tap
            })
        })
        .collect();
    cut.filled(plane, |pieces, result| {
        for (way, correlation) in ways.iter().zip(&correlations) {
            let part = if ways.len() > 1 {
                cut.rows * way.size()
            } else {
                0
            };
            with_scratch([correlation.scratch(), part], |[views, part]| {
                views.fill(0.0);
                for (piece, result) in pieces
                    .clone()
                    .zip(result.chunks_exact_mut(cut.rows * plane))
                {
                    // Rows are channels of the input, and the weights of a group lie together.
                    let group = cut.image(piece) % shape.groups * shape.outer() * shape.inner();
                    let left = Left {
                        weight: &weight[(group + cut.first_row(piece, 1)) * kernel..],
                        row_stride: kernel,
                        rows: cut.rows,
                        bias: None,
                        clamp: Clamp::NONE,
                    };
                    let gradient = &gradient[cut.image(piece) * image..][..image];
                    if ways.len() > 1 {
                        correlation.run(level, gradient, left, views, part);
                        way.scatter(shape, part, result);
                    } else {
                        correlation.run(level, gradient, left, views, result);
                    }
                }
            });
        }
    })
}

/// How the planes of a result are shared out among threads. An image is the channels of one group of one sample.
struct Cut {
    images: usize,
    /// The pieces of an image.
    pieces: usize,
    /// The planes of a piece.
    rows: usize,
}

impl Cut {
    /// Cuts `images` of `rows` planes each so that every thread has a few pieces where possible.
    fn new(images: usize, rows: usize) -> Self {
        let wanted = rayon::current_num_threads()
            .div_ceil(images.max(1))
            .min(rows);
        let pieces = (1..=wanted)
            .rev()
            .find(|pieces| rows.is_multiple_of(*pieces));
        let pieces = pieces.unwrap_or(1);
        Self {
            images,
            pieces,
            rows: rows / pieces,
        }
    }

    fn image(&self, piece: usize) -> usize {
        piece / self.pieces
    }

    /// Returns the first row of a piece, where the rows of `groups` images follow each other.
    fn first_row(&self, piece: usize, groups: usize) -> usize {
        piece % (self.pieces * groups) * self.rows
    }

    /// Makes planes of `plane` elements, filled by `fill(pieces, their planes)`.
    fn filled(&self, plane: usize, fill: impl Fn(Range<usize>, &mut [f32]) + Sync) -> Vec<f32> {
        let pieces = self.images * self.pieces;
        let together = pieces.div_ceil(TASKS * rayon::current_num_threads()).max(1);
        let size = self.rows * plane;
        filled(pieces * size, together * size, |task, planes| {
            let first = task * together;
            fill(first..pieces.min(first + together), planes);
        })
    }
}

/// Tasks a thread: enough to even out threads that are held up, few enough to share what a task sets up.
const TASKS: usize = 4;

/// The inputs of one class in both directions.
struct Way {
    y: Class,
    x: Class,
}

impl Way {
    /// Returns the elements of a plane of this class.
    fn size(&self) -> usize {
        self.y.axis.output * self.x.axis.output
    }

    /// Puts the class's planes among the others.
    fn scatter(&self, shape: &Geometry, part: &[f32], result: &mut [f32]) {
        let (height, width) = (self.y.axis.output, self.x.axis.output);
        let plane = shape.y.input * shape.x.input;
        if height * width == 0 {
            return;
        }
        for (part, result) in part
            .chunks_exact(height * width)
            .zip(result.chunks_exact_mut(plane))
        {
            for (row, part) in part.chunks_exact(width).enumerate() {
                let row = self.y.first + row * shape.y.step;
                let result = &mut result[row * shape.x.input + self.x.first..]
                    [..shape.x.input - self.x.first];
                for (to, from) in result.iter_mut().step_by(shape.x.step).zip(part) {
                    *to = *from;
                }
            }
        }
    }
}

/// The weights' side of a correlation.
#[derive(Clone, Copy)]
struct Left<'a> {
    weight: &'a [f32],
    row_stride: usize,
    rows: usize,
    bias: Option<&'a [f32]>,
    clamp: Clamp,
}

/// A correlation of one image, prepared once for all images.
struct Correlation<'a> {
    output: (usize, usize),
    views: Option<Views<'a>>,
    terms: Vec<Term>,
}

impl<'a> Correlation<'a> {
    fn new(
        channels: usize,
        y: &'a Axis,
        x: &'a Axis,
        weight: impl Fn(usize, usize, usize) -> usize,
    ) -> Self {
        let views = Views::new(channels, y, x);
        let terms = terms(views.as_ref(), channels, y, x, weight);
        Self {
            output: (y.output, x.output),
            views,
            terms,
        }
    }

    /// Returns the elements of the views that [`Self::run`] needs, zero at first.
    fn scratch(&self) -> usize {
        self.views.as_ref().map_or(0, Views::len)
    }

    /// Computes the planes `output` of all rows of `left`.
    fn run(
        &self,
        level: Level,
        image: &[f32],
        left: Left<'_>,
        buffer: &mut [f32],
        output: &mut [f32],
    ) {
        let (height, width) = self.output;
        if height * width == 0 {
            return;
        }
        let Some(views) = self.views.as_ref().filter(|_| !self.terms.is_empty()) else {
            return self.product(level, image, left, 0..height, output);
        };
        for band in views.bands() {
            views.fill(level, image, &band, buffer);
            let output = &mut output[views.pixels(&band).start..];
            self.product(level, buffer, left, band, output);
        }
    }

    fn product(
        &self,
        level: Level,
        b: &[f32],
        left: Left<'_>,
        band: Range<usize>,
        output: &mut [f32],
    ) {
        let (height, width) = self.output;
        let product = Product {
            a: left.weight,
            row_stride: left.row_stride,
            b,
            terms: &self.terms,
            rows: left.rows,
            columns: band.len() * width,
            start: left.bias.map_or(Start::Zero, Start::Rows),
            clamp: left.clamp,
        };
        product.run(level, output, height * width);
    }
}
