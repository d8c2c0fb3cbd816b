//! Elementwise nonlinearities.

use crate::graph::op::only;
use crate::graph::{Call, Gradients, Motif, OpError, Operator, Shape};
use crate::kernels::{self, Clamp, Gate};
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
    /// `min(max(x + 3, 0), 6) / 6`.
    Hardsigmoid,
    /// `x * min(max(x + 3, 0), 6) / 6`.
    Hardswish,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x / (1 + exp(-x))`.
    Silu,
}

impl Activation {
    /// Returns itself as a gate of the kernels, if it is one.
    fn as_gate(self) -> Option<Gate> {
        match self {
            Self::Relu | Self::Relu6 | Self::Gelu => None,
            Self::Hardsigmoid => Some(Gate::Hardsigmoid),
            Self::Hardswish => Some(Gate::Hardswish),
            Self::Sigmoid => Some(Gate::Sigmoid),
            Self::Silu => Some(Gate::Silu),
        }
    }
}

/// Returns `min(max(x + 3, 0), 6) / 6` on any device.
fn hardsigmoid(x: &Tensor) -> Result<Tensor> {
    super::clamped(&(x + 3.0)?, Clamp::RELU6)? / 6.0
}

/// Computes an activation that is no clamp with candle's operations.
fn by_candle(activation: Activation, x: &Tensor) -> Result<Tensor> {
    match activation {
        Activation::Relu | Activation::Relu6 | Activation::Gelu => x.gelu_erf(),
        Activation::Hardsigmoid => hardsigmoid(x),
        Activation::Hardswish => x * hardsigmoid(x)?,
        Activation::Sigmoid => candle_nn::ops::sigmoid(x),
        Activation::Silu => x.silu(),
    }
}

impl Operator for Activation {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        only(inputs).cloned()
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let x = inputs[0];
        match (self.as_clamp(), self.as_gate()) {
            (Some(clamp), _) => super::clamped(x, clamp),
            (None, _) if !kernels::serves(x) => by_candle(*self, x),
            (None, Some(gate)) => kernels::gate(x, gate),
            (None, None) => kernels::gelu(x),
        }
    }

    fn gradients(&self, call: &Call<'_>, gradient: &Tensor) -> Result<Gradients> {
        let (x, _) = call.inputs[0];
        let before = match (self.as_clamp(), self.as_gate()) {
            // Between its bounds a clamp gives what it takes, and its gradient passes nowhere else.
            (Some(clamp), _) => super::clamp_gradient(x, gradient, clamp)?,
            (None, _) if !kernels::serves(x) => return call.by_candle(self, gradient),
            (None, Some(gate)) => kernels::gate_gradient(x, gradient, gate)?,
            (None, None) => kernels::gelu_gradient(x, gradient)?,
        };
        Ok(Gradients::of_input(before))
    }

    fn as_clamp(&self) -> Option<Clamp> {
        match self {
            Self::Relu => Some(Clamp::RELU),
            Self::Relu6 => Some(Clamp::RELU6),
            _ => None,
        }
    }

    fn motif(&self) -> Motif {
        Motif::Activation
    }
}
