//! The merge of branches side by side.

use crate::graph::op::expect_size;
use crate::graph::{Motif, OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// The channels of all inputs `[n, c, h, w]`, one after the other.
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
        let [_, h, w] = first.exactly()?;
        let mut total = 0;
        for input in inputs {
            let [channels, height, width] = input.exactly()?;
            expect_size("a height", h, height)?;
            expect_size("a width", w, width)?;
            total += channels;
        }
        Ok([total, h, w].into())
    }

    fn motif(&self) -> Motif {
        Motif::Concat
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        Tensor::cat(inputs, 1)
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
    fn images_of_different_sizes_are_refused() {
        let [a, b, c] = [[1, 2, 3], [4, 2, 3], [4, 3, 3]].map(Shape::from);
        assert_eq!(Concat {}.shape(&[&a, &b]).unwrap(), [5, 2, 3].into());
        assert!(Concat {}.shape(&[&a, &c]).is_err());
        assert!(Concat {}.shape(&[]).is_err());
    }
}
