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
    let (group_input, plane) = (
        shape.inner() * shape.y.input * shape.x.input,
        shape.y.output * shape.x.output,
    );
    let parts = parts(shape.batch * shape.groups, shape.outer());
    let channels = shape.outer() / parts;
    filled(
        shape.batch * shape.out_channels * plane,
        channels * plane,
        |index, output| {
            let first = index % (shape.groups * parts) * channels;
            let image = &input[index / parts * group_input..][..group_input];
            let left = Left {
                weight: &weight[first * shape.inner() * kernel..],
                row_stride: shape.inner() * kernel,
                rows: channels,
                bias: bias.map(|bias| &bias[first..first + channels]),
                clamp,
            };
            correlation.run(level, image, left, output);
        },
    )
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
    let correlations: Vec<Correlation<'_>> = ways
        .iter()
        .map(|Way { y, x }| {
            Correlation::new(shape.outer(), &y.axis, &x.axis, |o, ky, kx| {
                let tap = y.taps[ky] * shape.x.offsets.len() + x.taps[kx];
                o * shape.inner() * kernel + tap
            })
        })
        .collect();
    let (plane, group_output) = (
        shape.y.input * shape.x.input,
        shape.outer() * shape.y.output * shape.x.output,
    );
    let parts = parts(shape.batch * shape.groups, shape.inner());
    let channels = shape.inner() / parts;
    filled(
        shape.batch * shape.in_channels * plane,
        channels * plane,
        |index, result| {
            let (image, part) = (index / parts, index % parts);
            let group = image % shape.groups;
            let weight = &weight[group * shape.outer() * shape.inner() * kernel..]
                [..shape.outer() * shape.inner() * kernel];
            let left = Left {
                weight: &weight[part * channels * kernel..],
                row_stride: kernel,
                rows: channels,
                bias: None,
                clamp: Clamp::NONE,
            };
            let gradient = &gradient[image * group_output..][..group_output];
            if let [only] = correlations.as_slice() {
                only.run(level, gradient, left, result);
                return;
            }
            for (way, correlation) in ways.iter().zip(&correlations) {
                let size = way.y.axis.output * way.x.axis.output;
                with_scratch([channels * size], |[part]| {
                    correlation.run(level, gradient, left, part);
                    way.scatter(shape, part, result);
                });
            }
        },
    )
}

/// Returns into how many parts to cut each of `count` tasks for every thread to have one: a divisor of `size`.
fn parts(count: usize, size: usize) -> usize {
    let wanted = rayon::current_num_threads()
        .div_ceil(count.max(1))
        .min(size);
    (1..=wanted)
        .rev()
        .find(|parts| size.is_multiple_of(*parts))
        .unwrap_or(1)
}

/// The inputs of one class in both directions.
struct Way {
    y: Class,
    x: Class,
}

impl Way {
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

    /// Computes the planes `output` of all rows of `left`.
    fn run(&self, level: Level, image: &[f32], left: Left<'_>, output: &mut [f32]) {
        let (height, width) = self.output;
        if height * width == 0 {
            return;
        }
        let Some(views) = &self.views else {
            return self.product(level, image, left, 0..height, output);
        };
        if self.terms.is_empty() {
            return self.product(level, &[], left, 0..height, output);
        }
        with_scratch([views.len()], |[buffer]| {
            for band in views.bands() {
                views.fill(image, &band, buffer);
                let output = &mut output[views.pixels(&band).start..];
                self.product(level, buffer, left, band, output);
            }
        });
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
