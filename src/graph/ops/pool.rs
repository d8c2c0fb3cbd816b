//! Pooling.

use crate::graph::op::{expect_size, only};
use crate::graph::{Call, Gradients, OpError, Operator, Shape};
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
    /// Whether a last window that reaches over the far border counts too, if it begins before it.
    pub ceil_mode: bool,
}

impl MaxPool2d {
    /// Makes a pooling that neither pads nor reaches over.
    pub const fn new(kernel: usize, stride: usize) -> Self {
        Self {
            kernel,
            stride,
            padding: 0,
            ceil_mode: false,
        }
    }

    /// Sets the padding.
    #[must_use]
    pub const fn padding(mut self, padding: usize) -> Self {
        self.padding = padding;
        self
    }

    /// Lets the last window reach over the border.
    #[must_use]
    pub const fn ceil_mode(mut self) -> Self {
        self.ceil_mode = true;
        self
    }

    /// Returns how many pixels beyond the padding the last window of a side takes.
    fn overhang(&self, size: usize) -> usize {
        let room = (size + 2 * self.padding).saturating_sub(self.kernel);
        let rest = room % self.stride;
        let next = (room / self.stride + 1) * self.stride;
        if self.ceil_mode && rest > 0 && next < size + self.padding {
            self.stride - rest
        } else {
            0
        }
    }

    fn side(&self, size: usize) -> std::result::Result<usize, OpError> {
        expect_size("a stride", self.stride.max(1), self.stride)?;
        expect_size("a padding", self.padding.min(self.kernel / 2), self.padding)?;
        let size = size + 2 * self.padding + self.overhang(size);
        let window = self.kernel;
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
        let (_, _, h, w) = inputs[0].dims4()?;
        // Every window over the far border sees the last line too, so that copies of it change no maximum.
        let x = &inputs[0].pad_with_same(2, 0, self.overhang(h))?;
        let x = &x.pad_with_same(3, 0, self.overhang(w))?;
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

    fn gradients(&self, call: &Call<'_>, gradient: &Tensor) -> Result<Gradients> {
        let (x, _) = call.inputs[0];
        let (_, _, h, w) = x.dims4()?;
        if !kernels::serves(x) || self.overhang(h) + self.overhang(w) > 0 {
            return call.by_candle(self, gradient);
        }
        let Self {
            kernel,
            stride,
            padding,
            ..
        } = *self;
        let gradient = kernels::max_pool2d_gradient(x, gradient, kernel, stride, padding)?;
        Ok(Gradients::of_input(gradient))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn naive(x: &[Vec<f32>], pool: MaxPool2d) -> Vec<Vec<f32>> {
        let side = |size: usize| {
            let (k, s, p) = (pool.kernel as f64, pool.stride as f64, pool.padding as f64);
            let mut side = ((size as f64 + 2.0 * p - k) / s).ceil() + 1.0;
            if (side - 1.0) * s >= size as f64 + p {
                side -= 1.0;
            }
            side as usize
        };
        let seen = |at: usize, size: usize| {
            let start = at * pool.stride;
            let end = (start + pool.kernel).saturating_sub(pool.padding);
            start.saturating_sub(pool.padding)..end.min(size)
        };
        let (h, w) = (x.len(), x[0].len());
        let largest = |i, j| {
            let rows = x[seen(i, h)].iter();
            let pixels = rows.flat_map(|row| &row[seen(j, w)]);
            pixels.copied().fold(f32::NEG_INFINITY, f32::max)
        };
        (0..side(h))
            .map(|i| (0..side(w)).map(|j| largest(i, j)).collect())
            .collect()
    }

    #[test]
    fn windows_over_the_far_border_count_in_ceil_mode() {
        for (kernel, stride, padding) in [(3, 2, 0), (3, 2, 1), (2, 2, 0), (3, 1, 1), (2, 3, 1)] {
            for (h, w) in [(7, 8), (5, 10), (6, 9), (4, 3)] {
                let pool = MaxPool2d::new(kernel, stride).padding(padding).ceil_mode();
                let value = |i: usize| ((i * 2_654_435_761) % 101) as f32 - 100.0;
                let x =
                    Tensor::from_vec((0..h * w).map(value).collect(), (1, 1, h, w), &Device::Cpu);
                let x = x.unwrap();
                let plane = |x: &Tensor| x.squeeze(0).unwrap().squeeze(0).unwrap().to_vec2::<f32>();
                let expected = naive(&plane(&x).unwrap(), pool);
                let found = pool.run(&[&x], &[]).unwrap();
                let inferred = pool.shape(&[&Shape::from([1, h, w])]).unwrap();
                assert_eq!(inferred.dims(), &found.dims()[1..]);
                assert_eq!(plane(&found).unwrap(), expected, "{pool:?} {h} {w}");
            }
        }
    }
}
