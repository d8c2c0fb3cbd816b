//! Who found what in an image.

use super::super::curve::Verdict;
use super::super::ranking::View;
use super::size::Size;
use crate::data::{Annotation, Rect, Standing};

/// What was found of a class in an image, with how much everything overlaps.
pub(super) struct Image<'a> {
    view: &'a View<'a>,
    /// Of each detection with each thing that is there, `[found, truth]`.
    overlaps: Vec<f64>,
}

impl<'a> Image<'a> {
    pub(super) fn new(view: &'a View<'a>) -> Self {
        let row = |found: &'a Rect| view.truth.iter().map(|truth| overlap(found, truth));
        let found = view.found.iter().map(|found| &found.rect);
        Self {
            view,
            overlaps: found.flat_map(row).collect(),
        }
    }

    /// Returns the number of things of this size that are to be found.
    pub(super) fn wanted(&self, size: Size) -> usize {
        self.view
            .truth
            .iter()
            .filter(|truth| size.wants(truth))
            .count()
    }

    /// Appends what each detection comes to.
    pub(super) fn judge(&self, size: Size, threshold: f64, verdicts: &mut Vec<Verdict>) {
        let mut free = vec![true; self.view.truth.len()];
        let found = 0..self.view.found.len();
        verdicts.extend(found.map(|found| self.verdict(found, size, threshold, &mut free)));
    }

    /// A detection takes what counts before what does not, however much it overlaps either.
    fn verdict(&self, found: usize, size: Size, threshold: f64, free: &mut [bool]) -> Verdict {
        let truth = &self.view.truth;
        let wanted = self.closest(found, threshold, |i| free[i] && size.wants(truth[i]));
        if let Some(taken) = wanted {
            free[taken] = false;
            return Verdict::Hit;
        }
        let many = |i: usize| truth[i].standing != Standing::Counts;
        let unwanted = |i: usize| (free[i] || many(i)) && !size.wants(truth[i]);
        if let Some(taken) = self.closest(found, threshold, unwanted) {
            free[taken] = false;
            return Verdict::Neither;
        }
        if size.excludes(self.view.found[found].rect.area()) {
            Verdict::Neither
        } else {
            Verdict::Miss
        }
    }

    /// Returns what a detection overlaps most among `candidates`, the last of equals, if it reaches the threshold.
    fn closest(
        &self,
        found: usize,
        threshold: f64,
        candidates: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let width = self.view.truth.len();
        let row = &self.overlaps[found * width..][..width];
        let mut closest = None;
        let mut most = threshold;
        for (i, &overlap) in row.iter().enumerate() {
            if overlap >= most && candidates(i) {
                (closest, most) = (Some(i), overlap);
            }
        }
        closest
    }
}

/// Returns intersection over union; over the detection's area for a crowd, of which it need not be all.
fn overlap(found: &Rect, truth: &Annotation) -> f64 {
    let shared = found.intersection(&truth.rect);
    match truth.standing {
        Standing::Crowd => shared / found.area(),
        Standing::Counts | Standing::Difficult => {
            shared / (found.area() + truth.rect.area() - shared)
        }
    }
}
