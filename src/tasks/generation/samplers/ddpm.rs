//! Denoising diffusion probabilistic models (Ho et al. 2020, eq. 7), also with steps left out.

use super::{Blend, Sampler, posterior_variance};
use crate::registry::{Technique, from_params};
use serde::Deserialize;
use std::num::NonZeroUsize;

pub(super) const ENTRY: Technique<dyn Sampler> = Technique::new(
    "ddpm",
    "fresh noise at each step (Ho et al. 2020): steps=1000",
    |params| Ok(Box::new(from_params::<Ddpm>(params)?)),
);

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ddpm {
    steps: NonZeroUsize,
}

impl Default for Ddpm {
    fn default() -> Self {
        Self {
            steps: NonZeroUsize::new(1000).expect("not zero"),
        }
    }
}

impl Sampler for Ddpm {
    fn steps(&self) -> NonZeroUsize {
        self.steps
    }

    fn blend(&self, here: f64, next: f64) -> Blend {
        let kept = here / next;
        Blend {
            image: kept.sqrt() * (1.0 - next) / (1.0 - here),
            clean: next.sqrt() * (1.0 - kept) / (1.0 - here),
            noise: 0.0,
            fresh: posterior_variance(here, next).sqrt(),
        }
    }
}
