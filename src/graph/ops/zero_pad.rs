//! Zeros around an image.

use crate::graph::op::only;
use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Zeros at each border of `[n, c, h, w]`, as PyTorch's `ZeroPad2d`: what convolutions cannot add themselves.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ZeroPad2d {
    /// Columns before the first.
    pub left: usize,
    /// Columns after the last.
    pub right: usize,
    /// Rows before the first.
    pub top: usize,
    /// Rows after the last.
    pub bottom: usize,
}

impl Operator for ZeroPad2d {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, h, w] = only(inputs)?.exactly()?;
        let (h, w) = (h + self.top + self.bottom, w + self.left + self.right);
        Ok([channels, h, w].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        inputs[0]
            .pad_with_zeros(2, self.top, self.bottom)?
            .pad_with_zeros(3, self.left, self.right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn zeros_stand_around_the_image() {
        let x = Tensor::new(&[[[[1f32, 2.0], [3.0, 4.0]]]], &Device::Cpu).unwrap();
        let pad = ZeroPad2d {
            left: 1,
            right: 2,
            top: 0,
            bottom: 1,
        };
        let rows = pad.run(&[&x], &[]).unwrap().squeeze(0).unwrap();
        let rows: Vec<Vec<f32>> = rows.squeeze(0).unwrap().to_vec2().unwrap();
        let expected = [
            [0.0, 1.0, 2.0, 0.0, 0.0],
            [0.0, 3.0, 4.0, 0.0, 0.0],
            [0.0; 5],
        ];
        assert_eq!(rows, expected);
        let shape = pad.shape(&[&Shape::from([1, 2, 2])]).unwrap();
        assert_eq!(shape, [1, 3, 5].into());
    }
}
