//! Error correction in closed form, layer by layer (POT, arXiv 2104.15023; PTSBench, arXiv 2412.07268).
//!
//! Where ours differs from the reference implementation: a correction looks at surviving weights only, so that it restores
//! what it says after masking; a channel with nothing left is left alone; the mean of a linear layer's output is taken per
//! feature, not over all of them; and the activations are those of the reconstruction's input.

mod bias;
mod weight;

use super::{Job, ReconstructError};
use crate::capture::{Walker, batches};
use crate::graph::{NodeId, ParamId, Role, Shape, Unit, Weights};
use crate::kernels;
use crate::registry::{Named, Registry};
use candle_core::{DType, Result as CandleResult, Tensor};

/// Every correction by name.
pub static CORRECTIONS: Registry<Correction> = Registry::new(
    "error correction",
    &[
        Correction::new("none", "no correction", &[]),
        Correction::new(
            "weight",
            "restores mean and deviation of each output channel's weights",
            &[weight::STEP],
        ),
        Correction::new(
            "bias",
            "restores the mean of each output channel on calibration data",
            &[bias::STEP],
        ),
        Correction::new(
            "weight+bias",
            "weight correction, then bias correction",
            &[weight::STEP, bias::STEP],
        ),
    ],
);

/// Corrections applied to a layer one after the other.
#[derive(Debug)]
pub struct Correction {
    name: &'static str,
    summary: &'static str,
    steps: &'static [Step],
}

/// One closed-form correction.
#[derive(Debug)]
pub struct Step {
    /// Whether it looks at calibration data.
    pub needs_activations: bool,
    /// Changes [`LayerState::weight`], [`LayerState::bias`] or both.
    pub apply: fn(&mut LayerState<'_>) -> Result<(), ReconstructError>,
}

impl Named for Correction {
    fn name(&self) -> &str {
        self.name
    }
}

impl Correction {
    /// Makes a correction; its name is a part of reconstruction specs and has no `-`.
    pub const fn new(name: &'static str, summary: &'static str, steps: &'static [Step]) -> Self {
        Self {
            name,
            summary,
            steps,
        }
    }

    /// Returns the one-line description.
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// Whether there is nothing to do.
    pub fn is_none(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether calibration data are looked at.
    pub fn needs_activations(&self) -> bool {
        self.steps.iter().any(|step| step.needs_activations)
    }

    /// Corrects a layer.
    ///
    /// # Errors
    /// [`ReconstructError`] where the network fails.
    pub(super) fn apply<'a>(
        &self,
        mut state: LayerState<'a>,
    ) -> Result<LayerState<'a>, ReconstructError> {
        for step in self.steps {
            (step.apply)(&mut state)?;
        }
        Ok(state)
    }
}

/// A layer while it is corrected.
#[derive(Debug)]
pub struct LayerState<'a> {
    job: &'a Job<'a>,
    unit: &'a Unit,
    /// Inputs of the layer in the dense network, and those that the sparse layer gets.
    walkers: [&'a Walker<'a>; 2],
    /// The weight, output channels first; zero where masked, and to be left so.
    pub weight: Tensor,
    /// The bias, if the layer has one.
    pub bias: Option<Tensor>,
    /// Whether a correction wanted a bias and there is none.
    pub lacks_bias: bool,
}

impl<'a> LayerState<'a> {
    /// Takes the layer of a `single` unit as it is in `weights`.
    pub(super) fn new(
        job: &'a Job<'a>,
        unit: &'a Unit,
        weights: &Weights,
        walkers: [&'a Walker<'a>; 2],
    ) -> Self {
        let mut state = Self {
            job,
            unit,
            walkers,
            weight: weights.tensor(job.graph.weight_of(unit.layers[0])).clone(),
            bias: None,
            lacks_bias: false,
        };
        state.bias = state.bias_id().map(|id| weights.tensor(id).clone());
        state
    }

    /// Writes the corrected layer to `weights`.
    pub(super) fn store(self, weights: &mut Weights) {
        weights.set(self.weight_id(), self.weight.clone());
        if let (Some(id), Some(bias)) = (self.bias_id(), self.bias) {
            weights.set(id, bias);
        }
    }

    /// Whether weight and bias are finite numbers.
    pub(super) fn is_finite(&self) -> CandleResult<bool> {
        let tensors = [Some(&self.weight), self.bias.as_ref()];
        // What is not finite has no distance to itself.
        let distances = tensors.into_iter().flatten();
        let distances = distances.map(|tensor| kernels::squared_distance(tensor, tensor));
        let sum: f64 = distances.sum::<CandleResult<f64>>()?;
        Ok(sum.is_finite())
    }

    /// Returns the layer's name.
    pub fn name(&self) -> &'a str {
        &self.job.graph.node(self.layer()).name
    }

    fn layer(&self) -> NodeId {
        self.unit.layers[0]
    }

    fn weight_id(&self) -> ParamId {
        self.job.graph.weight_of(self.layer())
    }

    fn bias_id(&self) -> Option<ParamId> {
        let node = self.job.graph.node(self.layer());
        node.param(self.job.graph, Role::Bias)
    }

    /// Returns the weight of the dense layer.
    pub fn dense_weight(&self) -> &'a Tensor {
        self.job.dense.tensor(self.weight_id())
    }

    /// Returns 1 where the weight survives and 0 where not.
    pub fn mask(&self) -> &'a Tensor {
        &self.job.masks[&self.weight_id()]
    }

    /// Returns by how much the mean output of each channel falls short of the dense layer's, in f64.
    ///
    /// # Errors
    /// [`ReconstructError`] where the network fails.
    pub fn missing_mean(&self) -> Result<Tensor, ReconstructError> {
        let [dense, source] = self.walkers;
        let mut sparse = self.job.dense.clone();
        sparse.set(self.weight_id(), self.weight.clone());
        if let (Some(id), Some(bias)) = (self.bias_id(), &self.bias) {
            sparse.set(id, bias.clone());
        }
        let expected = self.mean_output(dense, self.job.dense)?;
        Ok((expected - self.mean_output(source, &sparse)?)?)
    }

    fn mean_output(
        &self,
        walker: &Walker<'_>,
        weights: &Weights,
    ) -> Result<Tensor, ReconstructError> {
        let graph = self.job.graph;
        let shapes = self.unit.outputs.iter().map(|id| &graph.value(*id).shape);
        let shapes: Vec<&Shape> = shapes.collect();
        let positions: usize = shapes.iter().map(|shape| shape.numel()).sum();
        let plan = graph.plan(&self.unit.inputs, &self.unit.outputs);
        let plan = plan.map_err(crate::graph::RunError::from)?;
        let mut sum = Tensor::zeros(shapes[0].channels(), DType::F64, self.weight.device())?;
        for rows in batches(walker.samples()) {
            let inputs = walker.rows(&self.unit.inputs, &rows)?;
            let outputs = plan.run(graph, weights, &inputs)?;
            for (output, shape) in outputs.iter().zip(&shapes) {
                let channels_first = output.transpose(shape.channel_axis(), 1)?;
                let means = kernels::plane_means(&channels_first)?;
                let share = shape.numel() as f64 / positions as f64;
                sum = (sum + (means.to_dtype(DType::F64)?.sum(0)? * share)?)?;
            }
        }
        Ok((sum / walker.samples() as f64)?)
    }
}
