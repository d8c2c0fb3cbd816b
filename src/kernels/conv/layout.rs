//! Where the taps of a correlation see an image.

use super::axis::Axis;
use super::views::Views;
use crate::kernels::product::Term;
use crate::kernels::simd::Level;
use std::ops::Range;

/// What a correlation looks at.
#[derive(Debug)]
pub(super) enum Layout {
    /// The image itself.
    Image,
    /// One copy for each horizontal tap.
    Views(Views),
}

impl Layout {
    /// Chooses what serves the axes.
    pub(super) fn new(channels: usize, y: &Axis, x: &Axis) -> Self {
        if y.offsets.is_empty() || x.offsets.is_empty() {
            return Self::Image;
        }
        Views::new(channels, y, x).map_or(Self::Image, Self::Views)
    }

    /// Returns the elements of its copies.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Image => 0,
            Self::Views(views) => views.len(),
        }
    }

    /// Returns where a channel of planes of `plane` elements begins, seen through a tap.
    pub(super) fn offset(&self, plane: usize, channel: usize, ky: usize, kx: usize) -> usize {
        match self {
            Self::Image => channel * plane,
            Self::Views(views) => views.offset(channel, ky, kx),
        }
    }

    /// Returns the output rows of each band, of `rows` in all.
    pub(super) fn bands(&self, rows: usize) -> impl Iterator<Item = Range<usize>> {
        let band = match self {
            Self::Image => rows,
            Self::Views(views) => views.band(),
        };
        (0..rows)
            .step_by(band.max(1))
            .map(move |first| first..rows.min(first + band))
    }

    /// Returns the rows of the smallest band.
    pub(super) fn fewest(&self, rows: usize) -> usize {
        self.bands(rows).map(|band| band.len()).min().unwrap_or(0)
    }

    /// Returns what the output rows `band` see of `image`: the image, or copies in `buffer`, which was zero before its first
    /// band.
    pub(super) fn fill<'a>(
        &self,
        level: Level,
        image: &'a [f32],
        band: &Range<usize>,
        buffer: &'a mut [f32],
    ) -> &'a [f32] {
        match self {
            Self::Image => return image,
            Self::Views(views) => views.fill(level, image, band, buffer),
        }
        buffer
    }
}

/// Returns the terms of a correlation: channel by channel, tap by tap. `seen` and `weight` say where what a channel's pair of
/// taps sees and its weights lie.
pub(super) fn terms(
    channels: usize,
    y: &Axis,
    x: &Axis,
    seen: impl Fn(usize, usize, usize) -> usize,
    weight: impl Fn(usize, usize, usize) -> usize,
) -> Vec<Term> {
    let mut terms = Vec::with_capacity(channels * y.offsets.len() * x.offsets.len());
    for channel in 0..channels {
        for ky in 0..y.offsets.len() {
            for kx in 0..x.offsets.len() {
                terms.push(Term {
                    a: weight(channel, ky, kx) as u32,
                    b: seen(channel, ky, kx) as u32,
                });
            }
        }
    }
    terms
}
