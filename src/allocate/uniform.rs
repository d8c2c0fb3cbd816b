//! The same rate everywhere: `r_l = s`.
//!
//! The reference implementation has the same rates. Its masks keep `int((1 - s) * n)` weights, which float error makes one
//! too few where the product is whole (127 of 640 at 80 %), and which overshoots the target in sum; ours hold to
//! half a weight per layer (see the head of `allocate`).

use super::{AllocateError, Allocator, Context, Rates};
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
    fn rates(&self, context: Context<'_>) -> Result<Rates, AllocateError> {
        Ok(vec![context.target; context.layers.len()].into())
    }
}
