//! The sinusoidal embedding of a number (Vaswani et al. 2017, section 3.5), by which diffusion models know the time step.

use crate::graph::op::only;
use crate::graph::{OpError, Operator, Shape};
use candle_core::{DType, Result, Tensor};
use serde::Serialize;

/// Sines and cosines of a number at frequencies that fall from 1 to `1 / 10,000`: `[n]` to `[n, dim]`.
///
/// As diffusers' `Timesteps`, computed in single precision: frequency `i` is `exp(-ln(10,000) i / (dim / 2 - shift))`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Timesteps {
    /// The number of features, an even one.
    pub dim: usize,
    /// What the number of frequencies is lessened by, so that the last one is `1 / 10,000` (1) or comes before it (0).
    pub shift: u8,
    /// Whether cosines come first.
    pub cosines_first: bool,
}

impl Timesteps {
    fn frequencies(&self) -> impl Iterator<Item = f32> {
        let half = self.dim / 2;
        let (fall, last) = (
            -(10_000_f64.ln() as f32),
            half as f32 - f32::from(self.shift),
        );
        (0..half).map(move |i| (fall * i as f32 / last).exp())
    }
}

impl Operator for Timesteps {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [] = only(inputs)?.exactly()?;
        if self.dim.is_multiple_of(2) && self.dim / 2 > usize::from(self.shift) {
            Ok([self.dim].into())
        } else {
            Err(OpError::Size {
                what: "an even number of features",
                expected: (self.dim + 1).next_multiple_of(2).max(4),
                found: self.dim,
            })
        }
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let (x, device) = (inputs[0], inputs[0].device());
        let frequencies = Tensor::from_iter(self.frequencies(), device)?.unsqueeze(0)?;
        let steps = x.to_dtype(DType::F32)?.unsqueeze(1)?;
        let angles = steps.matmul(&frequencies)?;
        let halves = [angles.sin()?, angles.cos()?];
        let [first, second] = if self.cosines_first {
            [&halves[1], &halves[0]]
        } else {
            [&halves[0], &halves[1]]
        };
        Tensor::cat(&[first, second], 1)?.to_dtype(x.dtype())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn numbers_become_waves() {
        let op = Timesteps {
            dim: 4,
            shift: 1,
            cosines_first: false,
        };
        let x = Tensor::new(&[0f32, 250.0], &Device::Cpu).unwrap();
        let found: Vec<Vec<f32>> = op.run(&[&x], &[]).unwrap().to_vec2().unwrap();
        let wave = [250f64.sin(), 0.025_f64.sin(), 250f64.cos(), 0.025_f64.cos()];
        for (found, expected) in found
            .concat()
            .iter()
            .zip([0.0, 0.0, 1.0, 1.0].iter().chain(&wave))
        {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-6,
                "{found} not {expected}"
            );
        }
        let flipped = Timesteps {
            cosines_first: true,
            ..op
        };
        let flipped: Vec<Vec<f32>> = flipped.run(&[&x], &[]).unwrap().to_vec2().unwrap();
        assert_eq!([&flipped[1][2..], &flipped[1][..2]].concat(), found[1]);
    }

    #[test]
    fn odd_widths_are_refused() {
        let number = Shape::from([]);
        let of = |dim, shift| {
            let op = Timesteps {
                dim,
                shift,
                cosines_first: false,
            };
            op.shape(&[&number])
        };
        assert_eq!(of(2, 0), Ok([2].into()));
        for (dim, shift) in [(5, 0), (2, 1), (0, 0)] {
            assert!(of(dim, shift).is_err());
        }
    }
}
