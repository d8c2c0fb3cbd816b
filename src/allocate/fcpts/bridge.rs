//! From a layer's threshold to its sparsity, with a derivative.
//!
//! The sparsity at threshold `t` is the share of weights with `|w| <= t`. Its derivative is an estimate of the density of
//! `|w|` at `t`, which is the density of `w` at `t` plus that at `-t`: by a kernel (Epanechnikov's, with Silverman's bandwidth), or by a histogram
//! of 100 bins as in the reference implementation.

use serde::{Deserialize, Serialize};

/// How the density of weights is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Density {
    #[default]
    Kernel,
    Histogram,
}

/// Bins of the histogram.
const BINS: f64 = 100.0;

/// The magnitudes of a layer's weights, with an estimate of their density.
#[derive(Debug, Clone)]
pub(super) struct Bridge {
    /// Ascending.
    magnitudes: Vec<f32>,
    density: Density,
    /// Half the width of the kernel, or the width of a bin.
    pub(super) width: f64,
}

impl Bridge {
    pub(super) fn new(weights: &[f32], density: Density) -> Self {
        let mut magnitudes: Vec<f32> = weights.iter().map(|w| w.abs()).collect();
        magnitudes.sort_unstable_by(f32::total_cmp);
        let largest = magnitudes.last().map_or(0.0, |w| f64::from(*w));
        let width = match density {
            Density::Kernel => bandwidth(&magnitudes),
            Density::Histogram => largest / BINS,
        };
        Self {
            magnitudes,
            density,
            // A layer of equal weights has no spread to take a width from.
            width: if width > 0.0 {
                width
            } else {
                largest.max(1.0) / BINS
            },
        }
    }

    pub(super) fn numel(&self) -> usize {
        self.magnitudes.len()
    }

    /// Returns the largest magnitude.
    pub(super) fn largest(&self) -> f64 {
        self.magnitudes.last().map_or(0.0, |w| f64::from(*w))
    }

    /// Returns how many weights are at most `threshold` in magnitude.
    pub(super) fn count(&self, threshold: f64) -> usize {
        self.magnitudes
            .partition_point(|w| f64::from(*w) <= threshold)
    }

    /// Returns the share of weights that are at most `threshold` in magnitude.
    pub(super) fn rate(&self, threshold: f64) -> f64 {
        self.count(threshold) as f64 / self.numel() as f64
    }

    /// Returns a threshold between the weights that a rate prunes and those that it keeps.
    pub(super) fn threshold(&self, rate: f64) -> f64 {
        let count = (rate * self.numel() as f64).round() as usize;
        let at = |index: usize| self.magnitudes.get(index).map(|w| f64::from(*w));
        match (count.checked_sub(1).and_then(at), at(count)) {
            (None, above) => above.unwrap_or(0.0) / 2.0,
            (Some(below), above) => f64::midpoint(below, above.unwrap_or(below)),
        }
    }

    /// Returns the derivative of the rate with respect to the threshold.
    pub(super) fn density(&self, threshold: f64) -> f64 {
        let start = self.count_below(threshold - self.width);
        let near = self.magnitudes[start..].iter();
        let near = near.map(|w| f64::from(*w) - threshold);
        let sum: f64 = near
            .take_while(|distance| *distance <= self.width)
            .map(|distance| self.kernel(threshold, distance))
            .sum();
        sum / self.numel() as f64
    }

    /// Returns the weight that a magnitude at some distance from the threshold has in the density there.
    pub(super) fn kernel(&self, threshold: f64, distance: f64) -> f64 {
        match self.density {
            Density::Kernel => {
                let x = distance / self.width;
                (0.75 * (1.0 - x * x)).max(0.0) / self.width
            }
            Density::Histogram => {
                let bin = |magnitude: f64| (magnitude / self.width).min(BINS - 1.0).floor();
                let same = bin(threshold) == bin((threshold + distance).max(0.0));
                if same { 1.0 / self.width } else { 0.0 }
            }
        }
    }

    fn count_below(&self, threshold: f64) -> usize {
        self.magnitudes
            .partition_point(|w| f64::from(*w) < threshold)
    }
}

/// Silverman's rule of thumb for Epanechnikov's kernel: `2.34 min(deviation, interquartile range / 1.34) n^(-1/5)`.
fn bandwidth(sorted: &[f32]) -> f64 {
    let n = sorted.len() as f64;
    let values = || sorted.iter().map(|w| f64::from(*w));
    let mean = values().sum::<f64>() / n;
    let deviation = (values().map(|w| (w - mean).powi(2)).sum::<f64>() / n).sqrt();
    let quantile = |share: f64| f64::from(sorted[((n - 1.0) * share) as usize]);
    let range = quantile(0.75) - quantile(0.25);
    let spread = if range > 0.0 {
        deviation.min(range / 1.34)
    } else {
        deviation
    };
    2.34 * spread * n.powf(-0.2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Normal deviates by their quantiles.
    fn normal(count: usize) -> Vec<f32> {
        let uniform = |i: usize| ((i * 7919) % count) as f64 / count as f64 + 0.5 / count as f64;
        (0..count)
            .map(|i| {
                let (u, v) = (uniform(i), uniform(i * 31 + 17));
                ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32 * 0.05
            })
            .collect()
    }

    #[test]
    fn the_derivative_is_that_of_the_smoothed_rate_by_finite_differences() {
        let bridge = Bridge::new(&normal(3000), Density::Kernel);
        // The integral of the kernel, in closed form.
        let smooth = |t: f64| {
            let part = |w: &f32| {
                let x = ((t - f64::from(*w)) / bridge.width).clamp(-1.0, 1.0);
                0.5 + 0.75 * (x - x.powi(3) / 3.0)
            };
            bridge.magnitudes.iter().map(part).sum::<f64>() / 3000.0
        };
        for t in [0.01, 0.03, 0.06, 0.1] {
            let step = 1e-5;
            let slope = (smooth(t + step) - smooth(t - step)) / (2.0 * step);
            let found = bridge.density(t);
            assert!((found - slope).abs() < 1e-3 * slope, "{t}: {found} {slope}");
        }
    }

    #[test]
    fn both_estimates_follow_the_slope_of_the_rate_itself() {
        for density in [Density::Kernel, Density::Histogram] {
            let bridge = Bridge::new(&normal(20_000), density);
            for t in [0.02, 0.05, 0.08] {
                let step = 0.004;
                let slope = (bridge.rate(t + step) - bridge.rate(t - step)) / (2.0 * step);
                let found = bridge.density(t);
                assert!(
                    (found - slope).abs() < 0.15 * slope,
                    "{density:?} {t}: {found} {slope}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn a_threshold_prunes_as_many_as_its_rate(
            weights in prop::collection::vec(-3.0..3.0_f32, 1..200),
            rate in 0.0..=1.0_f64,
        ) {
            let mut distinct: Vec<f32> = weights.iter().map(|w| w.abs()).filter(|w| *w > 0.0).collect();
            distinct.sort_by(f32::total_cmp);
            distinct.dedup();
            prop_assume!(distinct.len() == weights.len());
            let bridge = Bridge::new(&weights, Density::Kernel);
            let count = (rate * weights.len() as f64).round() as usize;
            prop_assert_eq!(bridge.count(bridge.threshold(rate)), count);
        }
    }

    #[test]
    fn weights_without_spread_have_a_width() {
        for weights in [vec![0.0; 9], vec![2.5; 9]] {
            for density in [Density::Kernel, Density::Histogram] {
                let bridge = Bridge::new(&weights, density);
                assert!(bridge.width > 0.0 && bridge.density(0.5).is_finite());
            }
        }
    }
}
