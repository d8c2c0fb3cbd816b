//! The scaling of squeeze-and-excitation (Hu et al. 2018, eq. 4).

use super::{scale_and_shift_samples, shape_with_numbers};
use crate::graph::{Motif, OpError, Operator, Shape};
use crate::kernels;
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Each channel of `[n, c, h, w]` times its own number of each sample, `[n, c, 1, 1]` or `[n, c]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Scale {}

impl Operator for Scale {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        shape_with_numbers(inputs)
    }

    fn motif(&self) -> Motif {
        Motif::Gate
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let (x, factors) = (inputs[0], inputs[1]);
        let (n, c, ..) = x.dims4()?;
        if !kernels::serves(x) {
            return x.broadcast_mul(&factors.reshape((n, c, 1, 1))?);
        }
        scale_and_shift_samples(x, factors, &factors.zeros_like()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::ops::testing::{flat, noise};
    use candle_core::{DType, Var};

    /// Output and gradients of a weighted sum of it.
    fn outcome(x: &Tensor, factors: &Tensor) -> Vec<Vec<f32>> {
        let [x, factors] = [x, factors].map(|t| Var::from_tensor(t).unwrap());
        let output = Scale {}.run(&[&x, &factors], &[]).unwrap();
        let judge = noise(3, output.dims()).to_dtype(output.dtype()).unwrap();
        let loss = (&output * judge).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let of = |var: &Var| flat(gradients.get(var).unwrap());
        vec![flat(&output), of(&x), of(&factors)]
    }

    #[test]
    fn is_the_broadcast_product_with_its_gradients() {
        let x = noise(1, &[2, 3, 4, 5]);
        for dims in [&[2, 3, 1, 1][..], &[2, 3]] {
            let factors = noise(2, dims);
            // In f64 it is candle's product.
            let double = |t: &Tensor| t.to_dtype(DType::F64).unwrap();
            let expected = outcome(&double(&x), &double(&factors));
            for (found, expected) in outcome(&x, &factors).iter().zip(&expected) {
                assert_eq!(found.len(), expected.len());
                for (a, b) in found.iter().zip(expected) {
                    assert!((a - b).abs() < 1e-5, "{a} instead of {b}");
                }
            }
        }
    }

    #[test]
    fn factors_that_do_not_fit_are_refused() {
        let [image, narrow, wide] = [[3, 4, 5], [2, 1, 1], [3, 4, 5]].map(Shape::from);
        assert!(Scale {}.shape(&[&image]).is_err());
        for factors in [narrow, wide] {
            assert!(Scale {}.shape(&[&image, &factors]).is_err());
        }
        let factors = Shape::from([3]);
        assert_eq!(Scale {}.shape(&[&image, &factors]).unwrap(), image);
    }
}
