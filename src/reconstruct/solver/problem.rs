//! A unit to be reconstructed.

use super::{Solution, Solver};
use crate::capture::{Walker, batches};
use crate::graph::{Graph, NodeId, ParamId, Plan, Role, RunError, Shape, Unit, Weights};
use crate::kernels::{Wanted, scaled_difference, squared_distance};
use crate::progress::Progress;
use crate::reconstruct::{Job, ReconstructError, Settings, UnitReport};
use candle_core::{DType, Tensor};

/// A unit of a sparse network, with the inputs it gets and the outputs it should give.
#[derive(Debug)]
pub struct Problem<'a> {
    job: &'a Job<'a>,
    unit: &'a Unit,
    plan: Plan,
    start: Weights,
    /// Inputs of the unit in the dense network, and those that the sparse unit gets.
    walkers: [&'a Walker<'a>; 2],
    /// The dense outputs of all samples, where they fit the budget.
    targets: Option<Tensor>,
}

impl<'a> Problem<'a> {
    /// Poses the problem of `unit`, starting from `weights`.
    ///
    /// # Errors
    /// [`ReconstructError`] where the dense network fails.
    pub(in crate::reconstruct) fn new(
        job: &'a Job<'a>,
        unit: &'a Unit,
        weights: &Weights,
        walkers: [&'a Walker<'a>; 2],
    ) -> Result<Self, ReconstructError> {
        let plan = job.graph.plan(&unit.inputs, &[unit.output]);
        let mut problem = Self {
            job,
            unit,
            plan: plan.map_err(RunError::from)?,
            start: weights.clone(),
            walkers,
            targets: None,
        };
        let bytes = problem.shape().numel() * problem.samples() * DType::F32.size_in_bytes();
        if bytes <= job.settings.memory / 2 {
            let targets = batches(problem.samples())
                .map(|rows| problem.dense_output(&rows))
                .collect::<Result<Vec<_>, _>>()?;
            problem.targets = Some(Tensor::cat(&targets, 0)?);
        }
        Ok(problem)
    }

    /// Returns the dense outputs of all samples, where they are held.
    pub(in crate::reconstruct) fn into_targets(self) -> Option<Tensor> {
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

    /// Returns the shape of the unit's output.
    pub fn shape(&self) -> &'a Shape {
        &self.job.graph.value(self.unit.output).shape
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

    /// Returns the inputs of some samples and the output that they should give.
    ///
    /// # Errors
    /// [`ReconstructError`] where the network fails.
    pub fn batch(&self, rows: &[u32]) -> Result<(Vec<Tensor>, Tensor), ReconstructError> {
        let inputs = self.walkers[1].rows(&self.unit.inputs, rows)?;
        let target = match &self.targets {
            Some(targets) => crate::capture::select(targets, rows)?,
            None => self.dense_output(rows)?,
        };
        Ok((inputs, target))
    }

    /// Returns the unit's output.
    ///
    /// # Errors
    /// [`ReconstructError`] where the unit fails.
    pub fn output(&self, weights: &Weights, inputs: &[Tensor]) -> Result<Tensor, ReconstructError> {
        Ok(self.plan.run(self.graph(), weights, inputs)?.remove(0))
    }

    /// Returns the gradients of `params`, each where its mask is not zero, for the squared error of some samples, summed over
    /// channels and averaged over positions and samples; nothing for a parameter that the output does not depend on.
    ///
    /// # Errors
    /// [`ReconstructError`] where the unit fails.
    pub fn gradients(
        &self,
        weights: &Weights,
        rows: &[u32],
        params: &[(ParamId, Option<&Tensor>)],
    ) -> Result<Vec<Option<Tensor>>, ReconstructError> {
        let (inputs, target) = self.batch(rows)?;
        let trace = self.plan.trace(self.graph(), weights, &inputs)?;
        let output = trace.value(self.unit.output);
        let positions = rows.len() * self.shape().numel() / self.shape().channels();
        let gradient = scaled_difference(output, &target, 2.0 / positions as f64)?;
        let wanted: Vec<(ParamId, Wanted<'_>)> = params
            .iter()
            .map(|(id, mask)| (*id, mask.map_or(Wanted::All, Wanted::Where)))
            .collect();
        let graph = self.graph();
        Ok(self
            .plan
            .gradients(graph, weights, trace, &[gradient], &wanted)?)
    }

    /// Returns the mean squared error over all samples and elements of the output.
    ///
    /// # Errors
    /// [`ReconstructError`] where the unit fails.
    pub fn loss(&self, weights: &Weights) -> Result<f64, ReconstructError> {
        let mut sum = 0.0;
        for rows in batches(self.samples()) {
            let (inputs, target) = self.batch(&rows)?;
            sum += squared_distance(&self.output(weights, &inputs)?, &target)?;
        }
        Ok(sum / (self.samples() * self.shape().numel()) as f64)
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
        let Solution {
            tensors,
            iterations,
            loss,
        } = solver.solve(self, progress)?;
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
            seconds: 0.0,
        })
    }

    fn dense_output(&self, rows: &[u32]) -> Result<Tensor, ReconstructError> {
        let inputs = self.walkers[0].rows(&self.unit.inputs, rows)?;
        self.output(self.job.dense, &inputs)
    }
}
