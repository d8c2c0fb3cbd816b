//! The way in which residual blocks of diffusion models take the time step (Ho et al. 2020, appendix B).

use super::{scale_and_shift_samples, shape_with_numbers};
use crate::graph::{Call, Gradients, Motif, OpError, Operator, Shape};
use crate::kernels;
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Adds to each channel of `[n, c, h, w]` its own number of each sample, `[n, c]` or `[n, c, 1, 1]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Shift {}

impl Operator for Shift {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        shape_with_numbers(inputs)
    }

    fn motif(&self) -> Motif {
        Motif::Condition
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let (x, shifts) = (inputs[0], inputs[1]);
        let (n, c, ..) = x.dims4()?;
        if !kernels::serves(x) {
            return x.broadcast_add(&shifts.reshape((n, c, 1, 1))?);
        }
        scale_and_shift_samples(x, &shifts.ones_like()?, shifts)
    }

    fn gradients(&self, call: &Call<'_>, gradient: &Tensor) -> Result<Gradients> {
        let (_, _, h, w) = gradient.dims4()?;
        let of_shifts = || kernels::plane_means(gradient)? * (h * w) as f64;
        let [(_, of_x), (_, wanted)] = call.inputs else {
            return call.by_candle(self, gradient);
        };
        Ok(Gradients {
            inputs: vec![
                of_x.then(|| gradient.clone()),
                wanted.then(of_shifts).transpose()?,
            ],
            params: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::ops::testing::{flat, noise};

    #[test]
    fn is_the_broadcast_sum() {
        let (x, shifts) = (noise(1, &[2, 3, 4, 5]), noise(2, &[2, 3]));
        let found = Shift {}.run(&[&x, &shifts], &[]).unwrap();
        let of = |i: usize| flat(&x)[i] + flat(&shifts)[i / 20];
        assert_eq!(flat(&found), (0..120).map(of).collect::<Vec<f32>>());
        let [image, fits, wide] = [&[3, 4, 5][..], &[3], &[4]].map(Shape::from);
        assert_eq!(Shift {}.shape(&[&image, &fits]).unwrap(), image);
        assert!(Shift {}.shape(&[&image, &wide]).is_err());
        assert!(Shift {}.shape(&[&image]).is_err());
    }

    #[test]
    fn gradients_are_candles() {
        let (x, shifts) = (noise(1, &[2, 3, 4, 5]), noise(2, &[2, 3]));
        let gradient = noise(3, &[2, 3, 4, 5]);
        let call = Call {
            inputs: &[(&x, true), (&shifts, true)],
            params: &[],
        };
        let found = Shift {}.gradients(&call, &gradient).unwrap();
        let expected = call.by_candle(&Shift {}, &gradient).unwrap();
        for (found, expected) in found.inputs.iter().zip(&expected.inputs) {
            let [found, expected] = [found, expected].map(|t| flat(t.as_ref().unwrap()));
            assert_eq!(found.len(), expected.len());
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-5, "{a} instead of {b}");
            }
        }
    }
}
