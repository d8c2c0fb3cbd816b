//! Which anchors are worth a box, and for which class.

use crate::models::{Candidates, Scoring};
use std::ops::Range;

/// An anchor that may be a thing of a class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    /// The number of the anchor.
    pub(super) anchor: usize,
    /// The column of the class.
    pub(super) column: usize,
    pub(super) score: f32,
}

/// The scores of all anchors of an image: one row an anchor, one column a class.
#[derive(Debug)]
pub(super) struct Scores {
    values: Vec<f32>,
    columns: usize,
    /// The first column that stands for a class.
    first: usize,
}

impl Scores {
    /// Makes scores of logits with so many columns; `extra` is the third output, if the scoring takes one.
    pub(super) fn new(
        scoring: Scoring,
        logits: &[f32],
        extra: Option<&[f32]>,
        columns: usize,
    ) -> Self {
        let mut values = logits.to_vec();
        let rows = values.chunks_exact_mut(columns).enumerate();
        for (anchor, row) in rows {
            let factor = extra.map_or(1.0, |extra| sigmoid(extra[anchor]));
            match scoring {
                Scoring::Softmax => softmax(row),
                Scoring::Sigmoid | Scoring::Objectness => map(row, |v| sigmoid(v) * factor),
                Scoring::Centerness => map(row, |v| (sigmoid(v) * factor).sqrt()),
            }
        }
        Self {
            values,
            columns,
            first: usize::from(scoring == Scoring::Softmax),
        }
    }

    /// Returns the candidates with scores above `threshold`, the best ones first within each group that `rule` limits; `levels` are the
    /// anchors of each level.
    pub(super) fn candidates(
        &self,
        rule: Candidates,
        threshold: f32,
        levels: &[Range<usize>],
    ) -> Vec<Candidate> {
        let anchors = 0..self.values.len() / self.columns;
        let above = |candidate: &Candidate| candidate.score > threshold;
        match rule {
            Candidates::PerClass(limit) => (self.first..self.columns)
                .flat_map(|column| {
                    let all = anchors.clone().map(|anchor| self.at(anchor, column));
                    best(all.filter(above).collect(), limit)
                })
                .collect(),
            Candidates::PerLevel(limit) => levels
                .iter()
                .flat_map(|level| {
                    let all = level.clone().flat_map(|anchor| self.row(anchor));
                    best(all.filter(above).collect(), limit)
                })
                .collect(),
            Candidates::BestClass => {
                let strongest = anchors.filter_map(|anchor| self.row(anchor).reduce(better));
                strongest.filter(above).collect()
            }
        }
    }

    fn at(&self, anchor: usize, column: usize) -> Candidate {
        Candidate {
            anchor,
            column,
            score: self.values[anchor * self.columns + column],
        }
    }

    fn row(&self, anchor: usize) -> impl Iterator<Item = Candidate> {
        (self.first..self.columns).map(move |column| self.at(anchor, column))
    }
}

/// Returns the better candidate, the first of equals.
fn better(first: Candidate, second: Candidate) -> Candidate {
    if second.score.total_cmp(&first.score).is_gt() {
        second
    } else {
        first
    }
}

/// Returns the best candidates in order, those of lower anchors and columns first among equals.
fn best(mut candidates: Vec<Candidate>, limit: usize) -> Vec<Candidate> {
    let place = |c: &Candidate| (c.anchor, c.column);
    let order = |a: &Candidate, b: &Candidate| {
        let scores = b.score.total_cmp(&a.score);
        scores.then_with(|| place(a).cmp(&place(b)))
    };
    if candidates.len() > limit {
        candidates.select_nth_unstable_by(limit, order);
        candidates.truncate(limit);
    }
    candidates.sort_unstable_by(order);
    candidates
}

fn softmax(row: &mut [f32]) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = (*value - largest).exp();
        sum += *value;
    }
    map(row, |value| value / sum);
}

fn map(values: &mut [f32], to: impl Fn(f32) -> f32) {
    for value in values {
        *value = to(*value);
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
