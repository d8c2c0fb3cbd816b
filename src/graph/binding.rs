//! Tensors bound to the parameters of a graph.

use super::{Graph, Param, ParamId};
use candle_core::{Device, Result, Tensor};

/// One tensor for each parameter of a graph. Cloning is cheap: tensors are shared until one is replaced.
#[derive(Debug, Clone)]
pub struct Weights(Vec<Tensor>);

/// Tensors that do not fit a graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// The wrong number of tensors.
    #[error("expected {expected} tensors, found {found}")]
    Count {
        /// The number of parameters of the graph.
        expected: usize,
        /// The number of tensors.
        found: usize,
    },
    /// A tensor of the wrong shape.
    #[error("`{name}` should have the shape {expected:?}, not {found:?}")]
    Shape {
        /// The parameter.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
        /// The tensor's shape.
        found: Vec<usize>,
    },
}

impl Weights {
    /// Binds `tensors`, in the order of [`Graph::params`].
    ///
    /// # Errors
    /// [`WeightsError`] where number or shapes differ.
    pub fn new(graph: &Graph, tensors: Vec<Tensor>) -> std::result::Result<Self, WeightsError> {
        if tensors.len() != graph.params().len() {
            return Err(WeightsError::Count {
                expected: graph.params().len(),
                found: tensors.len(),
            });
        }
        for ((_, param), tensor) in graph.params().zip(&tensors) {
            check(param, tensor)?;
        }
        Ok(Self(tensors))
    }

    /// Returns the tensor of a parameter.
    pub fn tensor(&self, id: ParamId) -> &Tensor {
        &self.0[id.0]
    }

    /// Replaces the tensor of a parameter.
    pub fn set(&mut self, id: ParamId, tensor: Tensor) {
        self.0[id.0] = tensor;
    }

    /// Iterates over the tensors, in the order of [`Graph::params`].
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Tensor> {
        self.0.iter()
    }

    /// Returns the same weights on a device.
    ///
    /// # Errors
    /// What candle says.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        self.0
            .iter()
            .map(|t| t.to_device(device))
            .collect::<Result<_>>()
            .map(Self)
    }
}

fn check(param: &Param, tensor: &Tensor) -> std::result::Result<(), WeightsError> {
    if param.shape == tensor.dims() {
        Ok(())
    } else {
        Err(WeightsError::Shape {
            name: param.name.clone(),
            expected: param.shape.clone(),
            found: tensor.dims().to_vec(),
        })
    }
}
