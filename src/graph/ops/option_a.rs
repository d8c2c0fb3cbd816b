//! The shortcut without parameters of the CIFAR ResNets (He et al. 2016, option A).

use crate::graph::op::only;
use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Takes every second pixel of `[n, c, h, w]` in both directions and adds `padding` channels of zeros before and after.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct OptionAShortcut {
    /// The channels of zeros on each side.
    pub padding: usize,
}

impl Operator for OptionAShortcut {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, h, w] = only(inputs)?.exactly()?;
        Ok([channels + 2 * self.padding, h.div_ceil(2), w.div_ceil(2)].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let mut x = inputs[0].clone();
        for axis in [2, 3] {
            let even: Vec<u32> = (0..x.dim(axis)? as u32).step_by(2).collect();
            x = x.index_select(&Tensor::new(even, x.device())?, axis)?;
        }
        x.pad_with_zeros(1, self.padding, self.padding)
    }
}
