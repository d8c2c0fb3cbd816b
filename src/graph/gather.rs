//! Samples that are run some at a time.

use candle_core::Tensor;
use std::ops::Range;

/// Returns the ranges of `samples` samples, `at_once` at a time.
pub fn parts(samples: usize, at_once: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = (0..samples).step_by(at_once);
    starts.map(move |start| start..samples.min(start + at_once))
}

/// Returns the tensors that `make` makes of `samples` samples, `at_once` at a time.
///
/// # Errors
/// Those of `make`, and what candle says.
pub fn gathered<E: From<candle_core::Error>>(
    samples: usize,
    at_once: usize,
    mut make: impl FnMut(Range<usize>) -> Result<Vec<Tensor>, E>,
) -> Result<Vec<Tensor>, E> {
    if samples <= at_once {
        return make(0..samples);
    }
    let mut whole: Vec<Tensor> = Vec::new();
    for part in parts(samples, at_once) {
        let start = part.start;
        let tensors = make(part)?;
        if whole.is_empty() {
            let like = |tensor: &Tensor| {
                let dims = [&[samples], &tensor.dims()[1..]].concat();
                Tensor::zeros(dims, tensor.dtype(), tensor.device())
            };
            whole = tensors.iter().map(like).collect::<Result<_, _>>()?;
        }
        // Written in place: to collect the parts first would take twice the memory.
        for (whole, tensor) in whole.iter().zip(tensors) {
            whole.slice_set(&tensor.contiguous()?, 0, start)?;
        }
    }
    Ok(whole)
}
