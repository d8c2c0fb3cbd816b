//! Adam (Kingma and Ba 2015, algorithm 1), as PyTorch's `Adam`; the reference code's solver.

use super::descent::{Decay, Rule, Schedule, descend};
use super::{Problem, Solution, Solver};
use crate::kernels::{AdamStep, Moments};
use crate::progress::Progress;
use crate::reconstruct::ReconstructError;
use crate::registry::{Technique, from_params};
use candle_core::{Result as CandleResult, Tensor};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

pub(super) const ENTRY: Technique<dyn Solver> = Technique::new(
    "adam",
    "Adam: lr=1e-3, decay=none|cosine, beta1=0.9, beta2=0.999, eps=1e-8, iterations",
    |params| Ok(Box::new(from_params::<Adam>(params)?)),
);

/// The parameters of the solver.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Adam {
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: Decay,
    iterations: Option<usize>,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            decay: Decay::None,
            iterations: None,
        }
    }
}

impl Solver for Adam {
    fn solve(
        &self,
        problem: &Problem<'_>,
        progress: &dyn Progress,
    ) -> Result<Solution, ReconstructError> {
        let schedule = Schedule {
            lr: self.lr,
            decay: self.decay,
            iterations: self.iterations,
        };
        let mut rule = Descent {
            adam: *self,
            states: BTreeMap::new(),
        };
        descend(problem, schedule, &mut rule, progress)
    }
}

struct Descent {
    adam: Adam,
    /// The steps taken and the moments of each parameter.
    states: BTreeMap<usize, (i32, Moments)>,
}

impl Rule for Descent {
    fn step(
        &mut self,
        index: usize,
        weight: &Tensor,
        gradient: &Tensor,
        lr: f64,
    ) -> CandleResult<Tensor> {
        let Adam {
            beta1, beta2, eps, ..
        } = self.adam;
        let (steps, moments) = match self.states.entry(index) {
            Entry::Occupied(state) => state.into_mut(),
            Entry::Vacant(state) => state.insert((0, Moments::zeros_like(gradient)?)),
        };
        *steps += 1;
        AdamStep::new(lr, [beta1, beta2], eps, *steps).take(weight, gradient, moments)
    }
}
