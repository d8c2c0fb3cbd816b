//! What the heads of a detector say, gathered over the levels of its pyramid.

use crate::graph::op::expect_size;
use crate::graph::{Motif, OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Any number of maps `[n, a * k, h, w]`, each of `a` predictions of `k` numbers a pixel, to `[n, p, k]`: map by map, row by row, the
/// predictions of a pixel together.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Predictions {
    /// The numbers of one prediction.
    pub columns: usize,
}

impl Predictions {
    /// Returns how many predictions a map holds.
    fn rows(self, map: &Shape) -> std::result::Result<usize, OpError> {
        let [channels, h, w] = map.exactly()?;
        expect_size("a number of columns", self.columns.max(1), self.columns)?;
        expect_size("channels over", 0, channels % self.columns)?;
        Ok(channels / self.columns * h * w)
    }

    fn flattened(self, map: &Tensor) -> Result<Tensor> {
        let (n, channels, h, w) = map.dims4()?;
        let (a, k) = (channels / self.columns, self.columns);
        map.reshape((n, a, k, h, w))?
            .permute((0, 3, 4, 1, 2))?
            .reshape((n, h * w * a, k))
    }
}

impl Operator for Predictions {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let rows = inputs.iter().map(|map| self.rows(map));
        let rows: Vec<usize> = rows.collect::<std::result::Result<_, _>>()?;
        if rows.is_empty() {
            return Err(OpError::Arity {
                expected: 1,
                found: 0,
            });
        }
        Ok([rows.into_iter().sum(), self.columns].into())
    }

    fn motif(&self) -> Motif {
        Motif::Collect
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let maps = inputs.iter().map(|map| self.flattened(map));
        Tensor::cat(&maps.collect::<Result<Vec<_>>>()?, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn predictions_of_a_pixel_follow_each_other() {
        // The channels of a map are hundreds, its pixels ones.
        let map = |first: f32, channels: u16, pixels: u16| {
            let value = |c, p| first + 100.0 * f32::from(c) + f32::from(p);
            let values = (0..channels).flat_map(|c| (0..pixels).map(move |p| value(c, p)));
            Tensor::from_iter(values, &Device::Cpu).unwrap()
        };
        let large = map(0.0, 4, 2).reshape((1, 4, 1, 2)).unwrap();
        let small = map(1000.0, 2, 1).reshape((1, 2, 1, 1)).unwrap();
        let op = Predictions { columns: 2 };
        let found = op.run(&[&large, &small], &[]).unwrap();
        let expected = [
            [0.0, 100.0],
            [200.0, 300.0],
            [1.0, 101.0],
            [201.0, 301.0],
            [1000.0, 1100.0],
        ];
        assert_eq!(
            found.squeeze(0).unwrap().to_vec2::<f32>().unwrap(),
            expected
        );
        let [large, small] = [[4, 1, 2], [2, 1, 1]].map(Shape::from);
        assert_eq!(op.shape(&[&large, &small]).unwrap(), [5, 2].into());
    }

    #[test]
    fn maps_of_no_whole_number_of_predictions_are_refused() {
        let map = Shape::from([4, 1, 2]);
        for (columns, maps) in [(3, vec![&map]), (0, vec![&map]), (2, vec![])] {
            assert!(Predictions { columns }.shape(&maps).is_err(), "{columns}");
        }
    }
}
