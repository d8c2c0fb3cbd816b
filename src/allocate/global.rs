//! Ranking all weights of a network against each other.
//!
//! On ResNet-20 at 80 % the allocations of `magnitude`, `l1norm` and `l2norm` are those of the reference implementation to
//! the last weight. Its masks are not: they count anew from the rate, `int((1 - r) * n)`, and so lose one weight in each
//! of five layers (`magnitude`) and in one (`l2norm`) to float error.

use super::Context;
use std::cmp::Ordering;

/// Marks the `count` smallest of `scores`; among equals, those of lower index. Scores are neither NaN nor negative.
pub(crate) fn smallest(scores: &[f64], count: usize) -> Vec<bool> {
    if count == 0 {
        return vec![false; scores.len()];
    }
    let mut sorted = scores.to_vec();
    let (below, threshold, _) = sorted.select_nth_unstable_by(count - 1, f64::total_cmp);
    let threshold = *threshold;
    let mut ties = count - below.iter().filter(|score| **score < threshold).count();
    scores
        .iter()
        .map(|score| match score.total_cmp(&threshold) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => {
                let first = ties > 0;
                ties -= usize::from(first);
                first
            }
        })
        .collect()
}

/// Returns the rates with which the weights of least score are pruned, over all layers; among equals, those of earlier
/// layers. As many are pruned as come nearest to the target. `score` returns one number for each weight of a layer, in any
/// order.
pub(super) fn prune_least(
    context: Context<'_>,
    mut score: impl FnMut(&[f32]) -> Vec<f64>,
) -> Vec<f64> {
    let mut scores = Vec::new();
    for layer in context.layers {
        scores.extend(score(&layer.weights));
    }
    let count = (context.target * scores.len() as f64).round() as usize;
    let marked = smallest(&scores, count);
    let mut rest = marked.as_slice();
    context
        .layers
        .iter()
        .map(|layer| {
            let (own, others) = rest.split_at(layer.weights.len());
            rest = others;
            own.iter().filter(|pruned| **pruned).count() as f64 / own.len() as f64
        })
        .collect()
}

/// Scores weights by their share of a norm of their layer; a layer of zeros scores zero throughout.
pub(super) fn share_of_norm(weights: &[f32], norm: f64) -> Vec<f64> {
    let divisor = if norm > 0.0 { norm } else { 1.0 };
    weights
        .iter()
        .map(|w| f64::from(w.abs()) / divisor)
        .collect()
}
