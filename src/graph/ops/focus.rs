//! Pixels as channels: the first layer of YOLOX (Ge et al. 2021).

use crate::graph::op::{expect_size, only};
use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// The four pixels of each square of two, one channel after the other: `[n, c, h, w]` to `[n, 4 c, h / 2, w / 2]`. All channels of
/// the upper left pixel come first, then those of the lower left, the upper right and the lower right one.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Focus {}

impl Operator for Focus {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, h, w] = only(inputs)?.exactly()?;
        expect_size("rows over", 0, h % 2)?;
        expect_size("columns over", 0, w % 2)?;
        Ok([4 * channels, h / 2, w / 2].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let (n, c, h, w) = inputs[0].dims4()?;
        let (h, w) = (h / 2, w / 2);
        let squares = inputs[0].reshape((n, c, h, 2, w, 2))?;
        squares
            .permute((0, 5, 3, 1, 2, 4))?
            .reshape((n, 4 * c, h, w))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn squares_become_channels() {
        let x = Tensor::arange(0f32, 16.0, &Device::Cpu).unwrap();
        let x = x.reshape((1, 2, 2, 4)).unwrap();
        let found = Focus {}.run(&[&x], &[]).unwrap();
        let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
        let [upper_left, lower_left] = [[0.0, 2.0, 8.0, 10.0], [4.0, 6.0, 12.0, 14.0]];
        let right = |left: [f32; 4]| left.map(|pixel| pixel + 1.0);
        let expected = [upper_left, lower_left, right(upper_left), right(lower_left)];
        assert_eq!(found, expected.concat());
        let shape = Focus {}.shape(&[&Shape::from([2, 2, 4])]).unwrap();
        assert_eq!(shape, [8, 1, 2].into());
        assert!(Focus {}.shape(&[&Shape::from([2, 3, 4])]).is_err());
    }
}
