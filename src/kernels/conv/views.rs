//! An image laid out so that every tap of a correlation sees its pixels in one piece.
//!
//! Through one tap, the outputs of a whole band of rows see inputs that are scattered: rows end, and strides skip. For
//! each channel and each horizontal tap this copies what the tap sees, row after row, so that moving from one vertical
//! tap to the next is moving by a row. Three copies serve the nine taps of a 3x3 kernel, and no im2col is made.

use super::axis::Axis;
use crate::kernels::simd::Level;
use std::ops::Range;

/// The layout of the views of one image's channels, a band of output rows at a time.
#[derive(Debug)]
pub(super) struct Views {
    channels: usize,
    y: Axis,
    x: Axis,
    phases: Vec<Phase>,
    /// Output rows a band.
    band: usize,
    /// Elements from one view to the next.
    size: usize,
    /// The outputs of a row for which each horizontal tap sees a pixel.
    seen: Vec<Range<usize>>,
    /// The same as bit masks over some rows, where whole rows are copied.
    masks: Vec<Vec<u32>>,
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
const BYTES: usize = 128 * 1024;

/// The fewest output pixels of a band, for the product to be worth it.
const PIXELS: usize = 192;

impl Views {
    /// Lays out the views; nothing where the image itself serves.
    pub(super) fn new(channels: usize, y: &Axis, x: &Axis) -> Option<Self> {
        let identity =
            |axis: &Axis| axis.step == 1 && axis.offsets == [0] && axis.input == axis.output;
        // Planes a multiple of 1 KiB apart would fight for the same few lines of the first-level cache.
        if identity(y) && identity(x) && !(y.input * x.input).is_multiple_of(256) {
            return None;
        }
        let phases = phases(y);
        let rows: usize = phases.iter().map(|p| p.span() + 1).sum();
        let row_bytes = channels * x.offsets.len() * x.output * size_of::<f32>();
        let fit = (BYTES / row_bytes.max(1)).saturating_sub(rows) / phases.len().max(1);
        let least = PIXELS.div_ceil(x.output.max(1));
        let (y, x) = (y.clone(), x.clone());
        Some(Self::banded(channels, y, x, fit.max(least)))
    }

    /// Lays out the views for bands of so many rows, if there are as many.
    pub(super) fn banded(channels: usize, y: Axis, x: Axis, band: usize) -> Self {
        let band = band.clamp(1, y.output.max(1));
        let mut phases = phases(&y);
        let mut start = 0;
        for phase in &mut phases {
            phase.start = start;
            start += (band + phase.span()) * x.output;
        }
        let seen: Vec<Range<usize>> = (0..x.offsets.len()).map(|kx| x.seen(kx)).collect();
        let mut masks = Vec::new();
        if flat(&y, &x) {
            let rows = phases.iter().map(|p| band + p.span()).max();
            let mask = |seen| mask(seen, x.output, rows.unwrap_or(0));
            masks.extend(seen.iter().map(mask));
        }
        Self {
            channels,
            y,
            x,
            phases,
            band,
            size: if start.is_multiple_of(256) {
                start + 16
            } else {
                start
            },
            seen,
            masks,
        }
    }

    /// Returns the elements of a plane of the image.
    pub(super) fn plane(&self) -> usize {
        self.y.input * self.x.input
    }

    /// Returns the output rows of a band.
    pub(super) fn band(&self) -> usize {
        self.band
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

    /// Fills `views`, which were zero before their first band, with what the output rows `band` see of `image`.
    pub(super) fn fill(&self, level: Level, image: &[f32], band: &Range<usize>, views: &mut [f32]) {
        level.run(Fill {
            views: self,
            image,
            band,
            to: views,
        });
    }
}

/// [`Views::fill`], for vector instructions.
struct Fill<'a, 'b> {
    views: &'a Views,
    image: &'a [f32],
    band: &'a Range<usize>,
    to: &'b mut [f32],
}

impl pulp::NullaryFnOnce for Fill<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (views, to) = (self.views, self.to);
        for phase in &views.phases {
            for kx in 0..views.x.offsets.len() {
                fill(views, self.image, self.band, (phase, kx), to);
            }
        }
    }
}

/// Fills what a horizontal tap sees of the rows of one phase, channel by channel.
#[inline(always)]
fn fill(
    views: &Views,
    image: &[f32],
    rows: &Range<usize>,
    (phase, kx): (&Phase, usize),
    to: &mut [f32],
) {
    let Views {
        y,
        x,
        size,
        band,
        seen,
        masks,
        ..
    } = views;
    let (row, rows) = (rows.start, rows.len() + phase.span());
    let (row, step) = (row as isize + phase.low, y.step as isize);
    // Steps at which there are rows of the image, counted from the view's first.
    let above = (-row).clamp(0, rows as isize) as usize;
    let below = (y.input as isize - phase.first as isize + step - 1).div_euclid(step) - row;
    let below = below.clamp(above as isize, rows as isize) as usize;
    let (above, below, end) = (above * x.output, below * x.output, rows * x.output);
    let first = ((row.max(0) * step) as usize + phase.first) * x.input;
    let (plane, count) = (y.input * x.input, x.offsets.len());
    let views = to.chunks_exact_mut(*size).skip(kx).step_by(count);
    for (channel, view) in views.enumerate().take(image.len() / plane) {
        let view = &mut view[phase.start..][..end];
        if *band < y.output {
            view[..above].fill(0.0);
            view[below..].fill(0.0);
        }
        let view = &mut view[above..below];
        let from = (channel * plane + first) as isize + x.offsets[kx];
        if let Some(mask) = masks.get(kx) {
            shifted(image, from, mask, view);
        } else if !view.is_empty() {
            let rows = Rows {
                image,
                from,
                stride: y.step * x.input,
                step: x.step,
                seen: &seen[kx],
            };
            rows.sample(x.output, view);
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

/// Whether what a tap sees of an image is the image, moved sideways.
fn flat(y: &Axis, x: &Axis) -> bool {
    y.step == 1 && x.step == 1 && x.output == x.input
}

/// Returns the bits of some rows that are kept: those in `seen`.
fn mask(seen: &Range<usize>, width: usize, rows: usize) -> Vec<u32> {
    let row = (0..width).map(|x| if seen.contains(&x) { u32::MAX } else { 0 });
    let row: Vec<u32> = row.collect();
    row.repeat(rows)
}

/// Copies whole rows from `from` on, but for what comes in from neighbouring rows, which the mask leaves out.
#[inline(always)]
fn shifted(image: &[f32], from: isize, mask: &[u32], view: &mut [f32]) {
    let mask = &mask[..view.len()];
    let inside = usize::try_from(from).ok();
    if let Some(image) = inside.and_then(|from| image.get(from..from + view.len())) {
        for ((view, image), mask) in view.iter_mut().zip(image).zip(mask) {
            *view = f32::from_bits(image.to_bits() & mask);
        }
        return;
    }
    for ((view, at), mask) in view.iter_mut().zip(from..).zip(mask) {
        let pixel = usize::try_from(at).ok().and_then(|at| image.get(at));
        *view = f32::from_bits(pixel.map_or(0, |pixel| pixel.to_bits() & mask));
    }
}

/// What one horizontal tap sees of some rows.
struct Rows<'a> {
    image: &'a [f32],
    /// What the first output of the first row looks at.
    from: isize,
    /// From row to row.
    stride: usize,
    /// From pixel to pixel.
    step: usize,
    /// The outputs that see a pixel.
    seen: &'a Range<usize>,
}

impl Rows<'_> {
    /// Copies what rows of `width` outputs see.
    #[inline(always)]
    fn sample(&self, width: usize, view: &mut [f32]) {
        match (self.step, width) {
            (1, _) => self.copy::<1>(width, view),
            (2, _) => self.copy::<2>(width, view),
            _ => {
                for (index, view) in view.chunks_exact_mut(width).enumerate() {
                    self.copy_slowly(index, view);
                }
            }
        }
        for column in (0..self.seen.start).chain(self.seen.end..width) {
            for edge in view[column..].iter_mut().step_by(width) {
                *edge = 0.0;
            }
        }
    }

    /// Copies every `STEP`-th pixel.
    #[inline(always)]
    fn copy<const STEP: usize>(&self, width: usize, view: &mut [f32]) {
        for (index, view) in view.chunks_exact_mut(width).enumerate() {
            let first = self.from + (index * self.stride) as isize;
            // Neighbouring rows may be looked at; what comes of that is cleared afterwards.
            let pixels = usize::try_from(first).ok();
            let pixels = pixels.and_then(|first| self.image.get(first..first + STEP * width));
            match pixels {
                Some(pixels) => {
                    for (view, pixels) in view.iter_mut().zip(pixels.as_chunks::<STEP>().0) {
                        *view = pixels[0];
                    }
                }
                None => self.copy_slowly(index, view),
            }
        }
    }

    /// Copies one row, pixel by pixel.
    fn copy_slowly(&self, index: usize, view: &mut [f32]) {
        let first = self.from + (index * self.stride) as isize;
        for (view, at) in view.iter_mut().zip((first..).step_by(self.step)) {
            let pixel = usize::try_from(at).ok().and_then(|at| self.image.get(at));
            *view = pixel.copied().unwrap_or(0.0);
        }
    }
}
