//! What is measured: each metric knows its unit, which way is better and how far a golden may drift.
//!
//! A metric is a constant in the file of its family and a line in [`METRICS`]. What it computes from depends on the task
//! ([`Compute`]): class scores, or what was found in each image. Another task adds a variant with what it collects.

mod coco;
mod curve;
mod detections;
mod gaussian;
mod generation;
mod impressions;
mod ranking;
mod scores;
mod topk;
mod voc;

pub use detections::{Detection, Detections, Scene};
pub(crate) use gaussian::npy::Array;
pub use gaussian::{Moments, Statistics, StatisticsError};
pub use generation::{Drawings, Seen};
pub use impressions::{Gathering, Impressions, InceptionScore};
pub use scores::{ClassScores, ScoresError};

use crate::registry::{Named, Registry};

/// Every metric by name.
///
/// The first of a task's is the one that leads: by which its networks are compared.
pub static METRICS: Registry<Metric> = Registry::new(
    "metric",
    &[
        topk::TOP1,
        topk::TOP5,
        coco::MAP,
        coco::MAP50,
        coco::MAP75,
        coco::MAP_SMALL,
        coco::MAP_MEDIUM,
        coco::MAP_LARGE,
        voc::VOC_MAP,
        voc::VOC_MAP11,
        generation::FID,
        generation::KID,
        generation::INCEPTION_SCORE,
        generation::FRECHET_EMBEDDED,
        generation::DRIFT,
    ],
);

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Accuracies.
    HigherIsBetter,
    /// Distances.
    LowerIsBetter,
}

/// How a metric's value comes about, by what the task collects.
#[derive(Debug, Clone, Copy)]
pub enum Compute {
    /// From the scores and the true class of each image.
    Classification(fn(&ClassScores) -> f64),
    /// From what was found in each image, and what is there.
    Detection(fn(&Detections) -> f64),
    /// From what was drawn; nothing where there is nothing to compare it with.
    Generation(fn(&Drawings) -> Option<f64>),
}

impl Compute {
    /// Returns how a classification is measured, if this is.
    pub fn classification(self) -> Option<fn(&ClassScores) -> f64> {
        match self {
            Self::Classification(compute) => Some(compute),
            Self::Detection(_) | Self::Generation(_) => None,
        }
    }

    /// Returns how a detection is measured, if this is.
    pub fn detection(self) -> Option<fn(&Detections) -> f64> {
        match self {
            Self::Detection(compute) => Some(compute),
            Self::Classification(_) | Self::Generation(_) => None,
        }
    }

    /// Returns how drawings are measured, if this is.
    pub fn generation(self) -> Option<fn(&Drawings) -> Option<f64>> {
        match self {
            Self::Generation(compute) => Some(compute),
            Self::Classification(_) | Self::Detection(_) => None,
        }
    }
}

/// The entry of a metric in [`METRICS`].
#[derive(Debug)]
pub struct Metric {
    /// The name in records, suites and goldens: `top1`.
    pub name: &'static str,
    /// The heading of its column.
    pub title: &'static str,
    /// The unit of its value, empty for a plain number.
    pub unit: &'static str,
    /// Which way is better.
    pub direction: Direction,
    /// How far a value may lie from its golden, in the metric's unit: what a change of machine may cause.
    pub tolerance: f64,
    /// How its value comes about.
    pub compute: Compute,
}

impl Named for Metric {
    fn name(&self) -> &str {
        self.name
    }
}

impl Metric {
    /// Returns the relative performance rho of a sparse network against its dense one, a ratio of which 1 means "as good":
    /// sparse / dense where higher is better, dense / sparse where lower is (arXiv 2412.07268). `None` if the divisor
    /// is 0 or a value is not finite.
    pub fn relative(&self, dense: f64, sparse: f64) -> Option<f64> {
        let ratio = match self.direction {
            Direction::HigherIsBetter => sparse / dense,
            Direction::LowerIsBetter => dense / sparse,
        };
        (dense.is_finite() && sparse.is_finite() && ratio.is_finite()).then_some(ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_tolerances_are_positive() {
        let names: BTreeSet<&str> = METRICS.names().collect();
        assert_eq!(names.len(), METRICS.iter().len());
        for metric in &METRICS {
            assert!(metric.tolerance > 0.0, "{}", metric.name);
        }
    }

    #[test]
    fn relative_performance_follows_the_direction() {
        let accuracy = METRICS.find("top1").unwrap();
        let distance = Metric {
            direction: Direction::LowerIsBetter,
            ..topk::TOP1
        };
        for (metric, dense, sparse, expected) in [
            (accuracy, 80.0, 60.0, Some(0.75)),
            (accuracy, 80.0, 0.0, Some(0.0)),
            (accuracy, 0.0, 60.0, None),
            (accuracy, 0.0, 0.0, None),
            (accuracy, f64::NAN, 60.0, None),
            (accuracy, f64::INFINITY, 60.0, None),
            (&distance, 5.0, 10.0, Some(0.5)),
            (&distance, 5.0, 0.0, None),
        ] {
            let found = metric.relative(dense, sparse);
            assert_eq!(found, expected, "{:?}: {dense}, {sparse}", metric.direction);
        }
    }
}
