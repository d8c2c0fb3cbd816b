//! The scores of all layers, from which thresholds and rates follow, and which are kept where the target is met.

use super::bridge::Bridge;

/// One score a layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scores(pub(super) Vec<f64>);

/// The largest score in magnitude: a sigmoid beyond is 0 or 1 to all digits that matter.
const LIMIT: f64 = 30.0;

/// Halvings of the interval in which a shift is looked for.
const HALVINGS: usize = 60;

impl Scores {
    /// Returns the scores at which each layer has its rate.
    pub(super) fn of(bridges: &[Bridge], rates: &[f64]) -> Self {
        let score = |(bridge, rate): (&Bridge, &f64)| {
            let share = bridge.threshold(*rate) / bridge.largest().max(f64::MIN_POSITIVE);
            (share / (1.0 - share)).ln().clamp(-LIMIT, LIMIT)
        };
        Self(bridges.iter().zip(rates).map(score).collect())
    }

    /// Returns the threshold of each layer.
    pub(super) fn thresholds(&self, bridges: &[Bridge]) -> Vec<f64> {
        let pairs = bridges.iter().zip(&self.0);
        pairs.map(|(b, z)| b.largest() * sigmoid(*z)).collect()
    }

    /// Returns the derivative of each threshold with respect to its score.
    pub(super) fn slopes(&self, bridges: &[Bridge]) -> Vec<f64> {
        let pairs = bridges.iter().zip(&self.0);
        let slope = |(b, z): (&Bridge, &f64)| b.largest() * sigmoid(*z) * (1.0 - sigmoid(*z));
        pairs.map(slope).collect()
    }

    /// Returns the share of all weights that is pruned.
    pub(super) fn sparsity(&self, bridges: &[Bridge]) -> f64 {
        let thresholds = self.thresholds(bridges);
        let pruned: usize = bridges
            .iter()
            .zip(thresholds)
            .map(|(b, t)| b.count(t))
            .sum();
        let numel: usize = bridges.iter().map(Bridge::numel).sum();
        pruned as f64 / numel as f64
    }

    /// Moves all scores by the same amount to where `target` of all weights are pruned.
    pub(super) fn project(&mut self, bridges: &[Bridge], target: f64) {
        let shifted = |by: f64| {
            let scores = self.0.iter().map(|z| (z + by).clamp(-LIMIT, LIMIT));
            Self(scores.collect())
        };
        let (mut low, mut high) = (-2.0 * LIMIT, 2.0 * LIMIT);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if shifted(middle).sparsity(bridges) < target {
                low = middle;
            } else {
                high = middle;
            }
        }
        let gap = |scores: &Self| (scores.sparsity(bridges) - target).abs();
        let (below, above) = (shifted(low), shifted(high));
        *self = if gap(&below) < gap(&above) {
            below
        } else {
            above
        };
    }
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

#[cfg(test)]
mod tests {
    use super::super::bridge::Density;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn projection_meets_the_target_and_keeps_the_order(
            scores in prop::collection::vec(-4.0..2.0_f64, 3),
            target in 0.02..0.98_f64,
            magnitude in -3..4_i32,
        ) {
            // Weights well beyond 1 are as good as others.
            let scale = 10f32.powi(magnitude);
            let weights = |layer: usize| -> Vec<f32> {
                (0..5000).map(|i| scale * ((i * 37 + layer) % 5000) as f32 / 5000.0 - scale / 2.0).collect()
            };
            let bridges: Vec<Bridge> = (0..3).map(|l| Bridge::new(&weights(l), Density::Kernel)).collect();
            let mut projected = Scores(scores.clone());
            projected.project(&bridges, target);
            prop_assert!((projected.sparsity(&bridges) - target).abs() < 1e-3);
            for (a, b) in [(0, 1), (1, 2)] {
                prop_assert_eq!(scores[a] < scores[b], projected.0[a] < projected.0[b]);
            }
        }
    }

    #[test]
    fn scores_of_rates_have_these_rates() {
        let weights: Vec<f32> = (1..=1000).map(|i| i as f32 / 100.0).collect();
        let bridges = vec![Bridge::new(&weights, Density::Kernel); 3];
        let scores = Scores::of(&bridges, &[0.0, 0.25, 0.9]);
        let thresholds = scores.thresholds(&bridges);
        let rates: Vec<f64> = bridges
            .iter()
            .zip(thresholds)
            .map(|(b, t)| b.rate(t))
            .collect();
        assert_eq!(rates, [0.0, 0.25, 0.9]);
    }
}
