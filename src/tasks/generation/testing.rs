//! Networks of weights that say nothing.

use crate::graph::Weights;
use crate::models::{self, Model};
use crate::registry::{Params, Spec};
use crate::tasks::Network;
use candle_core::{Device, Tensor};
use serde_json::Value;

/// A model with its weights.
pub(super) struct Meaningless {
    model: Model,
    weights: Weights,
}

impl Meaningless {
    /// Makes one whose weights `seed` decides.
    pub(super) fn new(model: &str, params: Value, seed: usize) -> Self {
        let mut spec: Spec = model.parse().unwrap();
        let params: Params = serde_json::from_value(params).unwrap();
        spec.params.extend(params);
        let model = models::build(&spec).unwrap();
        let tensors = model
            .graph
            .params()
            .enumerate()
            .map(|(number, (_, param))| {
                let of = |i: usize| (i * 2_654_435_761 + (number + seed) * 40_503) % 1013;
                let values = (0..param.shape.iter().product()).map(|i| of(i) as f32 / 5e3 - 0.1);
                let values = Tensor::from_iter(values, &Device::Cpu).unwrap();
                values.reshape(param.shape.as_slice()).unwrap()
            });
        let weights = Weights::new(&model.graph, tensors.collect()).unwrap();
        Self { model, weights }
    }

    pub(super) fn network(&self) -> Network<'_> {
        Network {
            graph: &self.model.graph,
            head: &self.model.head,
            weights: &self.weights,
            device: &Device::Cpu,
        }
    }
}
