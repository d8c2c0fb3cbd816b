//! What an allocator may know: the weights of all layers, and calibration data if it asks for them.

use super::AllocateError;
use crate::distill::Objective;
use crate::graph::{Graph, Weights};
use crate::progress::Progress;
use candle_core::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::error::Error;
use std::fmt::Debug;

/// The weight of a prunable layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerWeights {
    /// The name of the module, for example `layer1.0.conv1`.
    pub name: String,
    /// `[out, in / groups, kh, kw]` or `[out, in]`.
    pub shape: Vec<usize>,
    /// The elements, in row-major order.
    pub weights: Vec<f32>,
}

/// What an allocator may know.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The prunable layers in the order of the network.
    pub layers: &'a [LayerWeights],
    /// The share of all prunable weights to be pruned, in `[0, 1)`.
    pub target: f64,
    /// Where calibration data come from, for those who ask.
    pub data: Option<&'a dyn Calibrate>,
}

/// Whoever can give calibration data. Nothing is read before somebody asks.
pub trait Calibrate: Debug {
    /// Returns the network with calibration inputs.
    ///
    /// # Errors
    /// What keeps them from being read.
    fn calibration(&self) -> Result<Calibration<'_>, Box<dyn Error + Send + Sync>>;

    /// Returns the value that goes by `name` for this network, data and settings: made by `make` unless it has been made before.
    /// A value that depends on the target or on parameters has them in its name.
    ///
    /// # Errors
    /// Those of `make`.
    fn once(&self, name: &str, make: Make<'_>) -> Made;
}

/// Makes a value that [`Calibrate::once`] keeps.
pub type Make<'a> = &'a mut dyn FnMut() -> Made;

/// A value that [`Calibrate::once`] keeps.
pub type Made = Result<Value, AllocateError>;

/// A network with calibration inputs.
#[derive(Clone)]
pub struct Calibration<'a> {
    /// The network whose layers the context lists, in the same order.
    pub graph: &'a Graph,
    /// Its dense weights.
    pub weights: &'a Weights,
    /// All samples, one tensor an input of the graph.
    pub inputs: Vec<Tensor>,
    /// How far outputs are from the dense ones.
    pub objective: Objective,
    /// Samples a step, for allocators that learn.
    pub batch_size: usize,
    /// The seed of everything random.
    pub seed: u64,
    /// The bytes that activations take at most; more are computed again instead of being kept.
    pub memory: usize,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

impl<'a> Context<'a> {
    /// Returns the calibration data that `allocator` cannot do without.
    pub(super) fn calibration(
        &self,
        allocator: &'static str,
    ) -> Result<Calibration<'a>, AllocateError> {
        let data = self.data.ok_or(AllocateError::NoData(allocator))?;
        data.calibration().map_err(AllocateError::Calibration)
    }

    /// Returns what `make` gives, kept under `name` for other cases ([`Calibrate::once`]).
    pub(super) fn kept<T: Serialize + DeserializeOwned>(
        &self,
        allocator: &'static str,
        name: &str,
        make: impl Fn() -> Result<T, AllocateError>,
    ) -> Result<T, AllocateError> {
        let data = self.data.ok_or(AllocateError::NoData(allocator))?;
        let kept = data.once(name, &mut || Ok(serde_json::to_value(make()?)?))?;
        Ok(serde_json::from_value(kept)?)
    }

    pub(super) fn check(&self) -> Result<(), AllocateError> {
        if !(0.0..1.0).contains(&self.target) {
            return Err(AllocateError::Target(self.target));
        }
        if self.layers.is_empty() {
            return Err(AllocateError::NoLayers);
        }
        for layer in self.layers {
            if layer.weights.is_empty() {
                return Err(AllocateError::Empty(layer.name.clone()));
            }
            if !layer.weights.iter().all(|w| w.is_finite()) {
                return Err(AllocateError::NotFinite(layer.name.clone()));
            }
        }
        Ok(())
    }
}
