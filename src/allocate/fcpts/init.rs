//! What learned rates start from.

use crate::allocate::{ALLOCATORS, AllocateError, Context};
use crate::registry::Spec;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// An allocation to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Init {
    /// The same rate everywhere.
    Uniform,
    /// Rates between 0 and 1 by chance.
    Random,
    #[default]
    Erk,
    Magnitude,
    L2norm,
    Lamp,
    Sensitivity,
}

impl Init {
    /// Returns the rates to start from; those by chance do not meet the target.
    pub(super) fn rates(self, context: Context<'_>, seed: u64) -> Result<Vec<f64>, AllocateError> {
        let name = match self {
            Self::Uniform => "uniform",
            Self::Erk => "erk",
            Self::Magnitude => "magnitude",
            Self::L2norm => "l2norm",
            Self::Lamp => "lamp",
            Self::Sensitivity => "sensitivity",
            Self::Random => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let rate = |_| rng.random_range(0.05..0.95);
                return Ok(context.layers.iter().map(rate).collect());
            }
        };
        let allocator = ALLOCATORS.build(&Spec::plain(name))?;
        Ok(allocator.rates(context)?.rates)
    }
}
