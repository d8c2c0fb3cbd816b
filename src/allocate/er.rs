//! Erdos-Renyi (Mocanu et al. 2018): density proportional to `((n_in + n_out) / (n_in n_out))^power`, whatever the kernel.

use super::density::Power;
use super::{AllocateError, Allocator, Context, Rates};
use crate::registry::{Technique, from_params};
use serde::Deserialize;

pub(super) const ENTRY: Technique<dyn Allocator> = Technique::new(
    "er",
    "Erdos-Renyi: density by channels in and out: power=1",
    |params| Ok(Box::new(from_params::<ErdosRenyi>(params)?)),
);

#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct ErdosRenyi(Power);

impl Allocator for ErdosRenyi {
    fn rates(&self, context: Context<'_>) -> Result<Rates, AllocateError> {
        Ok(self
            .0
            .rates(context, |shape| &shape[..shape.len().min(2)])
            .into())
    }
}
