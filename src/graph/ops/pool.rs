//! Pooling.

use crate::graph::op::{expect_size, only};
use crate::graph::{OpError, Operator, Shape};
use crate::kernels;
use candle_core::{Result, Tensor};
use serde::Serialize;

/// The mean over all pixels: `[n, c, h, w]` to `[n, c]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct GlobalAvgPool {}

impl Operator for GlobalAvgPool {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, ..] = only(inputs)?.exactly::<3>()?;
        Ok([channels].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        kernels::plane_means(inputs[0])
    }
}

/// The largest pixel of each window of `[n, c, h, w]`, as PyTorch's `MaxPool2d`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct MaxPool2d {
    /// The side of the window.
    pub kernel: usize,
    /// The step, in both directions.
    pub stride: usize,
    /// What the window may stand over at each border; at most half of it.
    pub padding: usize,
}

impl MaxPool2d {
    fn side(&self, size: usize) -> std::result::Result<usize, OpError> {
        expect_size("a stride", self.stride.max(1), self.stride)?;
        expect_size("a padding", self.padding.min(self.kernel / 2), self.padding)?;
        let (window, size) = (self.kernel, size + 2 * self.padding);
        let room = size.checked_sub(window.max(1));
        room.map(|room| room / self.stride + 1)
            .ok_or(OpError::Window { window, size })
    }
}

impl Operator for MaxPool2d {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, h, w] = only(inputs)?.exactly()?;
        Ok([channels, self.side(h)?, self.side(w)?].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let x = inputs[0];
        if kernels::serves(x) {
            return kernels::max_pool2d(x, self.kernel, self.stride, self.padding);
        }
        // candle pads nothing; below every pixel is a border that no window prefers.
        let lowest = x.flatten_all()?.min(0)?.to_scalar::<f32>()?;
        let lifted = (x - f64::from(lowest))?;
        let padded = lifted.pad_with_zeros(2, self.padding, self.padding)?;
        let padded = padded.pad_with_zeros(3, self.padding, self.padding)?;
        padded.max_pool2d_with_stride(self.kernel, self.stride)? + f64::from(lowest)
    }
}
