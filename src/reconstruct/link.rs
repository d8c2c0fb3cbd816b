//! Running one technique over all units of a network.

use super::correction::LayerState;
use super::solver::Problem;
use super::{Input, Link, ReconstructError};
use crate::capture::Walker;
use crate::distill::Objective;
use crate::graph::{GRANULARITIES, Graph, ParamId, Weights};
use crate::progress::Progress;
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::time::Instant;

/// What every solver is told besides its own parameters.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Steps of gradient descent a unit.
    pub iterations: usize,
    /// Samples a step.
    pub batch_size: usize,
    /// The seed of the order of samples.
    pub seed: u64,
    /// The bytes that activations take at most; more are computed again instead of being kept.
    pub memory: usize,
}

impl Settings {
    /// Returns the share of the memory of each of those who keep activations: a walker of the dense network, one of the sparse network, the
    /// targets of a unit. The last share is for what a walker leaves while it moves on.
    pub(super) fn share(&self) -> usize {
        self.memory / 4
    }
}

/// A network to be reconstructed. The graph has its batch norms folded.
#[derive(Debug)]
pub struct Job<'a> {
    /// The network.
    pub graph: &'a Graph,
    /// Its dense weights.
    pub dense: &'a Weights,
    /// For the weight of each prunable layer, 1 where it survives and 0 where not.
    pub masks: &'a BTreeMap<ParamId, Tensor>,
    /// The calibration samples, one tensor an input of the graph.
    pub inputs: &'a [Tensor],
    /// What is to be small where the whole network is one unit.
    pub objective: Objective,
    /// How much work to do.
    pub settings: Settings,
}

/// What became of one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitReport {
    /// The unit.
    pub name: String,
    /// Its layers.
    pub layers: Vec<String>,
    /// Mean squared error of its outputs against the dense network's over all samples, or the objective of the task, before.
    pub loss_before: f64,
    /// The same, after; never more than before.
    pub loss_after: f64,
    /// Steps taken.
    pub iterations: usize,
    /// Whether the last of them led to NaN or infinity, so that what was best before it counts.
    pub diverged: bool,
    /// Wall time.
    pub seconds: f64,
}

/// Layers that a correction leaves as they are, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uncorrected {
    /// Those without a bias, which the correction needs.
    pub without_bias: Vec<String>,
    /// Those that would get a weight or a bias that is not a finite number.
    pub not_finite: Vec<String>,
}

impl Job<'_> {
    /// Applies the correction of `link` to every layer of `weights`, in topological order, but where that cannot be done.
    ///
    /// # Errors
    /// [`ReconstructError`] where the network fails, or on request.
    pub fn correct(
        &self,
        link: &Link,
        weights: &mut Weights,
        progress: &dyn Progress,
    ) -> Result<Uncorrected, ReconstructError> {
        let mut skipped = Uncorrected::default();
        if link.correction.is_none() {
            return Ok(skipped);
        }
        let single = GRANULARITIES.find("single").expect("single is registered");
        let units = single.units(self.graph);
        let (mut dense, mut sparse) = self.walkers();
        progress.stage("correct", units.len());
        for unit in &units {
            progress.check()?;
            if link.correction.needs_activations() {
                dense.advance(self.dense, unit.nodes[0])?;
                sparse.advance(weights, unit.nodes[0])?;
            }
            let source = source(link, &dense, &sparse);
            let state = LayerState::new(self, unit, weights, [&dense, source]);
            let state = link.correction.apply(state)?;
            if state.lacks_bias {
                skipped.without_bias.push(state.name().to_owned());
            }
            if state.is_finite()? {
                state.store(weights);
            } else {
                skipped.not_finite.push(state.name().to_owned());
            }
            progress.step(&unit.name);
        }
        Ok(skipped)
    }

    /// Runs the solver of `link` on every unit of `weights`, in topological order. What makes a unit worse is not taken.
    ///
    /// # Errors
    /// [`ReconstructError`] where the network fails, or on request.
    pub fn reconstruct(
        &self,
        link: &Link,
        weights: &mut Weights,
        progress: &dyn Progress,
    ) -> Result<Vec<UnitReport>, ReconstructError> {
        let units = link.granularity.units(self.graph);
        let (mut dense, mut sparse) = self.walkers();
        progress.stage("reconstruct", units.len());
        let mut reports = Vec::with_capacity(units.len());
        for unit in &units {
            progress.check()?;
            let start = Instant::now();
            let first = unit.nodes[0];
            dense.advance(self.dense, first)?;
            sparse.advance(weights, first)?;
            let source = source(link, &dense, &sparse);
            let objective = if link.granularity.distils() {
                self.objective
            } else {
                Objective::SquaredError
            };
            let problem = Problem::new(self, unit, objective, weights, [&dense, source])?;
            let report = problem.improve(link.solver.as_ref(), weights, progress)?;
            if let Some(targets) = problem.into_targets() {
                for (output, targets) in unit.outputs.iter().zip(targets) {
                    dense.hold(*output, targets);
                }
            }
            reports.push(UnitReport {
                seconds: start.elapsed().as_secs_f64(),
                ..report
            });
            progress.step(&unit.name);
        }
        Ok(reports)
    }

    fn walkers(&self) -> (Walker<'_>, Walker<'_>) {
        let budget = self.settings.share();
        let walker = Walker::new(self.graph, self.dense, self.inputs, budget);
        (walker.clone(), walker)
    }
}

/// Returns the walker that holds the inputs of the units of `link`.
fn source<'a>(link: &Link, dense: &'a Walker<'a>, sparse: &'a Walker<'a>) -> &'a Walker<'a> {
    match link.input {
        Input::Dense => dense,
        Input::Sparse => sparse,
    }
}
