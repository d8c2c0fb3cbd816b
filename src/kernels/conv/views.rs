//! An image laid out so that every tap of a correlation sees its pixels in one piece.
//!
//! Through one tap, the outputs of a whole band of rows see inputs that are scattered: rows end, and strides skip. For
//! each channel and each horizontal tap this copies what the tap sees, row after row, so that moving from one vertical
//! tap to the next is moving by a row. Three copies serve the nine taps of a 3x3 kernel, and no im2col is made.

use super::axis::Axis;
use crate::kernels::product::Term;
use std::ops::Range;

/// The layout of the views of one image's channels, a band of output rows at a time.
#[derive(Debug)]
pub(super) struct Views<'a> {
    channels: usize,
    y: &'a Axis,
    x: &'a Axis,
    phases: Vec<Phase>,
    /// Output rows a band.
    band: usize,
    /// Elements from one view to the next.
    size: usize,
}

/// Input rows that differ by multiples of the vertical step.
#[derive(Debug)]
struct Phase {
    /// The lowest non-negative row.
    first: usize,
    /// The lowest and highest rows that taps see, in steps, for the first output row.
    low: isize,
    high: isize,
    /// Where it begins within a view.
    start: usize,
}

/// The bytes that the views of a band should stay within, for the second-level cache to hold them.
const BYTES: usize = 256 * 1024;

/// The fewest output pixels of a band, for the product to be worth it.
const PIXELS: usize = 192;

impl<'a> Views<'a> {
    /// Lays out the views; nothing where the image itself serves.
    pub(super) fn new(channels: usize, y: &'a Axis, x: &'a Axis) -> Option<Self> {
        let identity =
            |axis: &Axis| axis.step == 1 && axis.offsets == [0] && axis.input == axis.output;
        // Planes a multiple of 1 KiB apart would fight for the same few lines of the first-level cache.
        if identity(y) && identity(x) && (y.input * x.input) % 256 != 0 {
            return None;
        }
        let mut views = Self {
            channels,
            y,
            x,
            phases: phases(y),
            band: y.output,
            size: 0,
        };
        let rows: usize = views.phases.iter().map(|p| p.span() + 1).sum();
        let row_bytes = channels * x.offsets.len() * x.output * size_of::<f32>();
        let fit = (BYTES / row_bytes.max(1)).saturating_sub(rows) / views.phases.len().max(1);
        let least = PIXELS.div_ceil(x.output.max(1));
        views.band = fit.max(least).clamp(1, y.output.max(1));
        let mut start = 0;
        for phase in &mut views.phases {
            phase.start = start;
            start += (views.band + phase.span()) * x.output;
        }
        views.size = if start % 256 == 0 { start + 16 } else { start };
        Some(views)
    }

    /// Returns the elements that a band takes.
    pub(super) fn len(&self) -> usize {
        self.channels * self.x.offsets.len() * self.size
    }

    /// Returns the output rows of each band.
    pub(super) fn bands(&self) -> impl Iterator<Item = Range<usize>> {
        let (rows, band) = (self.y.output, self.band);
        (0..rows)
            .step_by(band)
            .map(move |first| first..rows.min(first + band))
    }

    /// Returns the output pixels of a band.
    pub(super) fn pixels(&self, band: &Range<usize>) -> Range<usize> {
        band.start * self.x.output..band.end * self.x.output
    }

    /// Returns where a channel seen through a tap begins.
    pub(super) fn offset(&self, channel: usize, ky: usize, kx: usize) -> usize {
        let (row, first) = split(self.y.offsets[ky], self.y.step);
        let phase = self
            .phases
            .iter()
            .find(|p| p.first == first)
            .expect("every tap has a phase");
        let view = channel * self.x.offsets.len() + kx;
        view * self.size + phase.start + (row - phase.low) as usize * self.x.output
    }

    /// Fills `views` with what the output rows `band` see of `image`.
    pub(super) fn fill(&self, image: &[f32], band: &Range<usize>, views: &mut [f32]) {
        let plane = self.y.input * self.x.input;
        for channel in 0..self.channels {
            let image = &image[channel * plane..][..plane];
            for kx in 0..self.x.offsets.len() {
                let view = channel * self.x.offsets.len() + kx;
                let view = &mut views[view * self.size..][..self.size];
                for phase in &self.phases {
                    let rows = band.len() + phase.span();
                    let view = &mut view[phase.start..][..rows * self.x.output];
                    self.fill_phase(
                        image,
                        band.start as isize + phase.low,
                        phase.first,
                        kx,
                        view,
                    );
                }
            }
        }
    }

    /// Fills the rows of one phase, the first of them `row` steps down.
    fn fill_phase(&self, image: &[f32], row: isize, first: usize, kx: usize, view: &mut [f32]) {
        let (x, step) = (self.x, self.y.step as isize);
        let (rows, height) = (
            view.len() / x.output,
            self.y.input as isize - first as isize,
        );
        // Steps at which there are rows of the image, counted from the view's first.
        let above = (-row).clamp(0, rows as isize) as usize;
        let below =
            ((height + step - 1) / step - row).clamp(above as isize, rows as isize) as usize;
        let (top, rest) = view.split_at_mut(above * x.output);
        let (middle, bottom) = rest.split_at_mut((below - above) * x.output);
        top.fill(0.0);
        bottom.fill(0.0);
        if middle.is_empty() {
            return;
        }
        let from = ((row + above as isize) * step + first as isize) as usize * x.input;
        let image = &image[from..];
        if step == 1 && x.step == 1 && x.output == x.input {
            shifted(image, x, kx, middle);
        } else {
            for (index, view) in middle.chunks_exact_mut(x.output).enumerate() {
                sampled(
                    &image[index * self.y.step * x.input..][..x.input],
                    x,
                    kx,
                    view,
                );
            }
        }
    }
}

impl Phase {
    fn span(&self) -> usize {
        (self.high - self.low) as usize
    }
}

/// Splits a tap's offset into whole steps and what is left.
fn split(offset: isize, step: usize) -> (isize, usize) {
    let step = step as isize;
    (offset.div_euclid(step), offset.rem_euclid(step) as usize)
}

fn phases(y: &Axis) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::new();
    for offset in &y.offsets {
        let (row, first) = split(*offset, y.step);
        if let Some(phase) = phases.iter_mut().find(|p| p.first == first) {
            phase.low = phase.low.min(row);
            phase.high = phase.high.max(row);
        } else {
            phases.push(Phase {
                first,
                low: row,
                high: row,
                start: 0,
            });
        }
    }
    phases
}

/// Copies whole rows moved sideways in one go, then clears what came in from the neighbouring rows.
fn shifted(image: &[f32], x: &Axis, kx: usize, view: &mut [f32]) {
    let (offset, seen) = (x.offsets[kx], x.seen(kx));
    let (left, right) = ((-offset).max(0) as usize, offset.max(0) as usize);
    let length = view.len().saturating_sub(left + right);
    let (left, right) = (left.min(view.len()), right.min(image.len()));
    view[left..][..length].copy_from_slice(&image[right..][..length]);
    if seen.len() < x.output {
        for row in view.chunks_exact_mut(x.output) {
            row[..seen.start].fill(0.0);
            row[seen.end..].fill(0.0);
        }
    }
}

/// Copies what one row of outputs sees.
fn sampled(image: &[f32], x: &Axis, kx: usize, view: &mut [f32]) {
    let seen = x.seen(kx);
    view[..seen.start].fill(0.0);
    view[seen.end..].fill(0.0);
    let view = &mut view[seen.clone()];
    if view.is_empty() {
        return;
    }
    let first = (x.step * seen.start) as isize + x.offsets[kx];
    let image = &image[first as usize..];
    if x.step == 1 {
        view.copy_from_slice(&image[..view.len()]);
    } else {
        for (view, image) in view.iter_mut().zip(image.iter().step_by(x.step)) {
            *view = *image;
        }
    }
}

/// Returns the terms of a correlation over `views`, or over the image itself: channel by channel, tap by tap. `weight`
/// says where a channel's weights for a pair of taps lie.
pub(super) fn terms(
    views: Option<&Views<'_>>,
    channels: usize,
    y: &Axis,
    x: &Axis,
    weight: impl Fn(usize, usize, usize) -> usize,
) -> Vec<Term> {
    let mut terms = Vec::with_capacity(channels * y.offsets.len() * x.offsets.len());
    for channel in 0..channels {
        for ky in 0..y.offsets.len() {
            for kx in 0..x.offsets.len() {
                let b = match views {
                    Some(views) => views.offset(channel, ky, kx),
                    None => channel * y.input * x.input,
                };
                terms.push(Term {
                    a: weight(channel, ky, kx) as u32,
                    b: b as u32,
                });
            }
        }
    }
    terms
}
