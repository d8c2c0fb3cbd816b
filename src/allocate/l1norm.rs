//! One threshold for the whole network on `|w| / sum(|w_l|)`, the share of the layer's L1 norm (`PTSBench`, arXiv 2412.07268).

use super::global::{prune_least, share_of_norm};
use super::{AllocateError, Allocator, Context, Rates};
use crate::registry::{Technique, from_params};
use serde::Deserialize;

pub(super) const ENTRY: Technique<dyn Allocator> = Technique::new(
    "l1norm",
    "one global threshold on |w| / L1 norm of its layer",
    |params| Ok(Box::new(from_params::<L1Norm>(params)?)),
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct L1Norm {}

impl Allocator for L1Norm {
    fn rates(&self, context: Context<'_>) -> Result<Rates, AllocateError> {
        Ok(prune_least(context, |weights| {
            let norm = weights.iter().map(|w| f64::from(w.abs())).sum();
            share_of_norm(weights, norm)
        })
        .into())
    }
}
