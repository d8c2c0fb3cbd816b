//! Gates: the logistic function, the identity gated by it (Ramachandran et al. 2017), and the piecewise linear stand-ins of
//! both (Howard et al. 2019).

use super::elementwise::map;
use super::exp::exp;
use super::storage::{numbers, result, tensor, with_numbers};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// A gate, or the identity times a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x / (1 + exp(-x))`.
    Silu,
    /// `min(max(x + 3, 0), 6) / 6`.
    Hardsigmoid,
    /// `x * min(max(x + 3, 0), 6) / 6`.
    Hardswish,
}

/// Returns the gate's value at every element.
///
/// # Errors
/// What candle says.
pub fn gate(x: &Tensor, gate: Gate) -> Result<Tensor> {
    x.contiguous()?.apply_op1(gate)
}

/// Returns the gradient of `x` for that of [`gate`]'s output.
///
/// # Errors
/// What candle says.
pub fn gate_gradient(x: &Tensor, gradient: &Tensor, gate: Gate) -> Result<Tensor> {
    let before = with_numbers([&x.contiguous()?, &gradient.contiguous()?], |operands| {
        Ok(match gate {
            Gate::Sigmoid => map(operands, |[x, g]| g * sigmoid(x) * sigmoid(-x)),
            Gate::Silu => map(operands, |[x, g]| g * silu_slope(x)),
            Gate::Hardsigmoid => map(operands, |[x, g]| if linear(x) { g / 6.0 } else { 0.0 }),
            Gate::Hardswish => map(operands, |[x, g]| g * hardswish_slope(x)),
        })
    })?;
    tensor(before, x.dims())
}

impl CustomOp1 for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let operands = [numbers((x, layout))?];
        let output = match self {
            Self::Sigmoid => map(operands, |[x]| sigmoid(x)),
            Self::Silu => map(operands, |[x]| x * sigmoid(x)),
            Self::Hardsigmoid => map(operands, |[x]| hardsigmoid(x)),
            Self::Hardswish => map(operands, |[x]| x * hardsigmoid(x)),
        };
        result(output, layout.dims())
    }

    fn bwd(&self, x: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        gate_gradient(x, gradient, *self).map(Some)
    }
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn silu_slope(x: f32) -> f32 {
    let gate = sigmoid(x);
    gate * (1.0 + x * (1.0 - gate))
}

#[inline(always)]
fn hardsigmoid(x: f32) -> f32 {
    (x + 3.0).clamp(0.0, 6.0) / 6.0
}

/// Whether `x` lies where the hard gates are open a part of the way.
#[inline(always)]
fn linear(x: f32) -> bool {
    x > -3.0 && x < 3.0
}

#[inline(always)]
fn hardswish_slope(x: f32) -> f32 {
    let open = if x < 3.0 { 0.0 } else { 1.0 };
    if linear(x) { x / 3.0 + 0.5 } else { open }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{agrees, same_with_all_threads};

    const GATES: [Gate; 4] = [
        Gate::Sigmoid,
        Gate::Silu,
        Gate::Hardsigmoid,
        Gate::Hardswish,
    ];

    /// The gates by candle, of numbers well beyond the borders of the hard ones.
    fn naive(x: &Tensor, gate: Gate) -> Result<Tensor> {
        let soft = || (x.neg()?.exp()? + 1.0)?.recip();
        let hard = || (x + 3.0)?.maximum(0.0)?.minimum(6.0)? / 6.0;
        match gate {
            Gate::Sigmoid => soft(),
            Gate::Silu => x * soft()?,
            Gate::Hardsigmoid => hard(),
            Gate::Hardswish => x * hard()?,
        }
    }

    #[test]
    fn values_and_gradients_follow_the_definitions() {
        for which in GATES {
            let ours = |o: &[Tensor]| gate(&(&o[0] * 7.0)?, which);
            let theirs = |o: &[Tensor]| naive(&(&o[0] * 7.0)?, which);
            agrees(&[&[3, 5, 7, 2]], ours, theirs);
        }
    }

    #[test]
    fn threads_change_no_bit() {
        for which in GATES {
            same_with_all_threads(&[&[5, 12, 31, 30]], |o| gate(&o[0], which));
        }
    }

    #[test]
    fn far_from_zero_gates_are_open_or_closed() {
        let x = tensor(vec![-1e4, 1e4], &[2]).unwrap();
        let ones = x.ones_like().unwrap();
        let values = |t: Tensor| t.to_vec1::<f32>().unwrap();
        for which in GATES {
            let identity = matches!(which, Gate::Silu | Gate::Hardswish);
            let open = if identity { 1e4 } else { 1.0 };
            assert_eq!(values(gate(&x, which).unwrap()), [0.0, open], "{which:?}");
            let slopes = values(gate_gradient(&x, &ones, which).unwrap());
            assert_eq!(slopes, [0.0, f32::from(identity)], "{which:?}");
        }
    }
}
