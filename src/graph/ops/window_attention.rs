//! Self-attention within windows (Liu et al. 2021, "Swin Transformer", section 3.2 and eq. 4).

use super::attention::attend;
use super::{Attention, Windows};
use crate::graph::op::expect_size;
use crate::graph::{OpError, Operator, ParamDecl, Role, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Multi-head self-attention within each window, with a learned bias for each head and relative position: takes queries,
/// keys and values side by side `[n, windows * area, 3d]`, and gives `[n, windows * area, d]`.
///
/// In a rolled image, pixels of one window that are not neighbours in the image hardly see each other.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct WindowAttention {
    /// The windows.
    #[serde(flatten)]
    pub windows: Windows,
    /// The number of heads; it divides `d`.
    pub heads: usize,
}

/// What is added to the score of two pixels that are no neighbours.
const APART: f32 = -100.0;

impl WindowAttention {
    /// Returns the rows and columns by which two pixels of a window can differ.
    fn span(&self) -> usize {
        2 * self.windows.window - 1
    }

    /// Returns for each pair of pixels of a window the row of the table that belongs to it.
    fn relative_positions(&self) -> Vec<u32> {
        let (window, area) = (self.windows.window, self.windows.area());
        let position = |pair: usize| {
            let (a, b) = (pair / area, pair % area);
            let [y, x] = [
                a / window + window - 1 - b / window,
                a % window + window - 1 - b % window,
            ];
            (y * self.span() + x) as u32
        };
        (0..area * area).map(position).collect()
    }

    /// Returns the bias of the scores: `[1, heads, area, area]`, or one for each window.
    fn bias(&self, table: &Tensor) -> Result<Tensor> {
        let area = self.windows.area();
        let positions = Tensor::new(self.relative_positions(), table.device())?;
        let bias = table.index_select(&positions, 0)?.t()?;
        let bias = bias.reshape((1, self.heads, area, area))?;
        match self.windows.regions() {
            Some(regions) => bias.broadcast_add(&self.mask(&regions, table)?),
            None => Ok(bias),
        }
    }

    /// Returns what is added to the scores in each window `[windows, 1, area, area]`, in the type of `like`.
    fn mask(&self, regions: &[usize], like: &Tensor) -> Result<Tensor> {
        let area = self.windows.area();
        let of_pixels = |a: usize, b: usize| if a == b { 0.0 } else { APART };
        let values: Vec<f32> = regions
            .chunks(area)
            .flat_map(|window| window.iter().map(move |a| (window, a)))
            .flat_map(|(window, a)| window.iter().map(move |b| of_pixels(*a, *b)))
            .collect();
        let shape = (self.windows.count(), 1, area, area);
        Tensor::from_vec(values, shape, like.device())?.to_dtype(like.dtype())
    }
}

impl Operator for WindowAttention {
    fn params(&self) -> Vec<ParamDecl> {
        let shape = [self.span() * self.span(), self.heads];
        let suffix = "relative_position_bias_table";
        vec![ParamDecl::new(suffix, shape, Role::Affine)]
    }

    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let output = Attention { heads: self.heads }.shape(inputs)?;
        let places = self.windows.count() * self.windows.area();
        expect_size("tokens", places, output.dims()[0])?;
        Ok(output)
    }

    fn macs(&self, _inputs: &[&Shape], output: &Shape) -> u64 {
        (2 * output.numel() * self.windows.area()) as u64
    }

    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor> {
        let (n, tokens, packed) = inputs[0].dims3()?;
        let (count, area) = (self.windows.count(), self.windows.area());
        let bias = self.bias(params[0])?;
        let windows = inputs[0].reshape((n * count, area, packed))?;
        let output = attend(&windows, self.heads, |scores| {
            let shape = scores.shape().clone();
            scores
                .reshape((n, count, self.heads, area, area))?
                .broadcast_add(&bias)?
                .reshape(shape)
        })?;
        output.reshape((n, tokens, packed / 3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn noise(shape: &[usize]) -> (Vec<f32>, Tensor) {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0)
            .collect();
        let tensor = Tensor::from_slice(&values, shape, &Device::Cpu).unwrap();
        (values, tensor)
    }

    /// The definition for one head and images of 4 by 4 pixels in windows of 2, one output at a time.
    fn naive(op: &WindowAttention, qkv: &[f32], table: &[f32], dim: usize) -> Vec<f32> {
        let part = |place: usize, part: usize| &qkv[(3 * place + part) * dim..][..dim];
        let regions = op.windows.regions().unwrap_or_else(|| vec![0; 16]);
        let mut output = Vec::new();
        for place in 0..16 {
            let first = place / 4 * 4;
            let weight = |other: usize| {
                let product = part(place, 0).iter().zip(part(other, 1));
                let score: f32 = product.map(|(a, b)| a * b).sum::<f32>() / (dim as f32).sqrt();
                let [a, b] = [place - first, other - first];
                let bias = table[(1 + a / 2 - b / 2) * 3 + 1 + a % 2 - b % 2];
                let apart = regions[place] != regions[other];
                (score + bias + if apart { -100.0 } else { 0.0 }).exp()
            };
            let sum: f32 = (first..first + 4).map(weight).sum();
            for feature in 0..dim {
                let seen = |other: usize| weight(other) * part(other, 2)[feature];
                output.push((first..first + 4).map(seen).sum::<f32>() / sum);
            }
        }
        output
    }

    #[test]
    fn follows_the_definition() {
        let ((qkv, input), (table, bias)) = (noise(&[1, 16, 15]), noise(&[9, 1]));
        for shift in [0, 1] {
            let windows = Windows {
                height: 4,
                width: 4,
                window: 2,
                shift,
            };
            let op = WindowAttention { windows, heads: 1 };
            let found = op.run(&[&input], &[&bias]).unwrap();
            let found = found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (found, expected) in found.iter().zip(naive(&op, &qkv, &table, 5)) {
                assert!((found - expected).abs() < 1e-5, "{found} not {expected}");
            }
        }
    }

    #[test]
    fn without_bias_and_shift_a_window_is_plain_attention() {
        let (_, input) = noise(&[2, 9, 24]);
        let windows = Windows {
            height: 3,
            width: 3,
            window: 3,
            shift: 1,
        };
        let op = WindowAttention { windows, heads: 2 };
        let none = Tensor::zeros((25, 2), input.dtype(), &Device::Cpu).unwrap();
        let found = op.run(&[&input], &[&none]).unwrap();
        let plain = Attention { heads: 2 }.run(&[&input], &[]).unwrap();
        let gap = (found - plain).unwrap().abs().unwrap().max_all().unwrap();
        assert!(gap.to_scalar::<f32>().unwrap() < 1e-6);
    }
}
