//! Erdos-Renyi kernel (Evci et al. 2020, RigL): density proportional to `(sum of dims / product of dims)^power` over all
//! dimensions of the weight.
//!
//! The reference implementation uses a power of 1 in one place and 0.5 in another; ours is 1 unless said otherwise.

use super::density::Power;
use super::{Allocator, Context};
use crate::registry::{Technique, from_params};
use serde::Deserialize;

pub(super) const ENTRY: Technique<dyn Allocator> = Technique::new(
    "erk",
    "Erdos-Renyi kernel: density by channels and kernel size: power=1",
    |params| Ok(Box::new(from_params::<ErdosRenyiKernel>(params)?)),
);

#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct ErdosRenyiKernel(Power);

impl Allocator for ErdosRenyiKernel {
    fn rates(&self, context: Context<'_>) -> Vec<f64> {
        self.0.rates(context, |shape| shape)
    }
}
