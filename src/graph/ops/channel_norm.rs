//! The normalisation of the lowest features of SSD (Liu et al. 2016, section 3.1; Liu et al. 2015).

use super::per_channel;
use crate::graph::op::{expect_size, only};
use crate::graph::{Motif, OpError, Operator, ParamDecl, Role, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Each pixel of `[n, c, h, w]` divided by the Euclidean norm of its channels, and each channel scaled. The scales have the
/// operator's name.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ChannelNorm {
    /// The number of channels.
    pub channels: usize,
    /// What the norm is at least.
    pub eps: f64,
}

impl Operator for ChannelNorm {
    fn params(&self) -> Vec<ParamDecl> {
        vec![ParamDecl::new("", [self.channels], Role::Affine)]
    }

    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, ..] = only(inputs)?.exactly::<3>()?;
        expect_size("channels", self.channels, channels)?;
        Ok(inputs[0].clone())
    }

    fn motif(&self) -> Motif {
        Motif::Norm
    }

    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor> {
        // Unlike a maximum, this has a gradient where all channels are zero.
        let squares = (inputs[0].sqr()?.sum_keepdim(1)? + self.eps * self.eps)?;
        inputs[0]
            .broadcast_div(&squares.sqrt()?)?
            .broadcast_mul(&per_channel(params[0], 4)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    const OP: ChannelNorm = ChannelNorm {
        channels: 2,
        eps: 1e-12,
    };

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn pixels_have_the_norm_of_their_scales() {
        let x = Tensor::new(&[[[[3f32, 0.0]], [[4.0, 0.0]]]], &Device::Cpu).unwrap();
        let scales = Tensor::new(&[10f32, 100.0], &Device::Cpu).unwrap();
        let found = OP.run(&[&x], &[&scales]).unwrap();
        assert_eq!(values(&found), [6.0, 0.0, 80.0, 0.0]);
        assert!(OP.shape(&[&Shape::from([3, 1, 1])]).is_err());
    }

    #[test]
    fn gradients_follow_finite_differences() {
        let x = Tensor::new(&[[[[3f32]], [[4.0]]]], &Device::Cpu).unwrap();
        let scales = Tensor::new(&[1f32, 2.0], &Device::Cpu).unwrap();
        let judged = |x: &Tensor| {
            let factors = Tensor::new(&[[[[1f32]], [[0.5]]]], &Device::Cpu).unwrap();
            let output = OP.run(&[x], &[&scales]).unwrap();
            (output * factors).unwrap().sum_all().unwrap()
        };
        let var = Var::from_tensor(&x).unwrap();
        let gradients = judged(&var).backward().unwrap();
        let found = values(gradients.get(&var).unwrap());
        // x / |x| has the slope (1 - u u^T) / |x|, u being (3, 4) / 5.
        let expected = [(0.64 - 0.48) / 5.0, (0.36 - 0.48) / 5.0];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} not {expected}");
        }
    }
}
