//! Masks: which weights of a layer survive.
//!
//! Within a layer the weights of least magnitude are pruned, exactly as many as the allocation says; among equals, those of
//! lower index. A mask is thus a function of weights and allocation alone. (The reference implementation drops every weight
//! that ties with the threshold, and truncates products that rounding left just below a whole number, so that it keeps a
//! weight or two less in some layers.)

use crate::allocate::{Allocation, LayerWeights, smallest};
use candle_core::{DType, Device, Result as CandleResult, Tensor};

/// Which weights of one layer survive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// The name of the layer's module.
    pub layer: String,
    shape: Vec<usize>,
    kept: Vec<bool>,
}

/// The masks of a network do not fit its layers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// A layer has no rate, or a rate for another number of weights.
    #[error("the allocation has no rate for `{layer}` with {numel} weights")]
    Layer {
        /// The layer.
        layer: String,
        /// The number of its weights.
        numel: usize,
    },
    /// A weight cannot be ranked.
    #[error("`{0}` has a weight that is NaN")]
    NotANumber(String),
}

impl Mask {
    /// Keeps all but the `pruned` weights of least magnitude.
    ///
    /// # Errors
    /// [`MaskError::NotANumber`].
    pub fn by_magnitude(layer: &LayerWeights, pruned: usize) -> Result<Self, MaskError> {
        if layer.weights.iter().any(|w| w.is_nan()) {
            return Err(MaskError::NotANumber(layer.name.clone()));
        }
        let magnitudes: Vec<f64> = layer.weights.iter().map(|w| f64::from(w.abs())).collect();
        let dropped = smallest(&magnitudes, pruned.min(magnitudes.len()));
        Ok(Self {
            layer: layer.name.clone(),
            shape: layer.shape.clone(),
            kept: dropped.into_iter().map(|dropped| !dropped).collect(),
        })
    }

    /// Returns whether each weight survives, in row-major order.
    pub fn kept(&self) -> &[bool] {
        &self.kept
    }

    /// Returns the number of pruned weights.
    pub fn pruned(&self) -> usize {
        self.kept.iter().filter(|kept| !**kept).count()
    }

    /// Returns 1 where a weight survives and 0 where not, in the shape of the weight.
    ///
    /// # Errors
    /// What candle says.
    pub fn to_tensor(&self, device: &Device) -> CandleResult<Tensor> {
        let bytes: Vec<u8> = self.kept.iter().map(|kept| u8::from(*kept)).collect();
        Tensor::from_vec(bytes, self.shape.as_slice(), device)?.to_dtype(DType::F32)
    }
}

/// Returns the masks of `layers` under `allocation`, in the same order.
///
/// # Errors
/// [`MaskError`] where the allocation is for other layers.
pub fn masks(layers: &[LayerWeights], allocation: &Allocation) -> Result<Vec<Mask>, MaskError> {
    layers
        .iter()
        .map(|layer| {
            let numel = layer.weights.len();
            let fits =
                |rate: &&crate::allocate::LayerRate| rate.name == layer.name && rate.numel == numel;
            let rate = allocation.layers.iter().find(fits);
            let rate = rate.ok_or_else(|| MaskError::Layer {
                layer: layer.name.clone(),
                numel,
            })?;
            Mask::by_magnitude(layer, rate.pruned)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layer(weights: Vec<f32>) -> LayerWeights {
        LayerWeights {
            name: "fc".to_owned(),
            shape: vec![1, weights.len()],
            weights,
        }
    }

    proptest! {
        #[test]
        fn counts_are_exact_and_survivors_are_the_largest(
            // Few distinct values, so that ties are common.
            weights in prop::collection::vec((-6_i8..=6).prop_map(f32::from), 1..200),
            share in 0.0..=1.0_f64,
        ) {
            let pruned = (share * weights.len() as f64) as usize;
            let mask = Mask::by_magnitude(&layer(weights.clone()), pruned).unwrap();
            prop_assert_eq!(mask.pruned(), pruned);
            let key = |i: usize| (weights[i].abs() as u32, i);
            let (kept, dropped): (Vec<usize>, Vec<usize>) =
                (0..weights.len()).partition(|i| mask.kept()[*i]);
            let least_kept = kept.into_iter().map(key).min();
            let most_dropped = dropped.into_iter().map(key).max();
            if let (Some(kept), Some(dropped)) = (least_kept, most_dropped) {
                prop_assert!(kept > dropped);
            }
        }
    }

    #[test]
    fn negative_zero_ties_with_zero() {
        let mask = Mask::by_magnitude(&layer(vec![0.0, -0.0, 0.0]), 2).unwrap();
        assert_eq!(mask.kept(), [false, false, true]);
    }

    #[test]
    fn nan_is_refused() {
        let error = Mask::by_magnitude(&layer(vec![1.0, f32::NAN]), 1).unwrap_err();
        assert_eq!(error, MaskError::NotANumber("fc".to_owned()));
    }

    #[test]
    fn a_mask_has_the_shape_of_its_weight() {
        let mask = Mask::by_magnitude(&layer(vec![3.0, -1.0, 2.0]), 1).unwrap();
        let tensor = mask.to_tensor(&Device::Cpu).unwrap();
        assert_eq!(tensor.to_vec2::<f32>().unwrap(), [[1.0, 0.0, 1.0]]);
    }
}
