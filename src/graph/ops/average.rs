//! The mean of what two branches say.

use super::Add;
use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// The mean of two values of the same shape.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Average {}

impl Operator for Average {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        Add {}.shape(inputs)
    }

    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor> {
        Add {}.run(inputs, params)? * 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn lies_half_way_between() {
        let [a, b] =
            [[1.0_f32, -2.0], [3.0, 5.0]].map(|v| Tensor::new(&[v], &Device::Cpu).unwrap());
        let mean = Average {}.run(&[&a, &b], &[]).unwrap();
        assert_eq!(mean.to_vec2::<f32>().unwrap(), [[2.0, 1.5]]);
        let (one, other) = (Shape::from([2]), Shape::from([3]));
        assert!(Average {}.shape(&[&one, &other]).is_err());
    }
}
