//! Convolution and its input gradient: products of the weight with views of an image.

use super::axis::{Axis, Class};
use super::layout::{Layout, terms};
use super::winograd::Winograd;
use super::{Geometry, Kernels, Rows};
use crate::kernels::Clamp;
use crate::kernels::product::{Product, Start, Term};
use crate::kernels::scratch::{filled, with_scratch};
use crate::kernels::simd::Level;
use crate::kernels::sparse::{self, Sparse, SparseProduct};

/// Returns the outputs `[n, out, oh, ow]`.
pub(super) fn forward(
    level: Level,
    shape: &Geometry,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    clamp: Clamp,
) -> Vec<f32> {
    let kernels = Kernels {
        rows: shape.outer(),
        channels: shape.inner(),
        row_stride: shape.inner(),
        channel_stride: 1,
    };
    let width = shape.x.offsets.len();
    let correlation = Correlation::new(
        level,
        [&shape.y, &shape.x],
        weight,
        kernels,
        shape.taps(),
        |ky, kx| ky * width + kx,
    );
    let cut = Cut::new(shape.batch, shape.groups, shape.outer());
    let plane = shape.y.output * shape.x.output;
    let sizes = [correlation.scratch(), correlation.images()];
    cut.filled(plane, sizes, |piece, views, output| {
        let first = piece.group * shape.outer() + piece.row;
        let rows = Rows {
            first,
            kernel: first * shape.inner(),
            count: cut.rows,
            bias: bias.map(|bias| &bias[first..first + cut.rows]),
            clamp,
        };
        let images = piece.images(input, &correlation, shape.groups);
        correlation.run(level, images, rows, views, output);
    })
}

/// Returns the gradients of the inputs `[n, in, h, w]` for gradients of the outputs.
pub(super) fn input_gradient(
    level: Level,
    shape: &Geometry,
    weight: &[f32],
    gradient: &[f32],
) -> Vec<f32> {
    let kernels = Kernels {
        rows: shape.inner(),
        channels: shape.outer(),
        row_stride: 1,
        channel_stride: shape.inner(),
    };
    let width = shape.x.offsets.len();
    let ways = shape.y.backward().into_iter();
    let ways = ways.flat_map(|y| shape.x.backward().into_iter().map(move |x| (y.clone(), x)));
    let ways: Vec<Way> = ways
        .map(|(y, x)| {
            let tap = |ky: usize, kx: usize| y.taps[ky] * width + x.taps[kx];
            let correlation = Correlation::new(
                level,
                [&y.axis, &x.axis],
                weight,
                kernels,
                shape.taps(),
                tap,
            );
            Way { y, x, correlation }
        })
        .collect();
    let cut = Cut::new(shape.batch, shape.groups, shape.inner());
    let plane = shape.y.input * shape.x.input;
    let scratch = ways.iter().map(|way| way.correlation.scratch()).sum();
    let images = ways.iter().map(|way| way.correlation.images()).max();
    let sizes = [scratch, images.unwrap_or(1)];
    cut.filled(plane, sizes, |piece, mut scratch, result| {
        let rows = Rows {
            first: piece.group * shape.inner() + piece.row,
            // The kernels of a group lie together, and rows are channels of the input.
            kernel: piece.group * shape.outer() * shape.inner() + piece.row,
            count: cut.rows,
            bias: None,
            clamp: Clamp::NONE,
        };
        for way in &ways {
            let images = piece.images(gradient, &way.correlation, shape.groups);
            let (views, rest) = scratch.split_at_mut(way.correlation.scratch());
            scratch = rest;
            if ways.len() == 1 {
                way.correlation.run(level, images, rows, views, result);
            } else {
                with_scratch([result.len() / plane * way.size()], |[part]| {
                    way.correlation.run(level, images, rows, views, part);
                    way.scatter(shape, part, result);
                });
            }
        }
    })
}

/// How the planes of a result are shared out among threads.
struct Cut {
    batch: usize,
    groups: usize,
    /// The pieces of the planes that one group makes of one image.
    pieces: usize,
    /// The planes of a piece.
    rows: usize,
}

/// Some planes of a result: so many rows of one group, for some images that follow each other.
struct Piece {
    image: usize,
    count: usize,
    group: usize,
    row: usize,
}

impl Piece {
    /// Returns what the group sees of the images.
    fn images<'a>(
        &self,
        all: &'a [f32],
        correlation: &Correlation<'_>,
        groups: usize,
    ) -> &'a [f32] {
        let image = correlation.image();
        &all[(self.image * groups + self.group) * image..][..self.count * image]
    }
}

impl Cut {
    /// Cuts the `groups * rows` planes of each of `batch` images so that every thread has some.
    fn new(batch: usize, groups: usize, rows: usize) -> Self {
        let wanted = rayon::current_num_threads().div_ceil((batch * groups).max(1));
        let mut pieces = (1..=wanted.min(rows)).rev();
        let pieces = pieces.find(|pieces| rows.is_multiple_of(*pieces));
        let pieces = pieces.unwrap_or(1);
        Self {
            batch,
            groups,
            pieces,
            rows: rows / pieces,
        }
    }

    /// Makes planes of `plane` elements, filled by `fill(piece, scratch, its planes)`: with so much scratch, which is zero
    /// at first and then left as it is, and so many images at a time where there are enough.
    fn filled(
        &self,
        plane: usize,
        [scratch, images]: [usize; 2],
        fill: impl Fn(&Piece, &mut [f32], &mut [f32]) + Sync,
    ) -> Vec<f32> {
        let (pieces, size) = (self.groups * self.pieces, self.rows * plane);
        let total = self.batch * pieces;
        let share = |tasks: usize| total.div_ceil(tasks * rayon::current_num_threads());
        let task = share(TASKS).max(images.min(share(1))).max(1);
        filled(total * size, task * size, |index, planes| {
            // Only whole images follow each other in the result.
            let together = if pieces == 1 { task } else { 1 };
            with_scratch([scratch], |[scratch]| {
                scratch.fill(0.0);
                for (offset, planes) in planes.chunks_mut((together * size).max(1)).enumerate() {
                    let piece = index * task + offset * together;
                    let piece = Piece {
                        image: piece / pieces,
                        count: planes.len() / size,
                        group: piece % pieces / self.pieces,
                        row: piece % self.pieces * self.rows,
                    };
                    fill(&piece, scratch, planes);
                }
            });
        })
    }
}

/// Tasks a thread: enough to even out threads that are held up, few enough to share what a task sets up.
const TASKS: usize = 4;

/// The inputs of one class in both directions.
struct Way<'a> {
    y: Class,
    x: Class,
    correlation: Correlation<'a>,
}

impl Way<'_> {
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

/// A correlation, prepared once for all images.
struct Correlation<'a> {
    weight: &'a [f32],
    kernels: Kernels,
    /// The elements of a kernel.
    taps: usize,
    plane: usize,
    output: [usize; 2],
    /// The way that is faster for many channels; what follows is the other.
    winograd: Option<Winograd>,
    layout: Layout,
    terms: Vec<Term>,
    /// What is left of the weight, where most of it is zero.
    sparse: Option<Sparse>,
}

impl<'a> Correlation<'a> {
    /// Prepares the correlation with some kernels of `weight`. `tap` says which of a kernel's `taps` elements a pair of
    /// taps is.
    fn new(
        level: Level,
        [y, x]: [&Axis; 2],
        weight: &'a [f32],
        kernels: Kernels,
        taps: usize,
        tap: impl Fn(usize, usize) -> usize,
    ) -> Self {
        let group = kernels.rows * kernels.channels * taps;
        let rows = weight.len() / group * kernels.rows;
        let few = sparse::few(weight, rows);
        let winograd = if few {
            None
        } else {
            Winograd::new(level, [y, x], weight, kernels, &tap)
        };
        let (mut layout, mut direct) = (Layout::Image, Vec::new());
        if winograd.is_none() {
            let element = |c: usize, ky, kx| c * kernels.channel_stride * taps + tap(ky, kx);
            layout = Layout::new(kernels.channels, y, x);
            let offset = |c, ky, kx| layout.offset(y.input * x.input, c, ky, kx);
            direct = terms(kernels.channels, y, x, offset, element);
        }
        let columns = layout.fewest(y.output) * x.output;
        let sparse = (few && columns >= sparse::COLUMNS).then(|| {
            Sparse::new(weight, rows, &direct, |row| {
                row / kernels.rows * group + row % kernels.rows * kernels.row_stride * taps
            })
        });
        Self {
            weight,
            kernels,
            taps,
            plane: y.input * x.input,
            output: [y.output, x.output],
            winograd,
            layout,
            terms: direct,
            sparse,
        }
    }

    /// Returns the elements of an image.
    fn image(&self) -> usize {
        self.kernels.channels * self.plane
    }

    /// Returns how many images [`Self::run`] had best be given at once.
    fn images(&self) -> usize {
        self.winograd.as_ref().map_or(1, Winograd::images)
    }

    /// Returns the scratch that [`Self::run`] needs, zero before the first run.
    fn scratch(&self) -> usize {
        self.layout.len()
    }

    /// Computes the planes `output` of `rows` of some images, one image after the other.
    fn run(
        &self,
        level: Level,
        images: &[f32],
        rows: Rows<'_>,
        buffer: &mut [f32],
        output: &mut [f32],
    ) {
        let [height, width] = self.output;
        if height * width == 0 {
            return;
        }
        if let Some(winograd) = &self.winograd {
            return winograd.run(level, images, rows, output);
        }
        let images = images.chunks_exact(self.image());
        for (image, output) in images.zip(output.chunks_exact_mut(rows.count * height * width)) {
            for band in self.layout.bands(height) {
                let output = &mut output[band.start * width..];
                let seen = self.layout.fill(level, image, &band, buffer);
                self.product(level, seen, rows, band.len(), output);
            }
        }
    }

    /// Computes some lines of the planes of `rows`.
    fn product(&self, level: Level, b: &[f32], rows: Rows<'_>, lines: usize, output: &mut [f32]) {
        let [height, width] = self.output;
        if let Some(sparse) = &self.sparse {
            let product = SparseProduct {
                sparse,
                rows: rows.first..rows.first + rows.count,
                b,
                columns: lines * width,
                bias: rows.bias,
                clamp: rows.clamp,
            };
            return product.run(level, output, height * width);
        }
        let product = Product {
            a: &self.weight[rows.kernel * self.taps..],
            row_stride: self.kernels.row_stride * self.taps,
            b,
            terms: &self.terms,
            rows: rows.count,
            columns: lines * width,
            start: rows.bias.map_or(Start::Zero, Start::Rows),
            clamp: rows.clamp,
        };
        product.run(level, output, height * width);
    }
}
