//! Larger images, for levels of a pyramid to meet.

use crate::graph::op::{expect_size, only};
use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Each pixel of a larger image takes the nearest one of `[n, c, h, w]`, as PyTorch's `interpolate` in mode `nearest`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Upsample {
    /// Rows and columns of the larger image.
    pub size: [usize; 2],
}

/// Repeats the lines along an axis until there are so many.
fn stretched(x: &Tensor, axis: usize, size: usize) -> Result<Tensor> {
    let given = x.dim(axis)?;
    let lines = (0..size).map(|line| (line * given / size) as u32);
    x.index_select(&Tensor::from_iter(lines, x.device())?, axis)
}

impl Operator for Upsample {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, h, w] = only(inputs)?.exactly()?;
        expect_size("a height of at most", self.size[0].min(h), h)?;
        expect_size("a width of at most", self.size[1].min(w), w)?;
        Ok([channels, self.size[0], self.size[1]].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let rows = stretched(inputs[0], 2, self.size[0])?;
        stretched(&rows, 3, self.size[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn pixels_take_the_nearest() {
        let x = Tensor::new(&[[[[1f32, 2.0, 3.0], [4.0, 5.0, 6.0]]]], &Device::Cpu).unwrap();
        let op = Upsample { size: [3, 6] };
        let found = op.run(&[&x], &[]).unwrap().squeeze(0).unwrap();
        let rows: Vec<Vec<f32>> = found.squeeze(0).unwrap().to_vec2().unwrap();
        // torch.nn.functional.interpolate(x, size=(3, 6)).
        let first = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0];
        assert_eq!(rows, [first, first, [4.0, 4.0, 5.0, 5.0, 6.0, 6.0]]);
        let image = Shape::from([1, 2, 3]);
        assert_eq!(op.shape(&[&image]).unwrap(), [1, 3, 6].into());
        assert!(Upsample { size: [3, 2] }.shape(&[&image]).is_err());
    }
}
