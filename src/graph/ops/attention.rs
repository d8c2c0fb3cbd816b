//! Scaled dot-product self-attention (Vaswani et al. 2017, eq. 1), between the projections that hold its weights.

use crate::graph::op::only;
use crate::graph::{OpError, Operator, Shape};
use crate::kernels;
use candle_core::{D, Result, Tensor};
use serde::Serialize;

/// Multi-head self-attention: takes queries, keys and values side by side `[n, t, 3d]`, as timm's `attn.qkv` makes them, and gives `[n, t, d]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Attention {
    /// The number of heads; it divides `d`.
    pub heads: usize,
}

impl Operator for Attention {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [tokens, width] = only(inputs)?.exactly()?;
        let step = 3 * self.heads.max(1);
        if width % step == 0 {
            Ok([tokens, width / 3].into())
        } else {
            Err(OpError::Size {
                what: "a width that is a multiple of three times the heads",
                expected: width.next_multiple_of(step),
                found: width,
            })
        }
    }

    fn macs(&self, _inputs: &[&Shape], output: &Shape) -> u64 {
        let [tokens, width] = [output.dims()[0] as u64, output.dims()[1] as u64];
        2 * tokens * tokens * width
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        if kernels::serves(inputs[0]) {
            return kernels::attention(inputs[0], self.heads);
        }
        attend(inputs[0], self.heads, Ok)
    }
}

/// Computes attention with candle's operations; `biased` adds what there is to add to the scores `[n, heads, t, t]`.
///
/// # Errors
/// What candle says.
pub(super) fn attend(
    qkv: &Tensor,
    heads: usize,
    biased: impl FnOnce(Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let (n, tokens, width) = qkv.dims3()?;
    let head = width / 3 / heads;
    let qkv = qkv.reshape((n, tokens, 3, heads, head))?;
    let part = |i| {
        qkv.narrow(2, i, 1)?
            .squeeze(2)?
            .transpose(1, 2)?
            .contiguous()
    };
    let (q, k, v) = (part(0)?, part(1)?, part(2)?);
    let scores = (q * (head as f64).powf(-0.5))?.matmul(&k.transpose(2, 3)?.contiguous()?)?;
    let scores = biased(scores)?;
    let weights = if scores.track_op() {
        candle_nn::ops::softmax(&scores, D::Minus1)?
    } else {
        candle_nn::ops::softmax_last_dim(&scores)?
    };
    weights
        .matmul(&v)?
        .transpose(1, 2)?
        .reshape((n, tokens, heads * head))
}
