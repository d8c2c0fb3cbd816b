//! The merge of branches side by side.

use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Puts the channels of images `[n, c, h, w]` of the same size one after the other.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Concat {}

impl Operator for Concat {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [first, others @ ..] = inputs else {
            return Err(OpError::Arity {
                expected: 1,
                found: 0,
            });
        };
        let [mut channels, h, w] = first.exactly()?;
        for other in others {
            let [more, ..] = other.exactly::<3>()?;
            if other.dims()[1..] != [h, w] {
                return Err(OpError::Differ((*first).clone(), (*other).clone()));
            }
            channels += more;
        }
        Ok([channels, h, w].into())
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
    fn channels_follow_each_other_in_each_sample() {
        let count = |start: f32, c: usize| {
            let values: Vec<f32> = (0..2 * c * 2).map(|i| start + i as f32).collect();
            Tensor::from_vec(values, (2, c, 1, 2), &Device::Cpu).unwrap()
        };
        let found = Concat {}
            .run(&[&count(0.0, 1), &count(10.0, 2)], &[])
            .unwrap();
        assert_eq!(found.dims(), [2, 3, 1, 2]);
        assert_eq!(
            found.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            [0., 1., 10., 11., 12., 13., 2., 3., 14., 15., 16., 17.]
        );
    }

    #[test]
    fn images_of_other_sizes_are_refused() {
        let (a, b) = (Shape::from([3, 8, 8]), Shape::from([2, 8, 7]));
        let message = Concat {}.shape(&[&a, &b]).unwrap_err().to_string();
        assert!(message.contains("[2, 8, 7]"), "{message}");
        assert_eq!(Concat {}.shape(&[&a, &a]).unwrap().dims(), [6, 8, 8]);
    }
}
