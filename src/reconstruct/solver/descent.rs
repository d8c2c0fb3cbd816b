//! Gradient descent on a unit's output error, shared by the solvers that differ in their step only.

use super::{Problem, Solution};
use crate::descent::{Order, cosine, is_due};
use crate::graph::{ParamId, Weights};
use crate::kernels::squared_distance;
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

/// Descends from the problem's start, and returns the best of the start and a few points on the way. Ends at a step that leads to NaN
/// or infinity: nothing finite comes after it.
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
    let (mut done, mut diverged) = (0, false);
    while done < iterations && !diverged {
        progress.check()?;
        let rate = schedule.rate(done, iterations);
        diverged = !descent.step(&order.batch(), rule, rate)?;
        done += 1;
        if !diverged && is_due(done, iterations, CHECKPOINTS) {
            let loss = problem.loss(&descent.weights)?;
            diverged = !loss.is_finite();
            if loss < best.0 {
                best = (loss, descent.snapshot());
            }
        }
    }
    Ok(Solution {
        tensors: best.1,
        iterations: done,
        loss: best.0.is_finite().then_some(best.0),
        diverged,
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

    /// Takes one step on the squared error, summed over channels and averaged over positions and samples. Returns whether all weights are
    /// finite after it.
    fn step(
        &mut self,
        rows: &[u32],
        rule: &mut dyn Rule,
        lr: f64,
    ) -> Result<bool, ReconstructError> {
        let gradients = self.problem.gradients(&self.weights, rows, &self.params)?;
        let mut finite = true;
        for (index, ((id, _), gradient)) in self.params.iter().zip(gradients).enumerate() {
            let Some(gradient) = gradient else {
                continue;
            };
            let weight = self.weights.tensor(*id);
            let moved = rule.step(index, weight, &gradient, lr)?;
            // The length of a step is as finite as where it leads.
            finite &= squared_distance(&moved, weight)?.is_finite();
            self.weights.set(*id, moved);
        }
        Ok(finite)
    }

    fn snapshot(&self) -> Vec<(ParamId, Tensor)> {
        let current = |(id, _): &(ParamId, _)| (*id, self.weights.tensor(*id).clone());
        self.params.iter().map(current).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Walker;
    use crate::distill::Objective;
    use crate::graph::ops::Linear;
    use crate::graph::{Builder, GRANULARITIES};
    use crate::reconstruct::{Job, Settings};
    use candle_core::Device;
    use std::collections::BTreeMap;

    /// Plain descent that leaves the numbers at a step.
    struct Failing {
        step: usize,
        steps: usize,
    }

    impl Rule for Failing {
        fn step(
            &mut self,
            _index: usize,
            weight: &Tensor,
            gradient: &Tensor,
            lr: f64,
        ) -> CandleResult<Tensor> {
            self.steps += 1;
            let lr = if self.steps == self.step {
                f64::INFINITY
            } else {
                lr
            };
            weight - (gradient * lr)?
        }
    }

    #[test]
    fn the_best_before_a_divergence_is_kept() {
        let mut builder = Builder::new();
        let input = builder.input("input", [3]).unwrap();
        let linear = Linear {
            in_features: 3,
            out_features: 2,
            bias: false,
        };
        let output = builder.add("fc", linear, &[input]).unwrap();
        let graph = builder.finish(&[output]);
        let random = |shape: (usize, usize)| Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap();
        let dense = Weights::new(&graph, vec![random((2, 3))]).unwrap();
        let start = Weights::new(&graph, vec![random((2, 3))]).unwrap();
        let masks = BTreeMap::new();
        let job = Job {
            graph: &graph,
            dense: &dense,
            masks: &masks,
            inputs: &[random((30, 3))],
            objective: Objective::SquaredError,
            settings: Settings {
                iterations: 40,
                batch_size: 10,
                seed: 0,
                memory: usize::MAX,
            },
        };
        let unit = &GRANULARITIES.find("single").unwrap().units(&graph)[0];
        let walker = Walker::new(&graph, &dense, job.inputs, usize::MAX);
        let squared = Objective::SquaredError;
        let problem = Problem::new(&job, unit, squared, &start, [&walker, &walker]).unwrap();
        let schedule = Schedule {
            lr: 0.05,
            decay: Decay::None,
            iterations: None,
        };
        let found = |step| {
            let mut rule = Failing { step, steps: 0 };
            descend(&problem, schedule, &mut rule, &()).unwrap()
        };
        let (whole, cut) = (found(0), found(35));
        assert_eq!((whole.iterations, whole.diverged), (40, false));
        assert_eq!((cut.iterations, cut.diverged), (35, true));
        let before = problem.loss(&start).unwrap();
        assert!(cut.loss.unwrap() < 0.9 * before);
        assert!(whole.loss <= cut.loss);
        assert_eq!(
            problem.loss(&problem.with(&cut.tensors)).unwrap(),
            cut.loss.unwrap()
        );
    }
}
