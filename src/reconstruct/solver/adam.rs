//! Adam (Kingma and Ba 2015, algorithm 1), as PyTorch's `Adam`; the reference code's solver.

use super::descent::{Decay, Rule, Schedule, descend};
use super::{Problem, Solution, Solver};
use crate::progress::Progress;
use crate::reconstruct::ReconstructError;
use crate::registry::{Technique, from_params};
use candle_core::{Result as CandleResult, Tensor};
use serde::Deserialize;
use std::collections::BTreeMap;

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
        let mut rule = Moments {
            adam: *self,
            states: BTreeMap::new(),
        };
        descend(problem, schedule, &mut rule, progress)
    }
}

struct Moments {
    adam: Adam,
    states: BTreeMap<usize, State>,
}

struct State {
    steps: i32,
    first: Tensor,
    second: Tensor,
}

impl Rule for Moments {
    fn step(&mut self, index: usize, gradient: &Tensor, lr: f64) -> CandleResult<Tensor> {
        let Adam {
            beta1, beta2, eps, ..
        } = self.adam;
        let old = match self.states.remove(&index) {
            Some(state) => state,
            None => State {
                steps: 0,
                first: gradient.zeros_like()?,
                second: gradient.zeros_like()?,
            },
        };
        let state = State {
            steps: old.steps + 1,
            first: ((old.first * beta1)? + (gradient * (1.0 - beta1))?)?,
            second: ((old.second * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?,
        };
        let first_bias = 1.0 - beta1.powi(state.steps);
        let second_bias = 1.0 - beta2.powi(state.steps);
        let deviation = ((&state.second / second_bias)?.sqrt()? + eps)?;
        let step = ((&state.first * (lr / first_bias))? / deviation)?;
        self.states.insert(index, state);
        Ok(step)
    }
}
