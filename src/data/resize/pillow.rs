//! Resizing as Pillow does it, to the bit, for networks were trained and measured on Pillow's pixels.
//!
//! As `Resample.c` of Pillow (which torchvision calls): separable convolution with the filter stretched by the scale of a
//! reduction (antialiasing), weights in fixed point of 22 bits, along rows first and then along columns, with bytes between
//! the two. The order matters, since a cubic overshoots and bytes clip: `fast_image_resize` 6.1 goes along columns first and is
//! up to 26 levels away.

use crate::data::Image;
use std::ops::Range;

/// The binary digits of a weight behind the point.
const PRECISION: u32 = 22;

/// Half a level.
const HALF: i32 = 1 << (PRECISION - 1);

/// What a pixel counts by its distance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter {
    /// The distance from which on pixels do not count.
    reach: f64,
    weight: fn(f64) -> f64,
}

pub(super) const LINEAR: Filter = Filter {
    reach: 1.0,
    weight: linear,
};

pub(super) const CUBIC: Filter = Filter {
    reach: 2.0,
    weight: cubic,
};

/// The pixels of a line that make one pixel of the resized line.
#[derive(Debug, PartialEq)]
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// Returns the part `window` (rows, columns) of `image` resized to `to`, `[h, w]`.
pub(super) fn resize(
    image: &Image,
    to: [usize; 2],
    window: [Range<usize>; 2],
    filter: Filter,
) -> Image {
    let [channels, height, width] = image.shape();
    let [rows, columns] = window;
    let rows = taps([height, to[0]], rows, filter);
    let columns = taps([width, to[1]], columns, filter);
    let top = rows.iter().map(|t| t.first).min().unwrap_or(0);
    let bottom = rows.iter().map(|t| t.first + t.weights.len()).max();
    let needed = top * width..bottom.unwrap_or(0) * width;
    let mut pixels = Vec::with_capacity(channels * rows.len() * columns.len());
    for channel in image.channels() {
        let narrow = along_rows(&channel[needed.clone()], width, &columns);
        along_columns(&narrow, top, &rows, columns.len(), &mut pixels);
    }
    Image::from_vec([channels, rows.len(), columns.len()], pixels)
}

/// Resizes each line of `width` pixels.
fn along_rows(plane: &[u8], width: usize, columns: &[Taps]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plane.len() / width * columns.len());
    for line in plane.chunks_exact(width) {
        out.extend(columns.iter().map(|taps| {
            let pixels = &line[taps.first..][..taps.weights.len()];
            let products = pixels.iter().zip(&taps.weights);
            level(HALF + products.map(|(&p, w)| i32::from(p) * w).sum::<i32>())
        }));
    }
    out
}

/// Resizes a plane of lines of `width` pixels, the first of which is line `top` of the image, and appends it to `out`.
fn along_columns(plane: &[u8], top: usize, rows: &[Taps], width: usize, out: &mut Vec<u8>) {
    let mut sums = vec![0_i32; width];
    for taps in rows {
        sums.fill(HALF);
        let lines = plane[(taps.first - top) * width..].chunks_exact(width);
        for (line, weight) in lines.zip(&taps.weights) {
            for (sum, &pixel) in sums.iter_mut().zip(line) {
                *sum += i32::from(pixel) * weight;
            }
        }
        out.extend(sums.iter().map(|&sum| level(sum)));
    }
}

fn level(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Returns what makes each pixel of `window` of a line resized `from` pixels `to` pixels.
fn taps([from, to]: [usize; 2], window: Range<usize>, filter: Filter) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.reach * stretch;
    let tap = |place: usize| {
        let center = (place as f64 + 0.5) * scale;
        // Casts of negative numbers saturate at zero, where Pillow cuts off too.
        let first = (center - support + 0.5) as usize;
        let end = ((center + support + 0.5) as usize).min(from);
        let weight = |x| (filter.weight)((x as f64 - center + 0.5) * (1.0 / stretch));
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let total: f64 = weights.iter().sum();
        let fixed = |w: &f64| {
            let scaled = w / total * f64::from(1 << PRECISION);
            (scaled + 0.5_f64.copysign(scaled)) as i32
        };
        Taps {
            first,
            weights: weights.iter().map(fixed).collect(),
        }
    };
    window.map(tap).collect()
}

fn linear(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

/// Keys' cubic with a = -0.5, in the order of Pillow's operations.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}
