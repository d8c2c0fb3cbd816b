//! Average pooling over windows.

use super::{Conv2d, Linear};
use crate::graph::op::{expect_size, only};
use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// The mean of each window of `[n, c, h, w]`, as PyTorch's `AvgPool2d`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AvgPool2d {
    /// The side of the window.
    pub kernel: usize,
    /// The step, in both directions.
    pub stride: usize,
    /// The zeros added at each border; at most half of the window.
    pub padding: usize,
    /// Whether those zeros count; otherwise windows at borders are smaller.
    pub count_include_pad: bool,
}

impl AvgPool2d {
    /// Returns the sums of all windows, each pixel multiplied by `factor`.
    fn sums(&self, x: &Tensor, factor: f32) -> Result<Tensor> {
        let channels = x.dim(1)?;
        let shape = (channels, 1, self.kernel, self.kernel);
        let weight = Tensor::full(factor, shape, x.device())?.to_dtype(x.dtype())?;
        self.convolution(channels).run(&[x], &[&weight])
    }

    /// Returns the depthwise convolution with equal weights that this is.
    fn convolution(&self, channels: usize) -> Conv2d {
        Conv2d::same(channels, channels, self.kernel)
            .stride(self.stride)
            .padding(self.padding)
            .groups(channels)
    }
}

impl Operator for AvgPool2d {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, ..] = only(inputs)?.exactly::<3>()?;
        expect_size("a padding", self.padding.min(self.kernel / 2), self.padding)?;
        self.convolution(channels).shape(inputs)
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let x = inputs[0];
        if self.count_include_pad {
            return self.sums(x, 1.0 / (self.kernel * self.kernel) as f32);
        }
        let (_, _, h, w) = x.dims4()?;
        let counts = self.sums(&Tensor::ones((1, 1, h, w), x.dtype(), x.device())?, 1.0)?;
        self.sums(x, 1.0)?.broadcast_mul(&counts.recip()?)
    }
}

/// The means of `size x size` bins of `[n, c, h, w]`, as PyTorch's `AdaptiveAvgPool2d`: bin `i` of a side of `s` pixels holds those from
/// `floor(i s / size)` to before `ceil((i + 1) s / size)`, so that bins overlap where the side is no multiple.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AdaptiveAvgPool2d {
    /// The bins of each side.
    pub size: usize,
}

impl AdaptiveAvgPool2d {
    /// Returns the means over the last axis, which is a product with a matrix that is constant on each bin.
    fn last_axis(self, x: &Tensor) -> Result<Tensor> {
        let side = x.dim(3)?;
        if side == self.size {
            return Ok(x.clone());
        }
        let mut means = vec![0f32; self.size * side];
        for (bin, row) in means.chunks_exact_mut(side).enumerate() {
            let pixels = bin * side / self.size..((bin + 1) * side).div_ceil(self.size);
            let share = 1.0 / pixels.len() as f32;
            row[pixels].fill(share);
        }
        let means = Tensor::from_vec(means, (self.size, side), x.device())?;
        let product = Linear {
            in_features: side,
            out_features: self.size,
            bias: false,
        };
        product.run(&[x], &[&means.to_dtype(x.dtype())?])
    }
}

impl Operator for AdaptiveAvgPool2d {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, h, w] = only(inputs)?.exactly()?;
        for (what, number) in [("a size", self.size), ("a height", h), ("a width", w)] {
            expect_size(what, number.max(1), number)?;
        }
        Ok([channels, self.size, self.size].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let across = self.last_axis(inputs[0])?;
        let turned = across.transpose(2, 3)?.contiguous()?;
        self.last_axis(&turned)?.transpose(2, 3)?.contiguous()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use std::ops::Range;

    fn image(side: [usize; 2]) -> Tensor {
        let [h, w] = side;
        let values: Vec<f32> = (0..2 * 3 * h * w)
            .map(|i| ((i * 2_654_435_761) % 101) as f32 / 50.0 - 1.0)
            .collect();
        Tensor::from_vec(values, (2, 3, h, w), &Device::Cpu).unwrap()
    }

    /// The sum of a window of every plane, borders cut off.
    fn sums(x: &Tensor, y: &Range<usize>, x_range: &Range<usize>) -> Vec<f32> {
        let window = x.narrow(2, y.start, y.len()).unwrap();
        let window = window.narrow(3, x_range.start, x_range.len()).unwrap();
        let sums = window.sum((2, 3)).unwrap();
        sums.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Compares with means over windows given by their ranges, in f32 and in f64.
    fn assert_means(
        op: &dyn Operator,
        x: &Tensor,
        windows: [&[Range<usize>]; 2],
        size: Option<usize>,
    ) {
        let found = op.run(&[x], &[]).unwrap();
        let double = op.run(&[&x.to_dtype(DType::F64).unwrap()], &[]).unwrap();
        let gap = (double.to_dtype(DType::F32).unwrap() - &found).unwrap();
        let gap = gap.abs().unwrap().max_all().unwrap();
        assert!(gap.to_scalar::<f32>().unwrap() < 1e-5);
        let inferred = op.shape(&[&Shape::from(&x.dims()[1..])]).unwrap();
        assert_eq!(inferred.dims(), &found.dims()[1..]);
        assert_eq!(inferred.dims()[1..], windows.map(<[_]>::len));
        for (i, y) in windows[0].iter().enumerate() {
            for (j, x_range) in windows[1].iter().enumerate() {
                let pixel = found.narrow(2, i, 1).unwrap().narrow(3, j, 1).unwrap();
                let pixel: Vec<f32> = pixel.flatten_all().unwrap().to_vec1().unwrap();
                let count = size.unwrap_or(y.len() * x_range.len()) as f32;
                for (found, sum) in pixel.iter().zip(sums(x, y, x_range)) {
                    assert!((found - sum / count).abs() < 1e-5, "{i} {j}: {found}");
                }
            }
        }
    }

    #[test]
    fn zeros_at_borders_count_or_not() {
        let sizes = [(2, 2, 0), (3, 1, 1), (3, 2, 1), (5, 3, 2)];
        let all = sizes.iter().flat_map(|size| [(size, true), (size, false)]);
        for (&(kernel, stride, padding), count_include_pad) in all {
            let pool = AvgPool2d {
                kernel,
                stride,
                padding,
                count_include_pad,
            };
            let windows = |side: usize| -> Vec<_> {
                let starts = (0..=side + 2 * padding - kernel).step_by(stride);
                let cut = |at: usize| at.saturating_sub(padding).min(side);
                starts.map(|s| cut(s)..cut(s + kernel)).collect()
            };
            let (h, w) = (windows(7), windows(6));
            let size = count_include_pad.then_some(kernel * kernel);
            assert_means(&pool, &image([7, 6]), [&h, &w], size);
        }
    }

    #[test]
    fn bins_cover_any_side() {
        for (h, w, size) in [(7, 7, 7), (8, 14, 7), (2, 3, 7), (10, 5, 3), (1, 9, 2)] {
            let bins = |side: usize| -> Vec<_> {
                let end = |i: usize| ((i * side) as f64 / size as f64).ceil() as usize;
                (0..size).map(|i| i * side / size..end(i + 1)).collect()
            };
            let pool = AdaptiveAvgPool2d { size };
            assert_means(&pool, &image([h, w]), [&bins(h), &bins(w)], None);
        }
    }
}
