//! Top-k accuracy: the share of images whose true class is among the `k` with the largest logits.
//!
//! Classes with equal logits rank by index, lowest first, as in `torch.argmax`. A logit that is not a number ranks
//! before all others, as there, but an image whose true class has one never counts as right: a broken network must not
//! score. Over no images the value is not a number.
//!
//! # Tolerances
//! Rounding differs between processors, and reconstruction amplifies it into a slightly different network: a few images
//! near a decision boundary change sides, so a value is no more certain than its sampling error. The tolerances are about
//! one standard error over the 2,000 test images of the default suite: sqrt(0.8 x 0.2 / 2000) = 0.9 points of top-1 at
//! 80 %, and sqrt(0.97 x 0.03 / 2000) = 0.4 points of top-5 at 97 %.

use super::{ClassScores, Compute, Direction, Metric};

pub(super) const TOP1: Metric = Metric {
    name: "top1",
    title: "Top-1 accuracy",
    unit: "%",
    direction: Direction::HigherIsBetter,
    tolerance: 1.0,
    compute: Compute::Classification(|scores| accuracy(scores, 1)),
};

pub(super) const TOP5: Metric = Metric {
    name: "top5",
    title: "Top-5 accuracy",
    tolerance: 0.5,
    compute: Compute::Classification(|scores| accuracy(scores, 5)),
    ..TOP1
};

/// Returns the top-`k` accuracy in percent.
fn accuracy(scores: &ClassScores, k: usize) -> f64 {
    let right = scores
        .iter()
        .filter(|(logits, label)| among_first(logits, *label as usize, k))
        .count();
    100.0 * right as f64 / scores.count() as f64
}

/// Tells whether fewer than `k` classes rank before `label`.
fn among_first(logits: &[f32], label: usize, k: usize) -> bool {
    let own = logits[label];
    let before = logits.iter().enumerate().filter(|&(class, &logit)| {
        let ahead = if class < label {
            logit >= own
        } else {
            logit > own
        };
        ahead || logit.is_nan()
    });
    !own.is_nan() && before.count() < k
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};
    use proptest::prelude::*;

    const NAN: f32 = f32::NAN;

    fn value(metric: &Metric, logits: &[Vec<f32>], labels: &[u32]) -> f64 {
        let mut scores = ClassScores::new(logits[0].len());
        let rows = Tensor::new(logits.to_vec(), &Device::Cpu).unwrap();
        scores.push(&rows, labels).unwrap();
        metric.compute.classification().unwrap()(&scores)
    }

    #[test]
    fn values_are_percentages() {
        let row = vec![0.0, 5.0, 4.0, 3.0, 2.0, 1.0, -1.0];
        let logits = vec![row; 4];
        let labels = [1, 2, 5, 6];
        assert!((value(&TOP1, &logits, &labels) - 25.0).abs() < 1e-12);
        assert!((value(&TOP5, &logits, &labels) - 75.0).abs() < 1e-12);
        let compute = TOP1.compute.classification().unwrap();
        assert!(compute(&ClassScores::new(3)).is_nan());
    }

    #[test]
    fn ties_and_broken_logits_follow_the_rule() {
        for (logits, label, k, expected) in [
            ([1.0, 1.0, 0.0], 0, 1, true),
            ([1.0, 1.0, 0.0], 1, 1, false),
            ([1.0, 1.0, 0.0], 1, 2, true),
            ([0.0, -0.0, 0.0], 0, 1, true),
            ([NAN, 1.0, 0.0], 1, 1, false),
            ([NAN, 1.0, 0.0], 1, 2, true),
            ([NAN, 1.0, 0.0], 0, 1, false),
            ([NAN, NAN, NAN], 0, 3, false),
            ([0.0, f32::INFINITY, NAN], 1, 2, true),
            ([0.0, 1.0, f32::NEG_INFINITY], 2, 3, true),
        ] {
            let found = among_first(&logits, label, k);
            assert_eq!(
                found, expected,
                "class {label} in the first {k} of {logits:?}"
            );
        }
    }

    /// The classes of one row from best to worst, by sorting.
    fn ranking(logits: &[f32]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        order
    }

    proptest! {
        /// Logits are small integers, so that ties are common.
        #[test]
        fn accuracy_is_that_of_sorting(
            rows in prop::collection::vec((prop::collection::vec(0..6_i8, 8), 0..8_u32), 1..20),
        ) {
            let (logits, labels): (Vec<Vec<f32>>, Vec<u32>) = rows
                .into_iter()
                .map(|(row, label)| (row.into_iter().map(f32::from).collect(), label))
                .unzip();
            for (metric, k) in [(TOP1, 1), (TOP5, 5)] {
                let right = logits
                    .iter()
                    .zip(&labels)
                    .filter(|(row, label)| ranking(row)[..k].contains(&(**label as usize)))
                    .count();
                let expected = 100.0 * right as f64 / labels.len() as f64;
                prop_assert!((value(&metric, &logits, &labels) - expected).abs() < 1e-12);
            }
        }
    }
}
