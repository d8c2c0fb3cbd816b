//! What was found of a class, in order of score, beside what is there.

use super::curve::{Curve, Verdict};
use super::{Detection, Detections};
use crate::data::Annotation;
use std::cmp::Ordering;

/// An image, as far as one class is concerned.
pub(super) struct View<'a> {
    scene: usize,
    /// What was found, best first; what has the same score stays in the detector's order.
    pub(super) found: Vec<&'a Detection>,
    /// What is there.
    pub(super) truth: Vec<&'a Annotation>,
}

/// A class in all images.
pub(super) struct Ranking<'a> {
    /// The images in which there is something of it or something was found, in order.
    pub(super) views: Vec<View<'a>>,
    /// Which detection has which rank, where those of all views are counted through.
    order: Vec<usize>,
}

impl<'a> Ranking<'a> {
    /// Returns the ranking of each class. Of an image, the `most` best detections of a class are kept.
    ///
    /// Those whose score or place is not a number are left out: they would rank last or overlap everything, and a broken
    /// network must not score.
    pub(super) fn of_classes(detections: &'a Detections, most: usize) -> Vec<Self> {
        let views = views(detections).into_iter();
        views.map(|views| Self::new(views, most)).collect()
    }

    fn new(mut views: Vec<View<'a>>, most: usize) -> Self {
        for view in &mut views {
            view.found.sort_by(|a, b| descending(a.score, b.score));
            view.found.truncate(most);
        }
        let found = views.iter().flat_map(|view| &view.found);
        let scores: Vec<f64> = found.map(|detection| detection.score).collect();
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| descending(scores[a], scores[b]));
        Self { views, order }
    }

    /// Returns the curve, given what the detections of each view came to, one view after the other, and how many things
    /// were to be found.
    pub(super) fn curve(&self, wanted: usize, verdicts: &[Verdict]) -> Curve {
        Curve::new(wanted, self.order.iter().map(|&i| verdicts[i]))
    }
}

/// Distributes the images among the classes.
fn views(detections: &Detections) -> Vec<Vec<View<'_>>> {
    let mut classes: Vec<Vec<View<'_>>> = Vec::new();
    classes.resize_with(detections.classes(), Vec::new);
    for (index, scene) in detections.scenes().iter().enumerate() {
        for found in scene.found.iter().filter(|found| is_whole(found)) {
            if let Some(views) = classes.get_mut(found.class as usize) {
                view(views, index).found.push(found);
            }
        }
        for truth in &scene.truth {
            if let Some(views) = classes.get_mut(truth.class as usize) {
                view(views, index).truth.push(truth);
            }
        }
    }
    classes
}

fn is_whole(found: &Detection) -> bool {
    let edges = found.rect.edges();
    !found.score.is_nan() && !edges.iter().any(|edge| edge.is_nan())
}

/// Returns the view of an image, which is the last one if there is one yet.
fn view<'a, 'b>(views: &'b mut Vec<View<'a>>, scene: usize) -> &'b mut View<'a> {
    if views.last().is_none_or(|last| last.scene != scene) {
        views.push(View {
            scene,
            found: Vec::new(),
            truth: Vec::new(),
        });
    }
    views.last_mut().expect("there is one for this image")
}

/// Compares scores, none of which is NaN; zeros of either sign are equal.
fn descending(a: f64, b: f64) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::super::Scene;
    use super::*;
    use crate::data::Rect;

    fn scene(found: &[(u32, f64)]) -> Scene {
        let rect = Rect::from_edges([0.0; 4]);
        let found = found
            .iter()
            .map(|&(class, score)| Detection { rect, class, score });
        Scene {
            found: found.collect(),
            truth: Vec::new(),
        }
    }

    #[test]
    fn rankings_are_stable_and_leave_out_what_has_no_score_or_class() {
        let mut detections = Detections::new(2);
        detections.push(scene(&[
            (0, 0.5),
            (1, 0.5),
            (0, 0.9),
            (0, f64::NAN),
            (2, 1.0),
        ]));
        detections.push(scene(&[(1, f64::NAN)]));
        detections.push(scene(&[(0, 0.9), (0, 0.1), (0, 0.5)]));
        let rankings = Ranking::of_classes(&detections, 2);
        assert_eq!(rankings.len(), 2);
        let scores = |view: &View| view.found.iter().map(|d| d.score).collect::<Vec<f64>>();
        let views: Vec<_> = rankings[0]
            .views
            .iter()
            .map(|v| (v.scene, scores(v)))
            .collect();
        assert_eq!(views, [(0, vec![0.9, 0.5]), (2, vec![0.9, 0.5])]);
        assert_eq!(rankings[0].order, [0, 2, 1, 3]);
        assert_eq!(rankings[1].views.len(), 1);
    }

    #[test]
    fn zeros_of_either_sign_are_equal() {
        assert_eq!(descending(0.0, -0.0), Ordering::Equal);
        assert_eq!(descending(f64::INFINITY, 1.0), Ordering::Less);
    }
}
