//! Elementwise nonlinearities.

use crate::graph::op::only;
use crate::graph::{OpError, Operator, Shape};
use crate::kernels::{self, Clamp};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// An elementwise nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "function", rename_all = "snake_case")]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x * Phi(x)` with the exact normal distribution function.
    Gelu,
}

impl Operator for Activation {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        only(inputs).cloned()
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let x = inputs[0];
        match (self, kernels::serves(x)) {
            (Self::Relu, true) => kernels::clamp(x, Clamp::RELU),
            (Self::Relu6, true) => kernels::clamp(x, Clamp::RELU6),
            (Self::Gelu, true) => kernels::gelu(x),
            (Self::Relu, false) => x.relu(),
            (Self::Relu6, false) => x.clamp(0f32, 6f32),
            (Self::Gelu, false) => x.gelu_erf(),
        }
    }

    fn is_activation(&self) -> bool {
        true
    }
}
