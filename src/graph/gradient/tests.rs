//! Gradients of a plan against candle's and finite differences.

use super::*;
use crate::graph::Builder;
use crate::graph::ops::{Activation, BatchNorm2d, Conv2d, GlobalAvgPool, Linear, MaxPool2d};
use candle_core::{DType, Device};

/// A network with a value that is used twice, a layer that is called twice, fused and lone activations, and operators with and without gradients of
/// their own.
fn network() -> (Graph, Weights) {
    let mut builder = Builder::new();
    let input = builder.input("input", [3, 6, 6]).unwrap();
    let biased = |conv: Conv2d| Conv2d { bias: true, ..conv };
    let mut add = |name: &str, op: crate::graph::Op, inputs: &[ValueId]| {
        builder.add(name, op, inputs).unwrap()
    };
    let stem = add("stem", biased(Conv2d::same(3, 4, 3)).into(), &[input]);
    let relu = add("relu", Activation::Relu.into(), &[stem]);
    let a = add("a", biased(Conv2d::same(4, 4, 3)).into(), &[relu]);
    let gelu = add("gelu", Activation::Gelu.into(), &[a]);
    let b = add("b", Conv2d::same(4, 4, 3).groups(4).into(), &[gelu]);
    let norm = BatchNorm2d {
        channels: 4,
        eps: 1e-5,
    };
    let norm = add("norm", norm.into(), &[b]);
    let sum = add("sum", Add {}.into(), &[norm, relu]);
    let relu6 = add("relu6", Activation::Relu6.into(), &[sum]);
    let pool = add("pool", MaxPool2d::new(2, 2).into(), &[relu6]);
    let again = builder.share("again", "a", &[pool]).unwrap();
    let mut add = |name: &str, op: crate::graph::Op, inputs: &[ValueId]| {
        builder.add(name, op, inputs).unwrap()
    };
    let mean = add("mean", GlobalAvgPool {}.into(), &[again]);
    let head = Linear {
        in_features: 4,
        out_features: 5,
        bias: true,
    };
    let head = add("head", head.into(), &[mean]);
    let graph = builder.finish(&[head, relu6]);
    let tensors = graph.params().map(|(id, param)| {
        let scale = if param.name.ends_with("running_var") {
            0.0
        } else {
            0.8
        };
        numbers(id.0 + 1, &param.shape, scale, 1.0 - scale)
    });
    let tensors = tensors.collect();
    let weights = Weights::new(&graph, tensors).unwrap();
    (graph, weights)
}

fn numbers(seed: usize, dims: &[usize], scale: f64, shift: f64) -> Tensor {
    let count: usize = dims.iter().product();
    let value = |i: usize| ((i * 2_654_435_761 + seed * 40_503) % 1013) as f32 / 506.5 - 1.0;
    let values: Vec<f32> = (0..count).map(value).collect();
    let tensor = Tensor::from_vec(values, dims, &Device::Cpu).unwrap();
    tensor.affine(scale, shift).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The sum of the outputs, weighted by `factors`.
fn judged(outputs: &[Tensor], factors: &[Tensor]) -> Tensor {
    let parts = outputs.iter().zip(factors).map(|(output, factor)| {
        let product = (output * factor).unwrap();
        product.sum_all().unwrap()
    });
    parts.reduce(|a, b| (a + b).unwrap()).unwrap()
}

#[test]
fn gradients_are_those_of_candle_and_of_finite_differences() {
    let (graph, weights) = network();
    let plan = graph.plan(graph.inputs(), graph.outputs()).unwrap();
    let input = numbers(99, &[2, 3, 6, 6], 1.0, 0.0);
    let factors = [
        numbers(7, &[2, 5], 1.0, 0.0),
        numbers(8, &[2, 4, 6, 6], 0.1, 0.0),
    ];
    let learned =
        |(_, param): &(ParamId, &crate::graph::Param)| !param.name.starts_with("norm.running");
    let ids: Vec<ParamId> = graph.params().filter(learned).map(|(id, _)| id).collect();
    let wanted: Vec<_> = ids.iter().map(|id| (*id, Wanted::All)).collect();
    let trace = plan
        .trace(&graph, &weights, std::slice::from_ref(&input))
        .unwrap();
    let found = plan
        .gradients(&graph, &weights, trace, &factors, &wanted)
        .unwrap();

    let mut variables = weights.clone();
    let vars: Vec<Var> = ids
        .iter()
        .map(|id| Var::from_tensor(weights.tensor(*id)).unwrap())
        .collect();
    for (id, var) in ids.iter().zip(&vars) {
        variables.set(*id, var.as_tensor().clone());
    }
    let outputs = plan
        .run(&graph, &variables, std::slice::from_ref(&input))
        .unwrap();
    let theirs = judged(&outputs, &factors).backward().unwrap();
    for ((id, var), found) in ids.iter().zip(&vars).zip(found) {
        let found = flat(&found.expect("every parameter matters"));
        let theirs = flat(theirs.get(var).unwrap());
        for (element, (found, theirs)) in found.iter().zip(&theirs).enumerate() {
            let name = &graph.param(*id).name;
            assert!(
                (found - theirs).abs() < 1e-4,
                "{name}: {found} instead of {theirs}"
            );
            if element % 7 != 0 {
                continue;
            }
            let step = 1e-2;
            let moved = |by: f64| {
                let mut values = flat(weights.tensor(*id));
                values[element] += by as f32;
                let mut moved = weights.clone();
                let shape = weights.tensor(*id).shape();
                moved.set(*id, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
                let outputs = plan
                    .run(&graph, &moved, std::slice::from_ref(&input))
                    .unwrap();
                let loss = judged(&outputs, &factors).to_dtype(DType::F64).unwrap();
                loss.to_scalar::<f64>().unwrap()
            };
            let slope = (moved(step) - moved(-step)) / (2.0 * step);
            // Kinks of the activations within a step show.
            let error = (f64::from(*found) - slope).abs();
            assert!(
                error < 0.1 * slope.abs().max(1.0),
                "{name}: {found} instead of {slope}"
            );
        }
    }
}

#[test]
fn only_what_is_wanted_is_given() {
    let (graph, weights) = network();
    let plan = graph.plan(graph.inputs(), graph.outputs()).unwrap();
    let input = numbers(99, &[2, 3, 6, 6], 1.0, 0.0);
    let factors = [
        numbers(7, &[2, 5], 1.0, 0.0),
        numbers(8, &[2, 4, 6, 6], 0.1, 0.0),
    ];
    let id = graph.weight_of(graph.find_node("a").unwrap());
    let gradient = |wanted: Option<&Tensor>| {
        let wanted = wanted.map_or(Wanted::All, Wanted::Where);
        let trace = plan
            .trace(&graph, &weights, std::slice::from_ref(&input))
            .unwrap();
        let wanted = [(id, wanted)];
        let gradients = plan.gradients(&graph, &weights, trace, &factors, &wanted);
        gradients.unwrap().remove(0)
    };
    let all = flat(&gradient(None).unwrap());
    for one_in in [2, 9] {
        let mask = (0..all.len()).map(|i| if i % one_in == 0 { 1.0f32 } else { 0.0 });
        let mask: Vec<f32> = mask.collect();
        let tensor = Tensor::from_vec(mask.clone(), (4, 4, 3, 3), &Device::Cpu).unwrap();
        let some = flat(&gradient(Some(&tensor)).unwrap());
        for ((some, all), mask) in some.iter().zip(&all).zip(&mask) {
            assert!(
                (some - all * mask).abs() < 1e-4,
                "{some} instead of {}",
                all * mask
            );
        }
    }
}
