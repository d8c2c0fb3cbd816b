//! Global magnitude pruning (Han et al. 2015): one threshold on `|w|` for the whole network.

use super::global::{prune_least, share_of_norm};
use super::{AllocateError, Allocator, Context, Rates};
use crate::registry::{Technique, from_params};
use serde::Deserialize;

pub(super) const ENTRY: Technique<dyn Allocator> =
    Technique::new("magnitude", "one global threshold on |w|", |params| {
        Ok(Box::new(from_params::<Magnitude>(params)?))
    });

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Magnitude {}

impl Allocator for Magnitude {
    fn rates(&self, context: Context<'_>) -> Result<Rates, AllocateError> {
        Ok(prune_least(context, |weights| share_of_norm(weights, 1.0)).into())
    }
}
