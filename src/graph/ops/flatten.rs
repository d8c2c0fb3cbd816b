//! From images to vectors.

use crate::graph::op::only;
use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Makes `[n, c, h, w]` to `[n, c * h * w]`, row-major as PyTorch's `flatten(1)`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Flatten {}

impl Operator for Flatten {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        Ok([only(inputs)?.numel()].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        inputs[0].flatten_from(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn samples_stay_apart() {
        let x = Tensor::arange(0f32, 24.0, &Device::Cpu).unwrap();
        let x = x.reshape((2, 3, 2, 2)).unwrap();
        let found = Flatten {}.run(&[&x], &[]).unwrap();
        let inferred = Flatten {}.shape(&[&Shape::from([3, 2, 2])]).unwrap();
        assert_eq!(&found.dims()[1..], inferred.dims());
        assert_eq!(found.dtype(), DType::F32);
        let rows: Vec<Vec<f32>> = found.to_vec2().unwrap();
        assert_eq!((rows[0][11], rows[1][0]), (11.0, 12.0));
    }
}
