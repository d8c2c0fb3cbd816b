//! The same rate everywhere: `r_l = s`.

use super::{Allocator, Context};
use crate::registry::{Technique, from_params};
use serde::Deserialize;

pub(super) const ENTRY: Technique<dyn Allocator> =
    Technique::new("uniform", "the same rate for every layer", |params| {
        Ok(Box::new(from_params::<Uniform>(params)?))
    });

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Uniform {}

impl Allocator for Uniform {
    fn rates(&self, context: Context<'_>) -> Vec<f64> {
        vec![context.target; context.layers.len()]
    }
}
