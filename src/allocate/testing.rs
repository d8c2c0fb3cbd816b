//! A network small enough to think about, for allocators that look at data.

use super::{Calibrate, Calibration, Context, LayerWeights, Made, Make};
use crate::distill::Objective;
use crate::graph::ops::{Activation, Conv2d, GlobalAvgPool, Linear};
use crate::graph::{Builder, Graph, Weights};
use candle_core::{Device, Tensor};
use std::error::Error;

/// Two convolutions and a classifier, with weights and samples that look random.
#[derive(Debug)]
pub(super) struct Small {
    pub(super) graph: Graph,
    pub(super) weights: Weights,
    pub(super) layers: Vec<LayerWeights>,
    pub(super) input: Tensor,
}

pub(super) const OBJECTIVE: Objective = Objective::KullbackLeibler { temperature: 2.0 };

fn noise(seed: u32, shape: &[usize]) -> Tensor {
    let value = |i: usize| {
        let hash = blake3::hash(&[seed.to_le_bytes(), (i as u32).to_le_bytes()].concat());
        let bytes: [u8; 4] = hash.as_bytes()[..4].try_into().unwrap();
        (f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX) * 2.0 - 1.0) as f32
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

impl Small {
    pub(super) fn new() -> Self {
        let mut builder = Builder::new();
        let input = builder.input("input", [3, 6, 6]).unwrap();
        let conv = |inputs, outputs| Conv2d {
            bias: true,
            ..Conv2d::same(inputs, outputs, 3)
        };
        let a = builder.add("a", conv(3, 8), &[input]).unwrap();
        let relu = builder.add("relu", Activation::Relu, &[a]).unwrap();
        let b = builder.add("b", conv(8, 8), &[relu]).unwrap();
        let gelu = builder.add("gelu", Activation::Gelu, &[b]).unwrap();
        let pool = builder.add("pool", GlobalAvgPool {}, &[gelu]).unwrap();
        let head = Linear {
            in_features: 8,
            out_features: 5,
            bias: true,
        };
        let head = builder.add("head", head, &[pool]).unwrap();
        let graph = builder.finish(&[head]);
        let tensors = graph.params().map(|(_, p)| p).zip(1..);
        let tensors = tensors
            .map(|(param, seed)| noise(seed, &param.shape))
            .collect();
        let weights = Weights::new(&graph, tensors).unwrap();
        let layers = graph.prunable().map(|(id, node)| {
            let weight = weights.tensor(graph.weight_of(id));
            LayerWeights {
                name: node.name.clone(),
                shape: weight.dims().to_vec(),
                weights: weight.flatten_all().unwrap().to_vec1().unwrap(),
            }
        });
        Self {
            layers: layers.collect(),
            input: noise(99, &[80, 3, 6, 6]),
            weights,
            graph,
        }
    }

    pub(super) fn context(&self, target: f64) -> Context<'_> {
        Context {
            layers: &self.layers,
            target,
            data: Some(self),
        }
    }

    /// Returns the outputs of all samples.
    pub(super) fn outputs(&self, weights: &Weights) -> Tensor {
        let given = [(self.graph.inputs()[0], self.input.clone())];
        let outputs = self.graph.run(weights, &given, self.graph.outputs());
        outputs.unwrap().remove(0)
    }

    /// Returns the loss of `weights`, averaged over all samples.
    pub(super) fn loss(&self, weights: &Weights) -> f64 {
        let target = self.outputs(&self.weights);
        OBJECTIVE.sum(&self.outputs(weights), &target).unwrap() / 80.0
    }
}

impl Calibrate for Small {
    fn calibration(&self) -> Result<Calibration<'_>, Box<dyn Error + Send + Sync>> {
        Ok(Calibration {
            graph: &self.graph,
            weights: &self.weights,
            inputs: vec![self.input.clone()],
            objective: OBJECTIVE,
            batch_size: 16,
            seed: 1,
            memory: usize::MAX,
            progress: &(),
        })
    }

    fn once(&self, _name: &str, make: Make<'_>) -> Made {
        make()
    }
}
