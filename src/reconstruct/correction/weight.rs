//! Weight correction: scales and shifts the surviving weights of each output channel so that the masked channel, zeros
//! included, has the mean and the standard deviation of the dense one.
//!
//! With `k` of `n` weights surviving, their sum `S` and sum of squares `Q`, the map `w -> a w + b` has to satisfy
//! `a S + k b = n mu` and `a^2 Q + 2 a b S + k b^2 = n (sigma^2 + mu^2)`, so that
//! `a^2 = (n (sigma^2 + mu^2) - n^2 mu^2 / k) / (Q - S^2 / k)` and `b = (n mu - a S) / k`.

use super::{LayerState, Step};
use crate::reconstruct::ReconstructError;
use candle_core::{DType, Tensor};

pub(super) const STEP: Step = Step {
    needs_activations: false,
    apply: correct,
};

fn correct(state: &mut LayerState<'_>) -> Result<(), ReconstructError> {
    let flat = |t: &Tensor| t.flatten_from(1)?.to_dtype(DType::F64)?.to_vec2::<f64>();
    let (dense, mask) = (flat(state.dense_weight())?, flat(state.mask())?);
    let mut weight = flat(&state.weight)?;
    for ((channel, dense), mask) in weight.iter_mut().zip(&dense).zip(&mask) {
        if let Some((scale, shift)) = map(channel, dense, mask) {
            for (w, m) in channel.iter_mut().zip(mask) {
                *w = m * (scale * *w + shift);
            }
        }
    }
    state.weight = Tensor::new(weight, state.weight.device())?
        .to_dtype(state.weight.dtype())?
        .reshape(state.weight.shape())?;
    Ok(())
}

/// Returns `(a, b)`, or nothing where no such map exists: too few survivors, or all of them equal.
fn map(channel: &[f64], dense: &[f64], mask: &[f64]) -> Option<(f64, f64)> {
    let n = dense.len() as f64;
    let k: f64 = mask.iter().sum();
    let s: f64 = channel.iter().sum();
    let q: f64 = channel.iter().map(|w| w * w).sum();
    let mean = dense.iter().sum::<f64>() / n;
    let second_moment = dense.iter().map(|w| w * w).sum::<f64>() / n;
    let spread = q - s * s / k;
    let wanted = n * second_moment - n * n * mean * mean / k;
    // Below this the survivors are equal but for rounding, and the scale would be noise.
    let negligible = 1e-12 * q;
    if k < 2.0 || spread <= negligible || wanted <= 0.0 {
        return None;
    }
    let scale = (wanted / spread).sqrt();
    Some((scale, (n * mean - scale * s) / k))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt())
    }

    #[test]
    fn mean_and_deviation_are_restored_after_masking() {
        let dense = [0.5, -0.9, 0.05, 0.3, -0.02, 0.8];
        let mask = [1.0, 1.0, 0.0, 1.0, 0.0, 1.0];
        let channel: Vec<f64> = dense.iter().zip(mask).map(|(w, m)| w * m).collect();
        let (a, b) = map(&channel, &dense, &mask).unwrap();
        let corrected: Vec<f64> = channel
            .iter()
            .zip(mask)
            .map(|(w, m)| m * (a * w + b))
            .collect();
        let (expected, found) = (mean_and_deviation(&dense), mean_and_deviation(&corrected));
        assert!(
            (expected.0 - found.0).abs() < 1e-12,
            "{expected:?} {found:?}"
        );
        assert!(
            (expected.1 - found.1).abs() < 1e-12,
            "{expected:?} {found:?}"
        );
    }

    #[test]
    fn an_unpruned_channel_stays() {
        let dense = [0.5, -0.9, 0.1];
        let (a, b) = map(&dense, &dense, &[1.0; 3]).unwrap();
        assert!((a - 1.0).abs() < 1e-12 && b.abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn channels_without_a_map_are_left_alone() {
        for (channel, dense, mask) in [
            ([0.0, 0.0, 0.0], [0.1, 0.2, 0.3], [0.0, 0.0, 0.0]),
            ([0.0, 0.0, 0.3], [0.1, 0.2, 0.3], [0.0, 0.0, 1.0]),
            ([0.3, 0.3, 0.0], [0.3, 0.3, 0.1], [1.0, 1.0, 0.0]),
        ] {
            assert_eq!(map(&channel, &dense, &mask), None, "{channel:?}");
        }
    }
}
