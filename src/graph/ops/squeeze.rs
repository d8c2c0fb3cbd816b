//! The squeeze of squeeze-and-excitation (Hu et al. 2018, eq. 2).

use crate::graph::op::only;
use crate::graph::{OpError, Operator, Shape};
use crate::kernels;
use candle_core::{Result, Tensor};
use serde::Serialize;

/// The mean over all pixels, as an image of one pixel: `[n, c, h, w]` to `[n, c, 1, 1]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Squeeze {}

impl Operator for Squeeze {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, ..] = only(inputs)?.exactly::<3>()?;
        Ok([channels, 1, 1].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        kernels::plane_means(inputs[0])?.unsqueeze(2)?.unsqueeze(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn is_the_mean_of_each_plane() {
        let x = Tensor::arange(0f32, 24.0, &Device::Cpu).unwrap();
        let x = x.reshape((2, 3, 2, 2)).unwrap();
        let means = Squeeze {}.run(&[&x], &[]).unwrap();
        assert_eq!(means.dims(), [2, 3, 1, 1]);
        let means: Vec<f32> = means.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(means, [1.5, 5.5, 9.5, 13.5, 17.5, 21.5]);
        let image = Shape::from([3, 2, 2]);
        assert_eq!(Squeeze {}.shape(&[&image]).unwrap(), [3, 1, 1].into());
    }
}
