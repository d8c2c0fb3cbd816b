//! The weight gradient of a convolution whose groups have one channel each: dot products of planes with their views.

use super::Geometry;
use super::layout::{Layout, terms};
use crate::kernels::dot::Dots;
use crate::kernels::scratch::{filled, with_scratch};
use crate::kernels::simd::Level;

/// Returns the gradient of the weight `[channels, 1, kh, kw]` for the gradient of the outputs.
pub(super) fn weight_gradient(
    level: Level,
    shape: &Geometry,
    input: &[f32],
    gradient: &[f32],
) -> Vec<f32> {
    let (plane, image) = (
        shape.y.output * shape.x.output,
        shape.y.input * shape.x.input,
    );
    let layout = Layout::new(1, &shape.y, &shape.x);
    let seen = |channel, ky, kx| layout.offset(image, channel, ky, kx);
    let terms = terms(1, &shape.y, &shape.x, seen, |_, _, _| 0);
    let starts: Vec<u32> = terms.iter().map(|term| term.b).collect();
    let channels = shape.out_channels;
    filled(channels * starts.len(), starts.len(), |channel, result| {
        let mut dots = Dots::new(starts.len());
        with_scratch([layout.len()], |[buffer]| {
            buffer.fill(0.0);
            for sample in 0..shape.batch {
                let at = sample * channels + channel;
                let gradient = &gradient[at * plane..][..plane];
                let image = &input[at * image..][..image];
                for band in layout.bands(shape.y.output) {
                    let seen = layout.fill(level, image, &band, buffer);
                    let pixels = band.start * shape.x.output..band.end * shape.x.output;
                    dots.add(level, 0, &gradient[pixels], seen, &starts);
                }
            }
        });
        dots.sums(level, result);
    })
}
