//! The weight gradient of a convolution whose groups have one channel each: dot products of planes with their views.

use super::Geometry;
use super::views::{Views, terms};
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
    let views = Views::new(1, &shape.y, &shape.x);
    let terms = terms(views.as_ref(), 1, &shape.y, &shape.x, |_, _, _| 0);
    let starts: Vec<u32> = terms.iter().map(|term| term.b).collect();
    let (plane, image) = (
        shape.y.output * shape.x.output,
        shape.y.input * shape.x.input,
    );
    let channels = shape.out_channels;
    filled(channels * starts.len(), starts.len(), |channel, result| {
        let mut dots = Dots::new(starts.len());
        with_scratch([views.as_ref().map_or(0, Views::len)], |[buffer]| {
            buffer.fill(0.0);
            for sample in 0..shape.batch {
                let at = sample * channels + channel;
                let (gradient, image) = (
                    &gradient[at * plane..][..plane],
                    &input[at * image..][..image],
                );
                add(
                    level,
                    views.as_ref(),
                    &starts,
                    gradient,
                    image,
                    buffer,
                    &mut dots,
                );
            }
        });
        dots.sums(level, result);
    })
}

/// Adds what one plane contributes.
fn add(
    level: Level,
    views: Option<&Views>,
    starts: &[u32],
    gradient: &[f32],
    image: &[f32],
    buffer: &mut [f32],
    dots: &mut Dots,
) {
    let Some(views) = views else {
        return dots.add(level, 0, gradient, image, starts);
    };
    for band in views.bands() {
        views.fill(level, image, &band, buffer);
        dots.add(level, 0, &gradient[views.pixels(&band)], buffer, starts);
    }
}
