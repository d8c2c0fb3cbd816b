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
        let (n, c, h, w) = inputs[0].dims4()?;
        let (half_h, half_w) = (h.div_ceil(2), w.div_ceil(2));
        let padded = inputs[0].pad_with_zeros(2, 0, h % 2)?;
        let pairs = padded.pad_with_zeros(3, 0, w % 2)?;
        let pairs = pairs.reshape((n, c, half_h, 2, half_w, 2))?;
        let even = pairs.narrow(3, 0, 1)?.narrow(5, 0, 1)?;
        let even = even.reshape((n, c, half_h, half_w))?;
        even.pad_with_zeros(1, self.padding, self.padding)
    }
}
