//! Softmax over rows, in place.

use super::exp::exp;
use super::lanes::{fold, sum};
use super::simd::Level;
use pulp::NullaryFnOnce;

/// Turns each row of `width` scores, times a positive `scale`, into probabilities.
pub(super) fn softmax(level: Level, scores: &mut [f32], width: usize, scale: f32) {
    level.run(Softmax {
        scores,
        width,
        scale,
    });
}

/// Turns the gradient of each row of probabilities into that of the scores they were made from.
pub(super) fn softmax_gradient(
    level: Level,
    probabilities: &[f32],
    gradient: &mut [f32],
    width: usize,
    scale: f32,
) {
    level.run(Backward {
        probabilities,
        gradient,
        width,
        scale,
    });
}

struct Softmax<'a> {
    scores: &'a mut [f32],
    width: usize,
    scale: f32,
}

impl NullaryFnOnce for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let scale = self.scale;
        for row in self.scores.chunks_exact_mut(self.width) {
            let larger = |a: f32, b: f32| if a > b { a } else { b };
            let largest = fold([row], f32::NEG_INFINITY, |[x]| x, larger);
            for x in &mut *row {
                *x = exp(scale * (*x - largest));
            }
            let share = 1.0 / sum([row], |[x]| x);
            for x in row {
                *x *= share;
            }
        }
    }
}

struct Backward<'a> {
    probabilities: &'a [f32],
    gradient: &'a mut [f32],
    width: usize,
    scale: f32,
}

impl NullaryFnOnce for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self.probabilities.chunks_exact(self.width);
        for (row, gradient) in rows.zip(self.gradient.chunks_exact_mut(self.width)) {
            let mean = sum([row, gradient], |[p, gradient]| p * gradient);
            for (gradient, p) in gradient.iter_mut().zip(row) {
                *gradient = self.scale * p * (*gradient - mean);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vector_widths_change_no_bit() {
        for width in [1, 15, 16, 197] {
            let noise = |seed: usize| -> Vec<f32> {
                let value = |i: usize| ((i * 7919 + seed) % 1013) as f32 / 99.0 - 5.0;
                (0..3 * width).map(value).collect()
            };
            let outcome = |level| {
                let (mut p, mut gradient) = (noise(1), noise(2));
                softmax(level, &mut p, width, 0.7);
                softmax_gradient(level, &p, &mut gradient, width, 0.7);
                (p, gradient)
            };
            let expected = outcome(Level::Portable);
            for row in expected.0.chunks(width) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
            for level in Level::all() {
                assert_eq!(outcome(level), expected, "{width}, {level:?}");
            }
        }
    }
}
