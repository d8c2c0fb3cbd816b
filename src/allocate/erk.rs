//! Erdos-Renyi kernel (Evci et al. 2020, RigL): density proportional to `(sum of dims / product of dims)^power` over all
//! dimensions of the weight.
//!
//! Where ours differs from the reference implementation: it rounds the zeros of each layer down before it shares out the
//! survivors, so that its rates miss the target (0.79997 for 0.8 on the CIFAR ResNet-20, rates off by up to 1.4e-4); ours
//! meet it. Its power is 1 in one place and 0.5 in another; ours is 1 unless said otherwise.

use super::density::Power;
use super::{AllocateError, Allocator, Context, Rates};
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
    fn rates(&self, context: Context<'_>) -> Result<Rates, AllocateError> {
        Ok(self.0.rates(context, |shape| shape).into())
    }
}
