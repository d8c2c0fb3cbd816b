//! The weight gradient where a mask leaves few of the weights: a dot product of an output plane with a view of the input
//! for each of them.

use super::Geometry;
use super::layout::{Layout, terms};
use crate::kernels::dot::Dots;
use crate::kernels::scratch::{filled, with_scratch};
use crate::kernels::simd::Level;

/// The share of weights up to which leaving out the others pays.
const DENSITY: f64 = 0.4;

/// The weights of an output channel up to which it does: more outgrow the first-level cache.
const WEIGHTS: usize = 100;

/// The fewest output pixels for which it does; fewer would not fill a vector.
const PIXELS: usize = 16;

/// Parts into which the images are cut, each with sums of its own.
const PARTS: usize = 4;

/// Returns the gradient of the weight `[out, in / groups, kh, kw]` for the gradient of the outputs, where `mask` is not zero,
/// and zero elsewhere; nothing where the mask leaves too many weights.
pub(super) fn weight_gradient(
    level: Level,
    shape: &Geometry,
    mask: &[f32],
    input: &[f32],
    gradient: &[f32],
) -> Option<Vec<f32>> {
    let kept = Kept::new(shape, mask)?;
    let part = shape.batch.div_ceil(PARTS).max(1);
    let parts = shape.batch.div_ceil(part);
    let count = kept.starts.len();
    let sums = filled(parts * count, count, |index, sums| {
        let mut dots = Dots::new(count);
        let images = index * part..shape.batch.min((index + 1) * part);
        with_scratch([kept.layout.len()], |[buffer]| {
            buffer.fill(0.0);
            for image in images {
                for group in 0..shape.groups {
                    kept.add(
                        level,
                        shape,
                        [image, group],
                        [input, gradient],
                        buffer,
                        &mut dots,
                    );
                }
            }
        });
        dots.sums(level, sums);
    });
    let mut result = vec![0.0; mask.len()];
    for sums in sums.chunks_exact(count.max(1)) {
        for (at, sum) in kept.weights.iter().zip(sums) {
            result[*at] += sum;
        }
    }
    Some(result)
}

/// The weights that are left.
struct Kept {
    layout: Layout,
    /// Where they lie, output channel by output channel, and what of a view each one's tap sees.
    weights: Vec<usize>,
    starts: Vec<u32>,
    /// Where those of each output channel begin, and where the last ones end.
    channels: Vec<usize>,
}

impl Kept {
    fn new(shape: &Geometry, mask: &[f32]) -> Option<Self> {
        let left = mask.iter().filter(|x| **x != 0.0).count();
        let too_many = left as f64 > DENSITY * mask.len() as f64
            || left > WEIGHTS * shape.out_channels
            || shape.y.output * shape.x.output < PIXELS;
        if too_many {
            return None;
        }
        let layout = Layout::new(shape.inner(), &shape.y, &shape.x);
        let plane = shape.y.input * shape.x.input;
        let seen = |channel, ky, kx| layout.offset(plane, channel, ky, kx);
        let terms = terms(shape.inner(), &shape.y, &shape.x, seen, |_, _, _| 0);
        // One more than are left, for the next one to be written before it is known whether it counts.
        let (mut weights, mut starts) = (vec![0; left + 1], vec![0; left + 1]);
        let mut channels = vec![0];
        let mut count = 0;
        for (channel, mask) in mask.chunks_exact(terms.len()).enumerate() {
            for (tap, (term, mask)) in terms.iter().zip(mask).enumerate() {
                weights[count] = channel * terms.len() + tap;
                starts[count] = term.b;
                count += usize::from(*mask != 0.0);
            }
            channels.push(count);
        }
        weights.truncate(left);
        starts.truncate(left);
        Some(Self {
            layout,
            weights,
            starts,
            channels,
        })
    }

    /// Adds what one image and group contributes.
    fn add(
        &self,
        level: Level,
        shape: &Geometry,
        [image, group]: [usize; 2],
        [input, gradient]: [&[f32]; 2],
        buffer: &mut [f32],
        dots: &mut Dots,
    ) {
        let (inner, outer) = (shape.inner(), shape.outer());
        let (plane, pixels) = (
            shape.y.output * shape.x.output,
            inner * shape.y.input * shape.x.input,
        );
        let input = &input[(image * shape.groups + group) * pixels..][..pixels];
        let gradient = &gradient[(image * shape.groups + group) * outer * plane..];
        for band in self.layout.bands(shape.y.output) {
            let seen = self.layout.fill(level, input, &band, buffer);
            let pixels = band.start * shape.x.output..band.end * shape.x.output;
            for (row, gradient) in gradient.chunks_exact(plane).take(outer).enumerate() {
                let channel = group * outer + row;
                let first = self.channels[channel];
                let starts = &self.starts[first..self.channels[channel + 1]];
                dots.add(level, first, &gradient[pixels.clone()], seen, starts);
            }
        }
    }
}
