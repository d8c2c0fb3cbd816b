//! The merge of branches side by side.

use crate::graph::{Motif, OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// The channels of all inputs, images `[n, c, h, w]` or tokens `[n, t, c]`, one after the other.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Concat {}

impl Operator for Concat {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let Some(first) = inputs.first() else {
            return Err(OpError::Arity {
                expected: 1,
                found: 0,
            });
        };
        let axis = first.channel_axis() - 1;
        let mut joined = first.dims().to_vec();
        for input in &inputs[1..] {
            let mut sizes = input.dims().iter().zip(&joined).enumerate();
            let fits = sizes.all(|(at, (size, other))| at == axis || size == other);
            if input.dims().len() != joined.len() || !fits {
                return Err(OpError::Differ((*first).clone(), (*input).clone()));
            }
            joined[axis] += input.dims()[axis];
        }
        Ok(joined.as_slice().into())
    }

    fn motif(&self) -> Motif {
        Motif::Concat
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let axis = if inputs[0].rank() == 3 { 2 } else { 1 };
        Tensor::cat(inputs, axis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn channels_follow_each_other() {
        let image = |channels: usize, first: f32| {
            let count = 2 * channels * 4;
            let x = Tensor::arange(first, first + count as f32, &Device::Cpu).unwrap();
            x.reshape((2, channels, 2, 2)).unwrap()
        };
        let (a, b) = (image(1, 0.0), image(2, 100.0));
        let both = Concat {}.run(&[&a, &b], &[]).unwrap();
        let found: Vec<f32> = both.flatten_all().unwrap().to_vec1().unwrap();
        let sample = |n: usize| {
            let a = (4 * n..4 * n + 4).map(|v| v as f32);
            a.chain((8 * n..8 * n + 8).map(|v| 100.0 + v as f32))
        };
        assert_eq!(found, sample(0).chain(sample(1)).collect::<Vec<f32>>());
    }

    #[test]
    fn features_of_tokens_follow_each_other() {
        let tokens = |first: f32, width: usize| {
            let x = Tensor::arange(first, first + (2 * width) as f32, &Device::Cpu).unwrap();
            x.reshape((1, 2, width)).unwrap()
        };
        let both = Concat {}
            .run(&[&tokens(0.0, 1), &tokens(10.0, 2)], &[])
            .unwrap();
        let found: Vec<f32> = both.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(found, [0.0, 10.0, 11.0, 1.0, 12.0, 13.0]);
        let [a, b] = [[2, 1], [2, 2]].map(Shape::from);
        assert_eq!(Concat {}.shape(&[&a, &b]).unwrap(), [2, 3].into());
        assert!(Concat {}.shape(&[&a, &Shape::from([2])]).is_err());
    }

    #[test]
    fn images_of_different_sizes_are_refused() {
        let [a, b, c] = [[1, 2, 3], [4, 2, 3], [4, 3, 3]].map(Shape::from);
        assert_eq!(Concat {}.shape(&[&a, &b]).unwrap(), [5, 2, 3].into());
        assert!(Concat {}.shape(&[&a, &c]).is_err());
        assert!(Concat {}.shape(&[]).is_err());
    }
}
