//! The average precisions of PASCAL VOC (Everingham et al. 2010), equal to `voc_eval` of py-faster-rcnn.
//!
//! For each class, detections of all images are ranked by score. Each is compared with the one thing that it overlaps
//! most, taken or not: it is right if their intersection over union is above one half and nobody before it was, wrong if
//! somebody was. Finding what is difficult or a crowd is neither, however often it is found. The average precision is the
//! area below the best precision with at least a given recall, as since 2010, or the mean of that precision at the recalls
//! 0, 0.1 ... 1, as in 2007. Metrics are means over the classes of which there is anything to be found; if there is
//! none, they are not numbers.
//!
//! Edges are the first and the last column or row of pixels, as the annotations have them: a rectangle is a pixel wider and
//! higher than the distance of its edges.
//!
//! # Tolerances
//! One point is about the standard error over 2,000 images, from the same experiment as [COCO's](super::coco): 2.2 over 360.

use super::curve::{Curve, Verdict, mean};
use super::ranking::{Ranking, View};
use super::{Compute, Detections, Direction, Metric};
use crate::data::{Rect, Standing};

pub(super) const VOC_MAP: Metric = Metric {
    name: "voc-map",
    title: "VOC AP",
    unit: "%",
    direction: Direction::HigherIsBetter,
    tolerance: 1.0,
    compute: Compute::Detection(|found| percent(found, Curve::area)),
};

pub(super) const VOC_MAP11: Metric = Metric {
    name: "voc-map11",
    title: "VOC AP, 11 points",
    compute: Compute::Detection(|found| percent(found, |curve| curve.interpolated(10))),
    ..VOC_MAP
};

/// The overlap above which something is found.
const THRESHOLD: f64 = 0.5;

fn percent(detections: &Detections, summary: fn(&Curve) -> f64) -> f64 {
    100.0 * mean(precisions(detections, summary).into_iter().flatten())
}

/// Returns the average precision of each class, none where there is nothing to be found.
fn precisions(detections: &Detections, summary: fn(&Curve) -> f64) -> Vec<Option<f64>> {
    let classes = Ranking::of_classes(detections, usize::MAX);
    let curves = classes.iter().map(curve);
    curves.map(|curve| curve.as_ref().map(summary)).collect()
}

fn curve(class: &Ranking) -> Option<Curve> {
    let truth = class.views.iter().flat_map(|view| &view.truth);
    let counts = truth.filter(|truth| truth.standing == Standing::Counts);
    let wanted = counts.count();
    let verdicts: Vec<Verdict> = class.views.iter().flat_map(judge).collect();
    (wanted > 0).then(|| class.curve(wanted, &verdicts))
}

/// Returns what each detection in an image comes to.
fn judge(view: &View) -> Vec<Verdict> {
    let mut taken = vec![false; view.truth.len()];
    let mut verdict = |found: &Rect| match closest(found, view) {
        Some(i) if view.truth[i].standing != Standing::Counts => Verdict::Neither,
        Some(i) if !std::mem::replace(&mut taken[i], true) => Verdict::Hit,
        _ => Verdict::Miss,
    };
    view.found
        .iter()
        .map(|found| verdict(&found.rect))
        .collect()
}

/// Returns what a detection overlaps most, the first of equals, if it is enough.
fn closest(found: &Rect, view: &View) -> Option<usize> {
    let mut closest = None;
    let mut most = THRESHOLD;
    for (i, truth) in view.truth.iter().enumerate() {
        let overlap = overlap(found, &truth.rect);
        if overlap > most {
            (closest, most) = (Some(i), overlap);
        }
    }
    closest
}

/// Returns intersection over union, in pixels.
fn overlap(a: &Rect, b: &Rect) -> f64 {
    let ([l, u, r, d], [left, upper, right, lower]) = (a.edges(), b.edges());
    let width = r.min(right) - l.max(left) + 1.0;
    let height = d.min(lower) - u.max(upper) + 1.0;
    let shared = width.max(0.0) * height.max(0.0);
    shared / (pixels(a) + pixels(b) - shared)
}

fn pixels(rect: &Rect) -> f64 {
    let [left, upper, right, lower] = rect.edges();
    (right - left + 1.0) * (lower - upper + 1.0)
}
