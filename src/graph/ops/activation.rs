//! Elementwise nonlinearities.

use crate::graph::op::only;
use crate::graph::{Call, Gradients, OpError, Operator, Shape};
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
        match self.as_clamp() {
            Some(clamp) => super::clamped(inputs[0], clamp),
            None if kernels::serves(inputs[0]) => kernels::gelu(inputs[0]),
            None => inputs[0].gelu_erf(),
        }
    }

    fn gradients(&self, call: &Call<'_>, gradient: &Tensor) -> Result<Gradients> {
        let (x, _) = call.inputs[0];
        let before = match self.as_clamp() {
            // Between its bounds a clamp gives what it takes, and its gradient passes nowhere else.
            Some(clamp) => super::clamp_gradient(x, gradient, clamp)?,
            None if kernels::serves(x) => kernels::gelu_gradient(x, gradient)?,
            None => return call.by_candle(self, gradient),
        };
        Ok(Gradients::of_input(before))
    }

    fn as_clamp(&self) -> Option<Clamp> {
        match self {
            Self::Relu => Some(Clamp::RELU),
            Self::Relu6 => Some(Clamp::RELU6),
            Self::Gelu => None,
        }
    }

    fn is_activation(&self) -> bool {
        true
    }
}
