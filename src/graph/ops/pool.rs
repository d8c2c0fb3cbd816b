//! Pooling.

use crate::graph::op::only;
use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// The mean over all pixels: `[n, c, h, w]` to `[n, c]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct GlobalAvgPool {}

impl Operator for GlobalAvgPool {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, ..] = only(inputs)?.exactly::<3>()?;
        Ok([channels].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        inputs[0].flatten_from(2)?.mean(2)
    }
}
