//! Stochastic gradient descent with momentum, as PyTorch's `SGD`; the paper's solver.

use super::descent::{Decay, Rule, Schedule, descend};
use super::{Problem, Solution, Solver};
use crate::progress::Progress;
use crate::reconstruct::ReconstructError;
use crate::registry::{Technique, from_params};
use candle_core::{Result as CandleResult, Tensor};
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) const ENTRY: Technique<dyn Solver> = Technique::new(
    "sgd",
    "gradient descent with momentum: lr=1e-4, momentum=0.9, decay=none|cosine, iterations",
    |params| Ok(Box::new(from_params::<Sgd>(params)?)),
);

/// The parameters of the solver; the defaults are the paper's.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sgd {
    lr: f64,
    momentum: f64,
    decay: Decay,
    iterations: Option<usize>,
}

impl Default for Sgd {
    fn default() -> Self {
        Self {
            lr: 1e-4,
            momentum: 0.9,
            decay: Decay::None,
            iterations: None,
        }
    }
}

impl Solver for Sgd {
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
        let mut rule = Momentum {
            momentum: self.momentum,
            velocities: BTreeMap::new(),
        };
        descend(problem, schedule, &mut rule, progress)
    }
}

struct Momentum {
    momentum: f64,
    velocities: BTreeMap<usize, Tensor>,
}

impl Rule for Momentum {
    fn step(
        &mut self,
        index: usize,
        weight: &Tensor,
        gradient: &Tensor,
        lr: f64,
    ) -> CandleResult<Tensor> {
        let velocity = match self.velocities.get(&index) {
            Some(velocity) => ((velocity * self.momentum)? + gradient)?,
            None => gradient.clone(),
        };
        let moved = weight - (&velocity * lr)?;
        self.velocities.insert(index, velocity);
        moved
    }
}
