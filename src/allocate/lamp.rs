//! Layer-adaptive magnitude (Lee et al. 2021, eq. 4): one threshold for the whole network on
//! `w_u^2 / sum(w_v^2 for |w_v| >= |w_u|)`.
//!
//! The largest weight of a layer scores 1 and every other at most 1/2, so that no layer is emptied before all others are
//! down to one weight. Equal weights have equal scores, as the formula says (the authors' code ranks them in an arbitrary
//! order): where `m` weights share the largest magnitude of a layer, each scores `1 / m`, and such a layer can be emptied
//! sooner. A layer of zeros scores zero throughout. Sums are in f64.

use super::global::prune_least;
use super::{AllocateError, Allocator, Context, Rates};
use crate::registry::{Technique, from_params};
use serde::Deserialize;

pub(super) const ENTRY: Technique<dyn Allocator> = Technique::new(
    "lamp",
    "one global threshold on w^2 / sum of squares of the weights of its layer at least as large",
    |params| Ok(Box::new(from_params::<Lamp>(params)?)),
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lamp {}

impl Allocator for Lamp {
    fn rates(&self, context: Context<'_>) -> Result<Rates, AllocateError> {
        Ok(prune_least(context, scores).into())
    }
}

/// Returns the scores of all weights, from the largest magnitude down.
fn scores(weights: &[f32]) -> Vec<f64> {
    let mut descending: Vec<f32> = weights.iter().map(|w| w.abs()).collect();
    descending.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut scores = Vec::with_capacity(weights.len());
    let mut sum = 0.0;
    for equals in descending.chunk_by(|a, b| a.total_cmp(b).is_eq()) {
        let square = f64::from(equals[0]).powi(2);
        sum += square * equals.len() as f64;
        let score = if sum > 0.0 { square / sum } else { 0.0 };
        scores.extend(std::iter::repeat_n(score, equals.len()));
    }
    scores
}
