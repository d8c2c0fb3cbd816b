//! One threshold for the whole network on `|w| / sqrt(sum(w_l^2))`, the share of the layer's L2 norm (`PTSBench`, arXiv 2412.07268).

use super::global::{prune_least, share_of_norm};
use super::{AllocateError, Allocator, Context, Rates};
use crate::registry::{Technique, from_params};
use serde::Deserialize;

pub(super) const ENTRY: Technique<dyn Allocator> = Technique::new(
    "l2norm",
    "one global threshold on |w| / L2 norm of its layer",
    |params| Ok(Box::new(from_params::<L2Norm>(params)?)),
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct L2Norm {}

impl Allocator for L2Norm {
    fn rates(&self, context: Context<'_>) -> Result<Rates, AllocateError> {
        Ok(prune_least(context, |weights| {
            let squares: f64 = weights.iter().map(|w| f64::from(*w).powi(2)).sum();
            share_of_norm(weights, squares.sqrt())
        })
        .into())
    }
}
