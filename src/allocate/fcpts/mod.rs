//! FCPTS (arXiv 2405.08808): rates learned by gradient descent on the distillation loss of the whole network.
//!
//! Layer `l` has a threshold `t_l = max|W_l| sigmoid(z_l)`, which is well defined whatever the magnitude of the weights, and computes with
//! `W_l * 1[|W_l| > t_l]`. Two gradients meet in its score `z_l`:
//! - that of the distillation loss, straight through the mask: `dL/dt = -sum(dL/dw_i w_i K(|w_i| - t))`, `K` a kernel, so that the weights
//!   about to be pruned or to come back speak for the threshold;
//! - that of the sparsity, `dr/dt`, the density of the weights at `t` and `-t` ([`bridge`]).
//!
//! The global target is held by projection: after each step all scores move by the same amount to where the sparsity is
//! the target, and the step itself goes along the surface of equal sparsity, for its gradient has the multiplier's part
//! `lambda dr/dz` taken out, `lambda` being the least-squares multiplier. At the optimum, one more pruned weight costs equally much in every layer.
//!
//! Where this differs from the reference implementation: there the mask is made without gradient, so that distillation never
//! reaches the scores, which move only as weights do; the constraint is a penalty of fixed weight, which does not hold at
//! 90 %; scores start from `logit(|w|)`, which is NaN from 1 on; the teacher runs in training mode. Here the teacher is the
//! dense network as it is used.
//!
//! Only rates come of it. By default weights stay as they are; with `weights=trained` they learn together with the scores, so that
//! rates are chosen for a network that can adapt, and are thrown away at the end: reconstruction starts from the dense ones.

mod bridge;
mod init;
mod learn;
mod scores;
#[cfg(test)]
mod tests;

use self::bridge::Density;
use self::init::Init;
use self::learn::learn;
use super::{AllocateError, Allocator, Context, Evidence, Rates};
use crate::registry::{Technique, from_params};
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;

const NAME: &str = "fcpts";

pub(super) const ENTRY: Technique<dyn Allocator> = Technique::new(
    NAME,
    "learned thresholds (FCPTS), started as fcpts:uniform|random|erk|magnitude|l2norm|lamp|sensitivity: iterations=200, lr=0.02, \
     weights=frozen|trained, weight_lr=1e-3, density=kernel|histogram, ste=kernel|unit",
    |params| Ok(Box::new(from_params::<Fcpts>(params)?)),
);

/// The parameters of the technique.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fcpts {
    /// What the rates start from.
    init: Init,
    iterations: NonZeroUsize,
    /// The learning rate of the scores, which decays along half a cosine.
    lr: f64,
    weights: Training,
    /// The learning rate of the weights, where they are trained.
    weight_lr: f64,
    density: Density,
    ste: Ste,
}

/// Whether weights learn together with the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Training {
    #[default]
    Frozen,
    Trained,
}

/// Through which weights the straight-through gradient passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Ste {
    /// Those near the threshold, as the density is estimated from.
    #[default]
    Kernel,
    /// Those less than 1 from it, each alike: the paper's.
    Unit,
}

impl Default for Fcpts {
    fn default() -> Self {
        Self {
            init: Init::default(),
            iterations: NonZeroUsize::new(200).expect("not zero"),
            lr: 0.02,
            weights: Training::default(),
            weight_lr: 1e-3,
            density: Density::default(),
            ste: Ste::default(),
        }
    }
}

impl Allocator for Fcpts {
    fn rates(&self, context: Context<'_>) -> Result<Rates, AllocateError> {
        let name = serde_json::to_string(&(NAME, self, context.target))?;
        let (rates, learning, diverged) = context.kept(NAME, &name, || {
            let calibration = context.calibration(NAME)?;
            let start = self.init.rates(context, calibration.seed)?;
            learn(self, context, &calibration, &start)
        })?;
        let notes = diverged.map(|step: usize| {
            format!(
                "learning the rates diverged at step {step}, what was learned before it was kept"
            )
        });
        Ok(Rates {
            rates,
            evidence: Some(Evidence::Learning(learning)),
            notes: notes.into_iter().collect(),
        })
    }

    fn needs_data(&self) -> bool {
        true
    }
}
