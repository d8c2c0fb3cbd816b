//! COCO's average precisions (Lin et al. 2014, arXiv 1405.0312), equal to `COCOeval` of pycocotools.
//!
//! For each class and each of ten thresholds, detections of all images are ranked by score. Each takes what it overlaps
//! most among what nobody before it took, if their intersection over union reaches the threshold; otherwise it is a
//! mistake. The average precision is the mean, over the recalls 0, 0.01 ... 1, of the best precision with at least that
//! recall, and metrics are means over classes and thresholds. The 100 best detections of a class in an image count.
//!
//! What need not be found, is taken by those only that find nothing else, and makes them neither right nor wrong. Of a
//! crowd it is enough to find a part: the overlap is the intersection over the *detection's* area. Any number may find the same
//! crowd, and the same difficult thing, which COCO does not know: the overlap is the ordinary one there. By size, what
//! is larger or smaller need not be found, and those of another size that find nothing are not wrong.
//!
//! Classes without anything to be found are left out. Where that is all of them, a metric is not a number.
//!
//! # Tolerances
//! A value is no more certain than its sampling error, as with [accuracies](super::topk). Drawing images with repetition from
//! the invented ones of `tests/reference/detection_coco.json` gives standard errors (`detection_metrics.py --errors`, 360
//! images) of 1.2 points for `map` and `map75`, 2.3 for `map50`, and 1.6, 2.5 and 2.9 by size. The tolerances are about
//! what that comes to over 2,000 images: 0.5, 1, and 1 for each size.

mod matching;
mod size;

use super::curve::{Verdict, mean};
use super::ranking::Ranking;
use super::{Compute, Detections, Direction, Metric};
use matching::Image;
use size::Size;
use std::ops::Range;

pub(super) const MAP: Metric = Metric {
    name: "map",
    title: "AP@[.50:.95]",
    unit: "%",
    direction: Direction::HigherIsBetter,
    tolerance: 0.5,
    compute: Compute::Detection(|found| percent(found, Size::All, 0..THRESHOLDS)),
};

pub(super) const MAP50: Metric = Metric {
    name: "map50",
    title: "AP50",
    tolerance: 1.0,
    compute: Compute::Detection(|found| percent(found, Size::All, 0..1)),
    ..MAP
};

pub(super) const MAP75: Metric = Metric {
    name: "map75",
    title: "AP75",
    compute: Compute::Detection(|found| percent(found, Size::All, 5..6)),
    ..MAP
};

pub(super) const MAP_SMALL: Metric = Metric {
    name: "map-small",
    title: "AP, small",
    tolerance: 1.0,
    compute: Compute::Detection(|found| percent(found, Size::Small, 0..THRESHOLDS)),
    ..MAP
};

pub(super) const MAP_MEDIUM: Metric = Metric {
    name: "map-medium",
    title: "AP, medium",
    compute: Compute::Detection(|found| percent(found, Size::Medium, 0..THRESHOLDS)),
    ..MAP_SMALL
};

pub(super) const MAP_LARGE: Metric = Metric {
    name: "map-large",
    title: "AP, large",
    compute: Compute::Detection(|found| percent(found, Size::Large, 0..THRESHOLDS)),
    ..MAP_SMALL
};

/// How many detections of a class count in an image.
const MOST: usize = 100;

/// The number of overlaps that are asked for.
const THRESHOLDS: usize = 10;

/// The average precisions of a class by size and threshold; none for a size of which there is nothing.
type ClassPrecisions = [Option<[f64; THRESHOLDS]>; Size::EVERY.len()];

/// The average precisions of every class, from which all metrics follow.
#[derive(Debug, Clone)]
pub(super) struct Evaluation(Vec<ClassPrecisions>);

impl Evaluation {
    pub(super) fn new(detections: &Detections) -> Self {
        let classes = Ranking::of_classes(detections, MOST);
        Self(classes.iter().map(precisions).collect())
    }

    /// Returns the mean over classes and thresholds.
    fn mean(&self, size: Size, thresholds: &Range<usize>) -> f64 {
        let classes = self.0.iter().filter_map(|class| class[size as usize]);
        mean(classes.flat_map(|class| thresholds.clone().map(move |t| class[t])))
    }
}

fn percent(detections: &Detections, size: Size, thresholds: Range<usize>) -> f64 {
    100.0 * detections.coco().mean(size, &thresholds)
}

/// Returns the smallest overlap that counts as found, from 0.5 to 0.95.
fn threshold(index: usize) -> f64 {
    // As numpy's `linspace` rounds: the ninth is a bit below 0.9.
    0.5 + index as f64 * ((0.95 - 0.5) / (THRESHOLDS - 1) as f64)
}

fn precisions(class: &Ranking) -> ClassPrecisions {
    let images: Vec<Image> = class.views.iter().map(Image::new).collect();
    Size::EVERY.map(|size| {
        let wanted = images.iter().map(|image| image.wanted(size)).sum();
        let precision = |index| precision(class, &images, size, threshold(index), wanted);
        (wanted > 0).then(|| std::array::from_fn(precision))
    })
}

fn precision(class: &Ranking, images: &[Image], size: Size, threshold: f64, wanted: usize) -> f64 {
    let mut verdicts: Vec<Verdict> = Vec::new();
    for image in images {
        image.judge(size, threshold, &mut verdicts);
    }
    class.curve(wanted, &verdicts).interpolated(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_of_numpy() {
        let thresholds: [f64; THRESHOLDS] = std::array::from_fn(threshold);
        let ninth = 0.899_999_999_999_999_9;
        let expected = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, ninth, 0.95];
        assert_eq!(thresholds, expected);
    }
}
