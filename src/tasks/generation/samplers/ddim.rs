//! Denoising diffusion implicit models (Song et al. 2021, eq. 12 and 16).

use super::{Blend, Sampler, posterior_variance};
use crate::registry::{Technique, from_params};
use serde::Deserialize;
use std::num::NonZeroUsize;

pub(super) const ENTRY: Technique<dyn Sampler> = Technique::new(
    "ddim",
    "few steps and little fresh noise or none (Song et al. 2021): steps=50, eta=0",
    |params| Ok(Box::new(from_params::<Ddim>(params)?)),
);

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ddim {
    steps: NonZeroUsize,
    /// Fresh noise, in parts of what DDPM adds.
    eta: f64,
}

impl Default for Ddim {
    fn default() -> Self {
        Self {
            steps: NonZeroUsize::new(50).expect("not zero"),
            eta: 0.0,
        }
    }
}

impl Sampler for Ddim {
    fn steps(&self) -> NonZeroUsize {
        self.steps
    }

    fn blend(&self, here: f64, next: f64) -> Blend {
        let variance = self.eta * self.eta * posterior_variance(here, next);
        Blend {
            image: 0.0,
            clean: next.sqrt(),
            noise: (1.0 - next - variance).max(0.0).sqrt(),
            fresh: variance.sqrt(),
        }
    }
}
