//! A network for tests.

use super::ops::{Activation, Add, Linear};
use super::{Builder, Graph, Weights};
use candle_core::{Device, Tensor};

/// Makes a residual network of `features` numbers, whose every value matters later (`a`, `relu`, `b`, `add`, `c`), and weights for it.
pub(crate) fn residual(features: usize) -> (Graph, Weights) {
    let linear = Linear {
        in_features: features,
        out_features: features,
        bias: false,
    };
    let mut builder = Builder::new();
    let input = builder.input("input", [features]).unwrap();
    let a = builder.add("a", linear, &[input]).unwrap();
    let relu = builder.add("relu", Activation::Relu, &[a]).unwrap();
    let b = builder.add("b", linear, &[relu]).unwrap();
    let add = builder.add("add", Add {}, &[b, relu]).unwrap();
    let c = builder.add("c", linear, &[add]).unwrap();
    let graph = builder.finish(&[c]);
    let noise = |_| Tensor::randn(0f32, 1.0, (features, features), &Device::Cpu).unwrap();
    let weights = Weights::new(&graph, (0..3).map(noise).collect()).unwrap();
    (graph, weights)
}
