//! Layer-adaptive magnitude (Lee et al. 2021, eq. 4): one threshold for the whole network on
//! `w_u^2 / sum(w_v^2 for |w_v| >= |w_u|)`.
//!
//! The largest weight of a layer scores 1, so that no layer is emptied before all others are down to one weight. Equal
//! weights have equal scores, as the formula says; the reference implementation ranks them in an arbitrary order.

use super::global::prune_least;
use super::{Allocator, Context};
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
    fn rates(&self, context: Context<'_>) -> Vec<f64> {
        prune_least(context, scores)
    }
}

fn scores(weights: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[b].abs().total_cmp(&weights[a].abs()));
    let mut scores = vec![0.0; weights.len()];
    let mut sum = 0.0;
    for equals in order.chunk_by(|&a, &b| weights[a].abs() == weights[b].abs()) {
        let square = f64::from(weights[equals[0]]).powi(2);
        sum += square * equals.len() as f64;
        for &index in equals {
            scores[index] = if sum > 0.0 { square / sum } else { 0.0 };
        }
    }
    scores
}
