//! Gradient descent on a unit's output error, shared by the solvers that differ in their step only.

use super::{Problem, Solution};
use crate::descent::{Order, cosine, is_due};
use crate::graph::{ParamId, Weights};
use crate::progress::Progress;
use crate::reconstruct::ReconstructError;
use candle_core::{Result as CandleResult, Tensor};
use serde::Deserialize;

/// How the learning rate changes over the iterations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Decay {
    /// Not at all.
    #[default]
    None,
    /// From the full rate to zero along half a cosine.
    Cosine,
}

/// What the descending solvers have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) lr: f64,
    pub(super) decay: Decay,
    /// Overrides the number of iterations of the case.
    pub(super) iterations: Option<usize>,
}

/// How a gradient becomes a step.
pub(super) trait Rule {
    /// Returns the weight of parameter number `index` moved against its gradient.
    fn step(
        &mut self,
        index: usize,
        weight: &Tensor,
        gradient: &Tensor,
        lr: f64,
    ) -> CandleResult<Tensor>;
}

/// How often the loss over all samples is taken on the way, to keep the best.
const CHECKPOINTS: usize = 4;

impl Schedule {
    fn rate(&self, iteration: usize, iterations: usize) -> f64 {
        match self.decay {
            Decay::None => self.lr,
            Decay::Cosine => self.lr * cosine(iteration, iterations),
        }
    }
}

/// Descends from the problem's start, and returns the best of the start and a few points on the way.
pub(super) fn descend(
    problem: &Problem<'_>,
    schedule: Schedule,
    rule: &mut dyn Rule,
    progress: &dyn Progress,
) -> Result<Solution, ReconstructError> {
    let settings = problem.settings();
    let iterations = schedule.iterations.unwrap_or(settings.iterations);
    let mut descent = Descent::new(problem);
    let (seed, unit) = (settings.seed, &problem.unit().name);
    let mut order = Order::new(seed, unit, problem.samples(), settings.batch_size);
    let mut best = (f64::INFINITY, Vec::new());
    for iteration in 0..iterations {
        progress.check()?;
        descent.step(&order.batch(), rule, schedule.rate(iteration, iterations))?;
        let done = iteration + 1;
        if is_due(done, iterations, CHECKPOINTS) {
            let loss = problem.loss(&descent.weights)?;
            if loss < best.0 {
                best = (loss, descent.snapshot());
            }
        }
    }
    Ok(Solution {
        tensors: best.1,
        iterations,
        loss: best.0.is_finite().then_some(best.0),
    })
}

/// The parameters on their way down.
struct Descent<'p, 'a> {
    problem: &'p Problem<'a>,
    params: Vec<(ParamId, Option<&'a Tensor>)>,
    weights: Weights,
}

impl<'p, 'a> Descent<'p, 'a> {
    fn new(problem: &'p Problem<'a>) -> Self {
        Self {
            problem,
            params: problem.adjustable(),
            weights: problem.start().clone(),
        }
    }

    /// Takes one step on the squared error, summed over channels and averaged over positions and samples.
    fn step(&mut self, rows: &[u32], rule: &mut dyn Rule, lr: f64) -> Result<(), ReconstructError> {
        let gradients = self.problem.gradients(&self.weights, rows, &self.params)?;
        for (index, ((id, _), gradient)) in self.params.iter().zip(gradients).enumerate() {
            let Some(gradient) = gradient else {
                continue;
            };
            let moved = rule.step(index, self.weights.tensor(*id), &gradient, lr)?;
            self.weights.set(*id, moved);
        }
        Ok(())
    }

    fn snapshot(&self) -> Vec<(ParamId, Tensor)> {
        let current = |(id, _): &(ParamId, _)| (*id, self.weights.tensor(*id).clone());
        self.params.iter().map(current).collect()
    }
}
