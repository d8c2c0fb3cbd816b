//! A unit to be reconstructed.

use super::{Solution, Solver};
use crate::capture::{Walker, batches, gathered, selected};
use crate::distill::Objective;
use crate::graph::{Graph, NodeId, ParamId, Plan, Role, RunError, Unit, ValueId, Weights};
use crate::kernels::Wanted;
use crate::progress::Progress;
use crate::reconstruct::{Job, ReconstructError, Settings, UnitReport};
use candle_core::{DType, Tensor};

/// A unit of a sparse network, with the inputs it gets and the outputs it should give.
#[derive(Debug)]
pub struct Problem<'a> {
    job: &'a Job<'a>,
    unit: &'a Unit,
    plan: Plan,
    objective: Objective,
    start: Weights,
    /// Inputs of the unit in the dense network, and those that the sparse unit gets.
    walkers: [&'a Walker<'a>; 2],
    /// The dense outputs of all samples, where they fit the budget.
    targets: Option<Vec<Tensor>>,
}

impl<'a> Problem<'a> {
    /// Poses the problem of `unit`, starting from `weights`.
    ///
    /// # Errors
    /// [`ReconstructError`] where the dense network fails.
    pub(in crate::reconstruct) fn new(
        job: &'a Job<'a>,
        unit: &'a Unit,
        objective: Objective,
        weights: &Weights,
        walkers: [&'a Walker<'a>; 2],
    ) -> Result<Self, ReconstructError> {
        let plan = job.graph.plan(&unit.inputs, &unit.outputs);
        let mut problem = Self {
            job,
            unit,
            plan: plan.map_err(RunError::from)?,
            objective,
            start: weights.clone(),
            walkers,
            targets: None,
        };
        let numel = |id: &ValueId| job.graph.value(*id).shape.numel();
        let elements: usize = unit.outputs.iter().map(numel).sum();
        let bytes = elements * problem.samples() * DType::F32.size_in_bytes();
        if bytes <= job.settings.share() {
            let dense = |rows: &[u32]| problem.dense_outputs(rows);
            problem.targets = Some(gathered(problem.samples(), dense)?);
        }
        Ok(problem)
    }

    /// Returns the dense outputs of all samples, where they are held.
    pub(in crate::reconstruct) fn into_targets(self) -> Option<Vec<Tensor>> {
        self.targets
    }

    /// Returns the network.
    pub fn graph(&self) -> &'a Graph {
        self.job.graph
    }

    /// Returns the unit.
    pub fn unit(&self) -> &'a Unit {
        self.unit
    }

    /// Returns the weights to start from, zero where masked.
    pub fn start(&self) -> &Weights {
        &self.start
    }

    /// Returns how much work to do.
    pub fn settings(&self) -> Settings {
        self.job.settings
    }

    /// Returns the number of calibration samples.
    pub fn samples(&self) -> usize {
        self.walkers[0].samples()
    }

    /// Returns what may be adjusted: weights and biases of the unit's layers, with the mask of a weight.
    pub fn adjustable(&self) -> Vec<(ParamId, Option<&'a Tensor>)> {
        let params = |layer: &NodeId| &self.job.graph.node(*layer).params;
        self.unit
            .layers
            .iter()
            .flat_map(params)
            .filter(|id| matches!(self.graph().param(**id).role, Role::Weight | Role::Bias))
            .map(|id| (*id, self.job.masks.get(id)))
            .collect()
    }

    /// Returns the inputs of some samples and the outputs that they should give.
    ///
    /// # Errors
    /// [`ReconstructError`] where the network fails.
    pub fn batch(&self, rows: &[u32]) -> Result<(Vec<Tensor>, Vec<Tensor>), ReconstructError> {
        let inputs = self.walkers[1].rows(&self.unit.inputs, rows)?;
        let targets = match &self.targets {
            Some(targets) => selected(targets, rows)?,
            None => self.dense_outputs(rows)?,
        };
        Ok((inputs, targets))
    }

    /// Returns the gradients of `params`, each where its mask is not zero, for the objective on some samples
    /// ([`Objective::gradient`]); nothing for a parameter that no output depends on.
    ///
    /// # Errors
    /// [`ReconstructError`] where the unit fails.
    pub fn gradients(
        &self,
        weights: &Weights,
        rows: &[u32],
        params: &[(ParamId, Option<&Tensor>)],
    ) -> Result<Vec<Option<Tensor>>, ReconstructError> {
        let (inputs, targets) = self.batch(rows)?;
        let trace = self.plan.trace(self.graph(), weights, &inputs)?;
        let (graph, outputs) = (self.graph(), &self.unit.outputs);
        let seeds = self.objective.gradients(graph, outputs, &trace, &targets)?;
        let wanted: Vec<(ParamId, Wanted<'_>)> = params
            .iter()
            .map(|(id, mask)| (*id, mask.map_or(Wanted::All, Wanted::Where)))
            .collect();
        Ok(self
            .plan
            .gradients(graph, weights, trace, &seeds, &wanted)?)
    }

    /// Returns the objective, averaged over all samples and summed over outputs.
    ///
    /// # Errors
    /// [`ReconstructError`] where the unit fails.
    pub fn loss(&self, weights: &Weights) -> Result<f64, ReconstructError> {
        let mut sum = 0.0;
        for rows in batches(self.samples()) {
            let (inputs, targets) = self.batch(&rows)?;
            let outputs = self.plan.run(self.graph(), weights, &inputs)?;
            sum += self.objective.total(&outputs, &targets)?;
        }
        Ok(sum / self.samples() as f64)
    }

    /// Returns the starting weights with `tensors` in place.
    pub fn with(&self, tensors: &[(ParamId, Tensor)]) -> Weights {
        let mut weights = self.start.clone();
        for (id, tensor) in tensors {
            weights.set(*id, tensor.clone());
        }
        weights
    }

    /// Solves the problem, and writes the solution to `weights` if it is better than the start.
    ///
    /// # Errors
    /// [`ReconstructError`] where the unit fails, or on request.
    pub(in crate::reconstruct) fn improve(
        &self,
        solver: &dyn Solver,
        weights: &mut Weights,
        progress: &dyn Progress,
    ) -> Result<UnitReport, ReconstructError> {
        let loss_before = self.loss(&self.start)?;
        let solution = if loss_before.is_finite() {
            solver.solve(self, progress)?
        } else {
            Solution::nothing()
        };
        let Solution {
            tensors,
            iterations,
            loss,
            diverged,
        } = solution;
        let loss = match loss {
            Some(loss) => loss,
            None => self.loss(&self.with(&tensors))?,
        };
        let better = loss <= loss_before;
        if better {
            for (id, tensor) in tensors {
                weights.set(id, tensor);
            }
        }
        let name = |id: &NodeId| self.graph().node(*id).name.clone();
        Ok(UnitReport {
            name: self.unit.name.clone(),
            layers: self.unit.layers.iter().map(name).collect(),
            loss_before,
            loss_after: if better { loss } else { loss_before },
            iterations,
            diverged,
            seconds: 0.0,
        })
    }

    fn dense_outputs(&self, rows: &[u32]) -> Result<Vec<Tensor>, ReconstructError> {
        let inputs = self.walkers[0].rows(&self.unit.inputs, rows)?;
        Ok(self.plan.run(self.graph(), self.job.dense, &inputs)?)
    }
}
