//! Learned allocation on a small network.

use super::learn::threshold_gradient;
use super::*;
use crate::allocate::testing::{OBJECTIVE, Small};
use crate::allocate::{ALLOCATORS, Allocation, Learning};
use crate::graph::{ParamId, Weights};
use crate::kernels::Wanted;
use bridge::Bridge;
use candle_core::{Device, Tensor};

fn allocate(spec: &str, small: &Small, target: f64) -> (Allocation, Learning) {
    let allocator = ALLOCATORS.build(&spec.parse().unwrap()).unwrap();
    let allocation = allocator.allocate(small.context(target)).unwrap();
    match allocation.evidence.clone() {
        Some(Evidence::Learning(learning)) => (allocation, learning),
        other => panic!("{other:?}"),
    }
}

/// The share of a kernel's mass below a distance, in units of its width.
fn cumulated(distance: f64) -> f64 {
    let x = distance.clamp(-1.0, 1.0);
    0.5 + 0.75 * (x - x.powi(3) / 3.0)
}

/// The weights of the network where those of one layer pass a threshold softly, as if the kernel blurred it.
fn softly_masked(
    small: &Small,
    layer: usize,
    bridge: &Bridge,
    threshold: f64,
) -> (ParamId, Weights) {
    let (id, _) = small.graph.prunable().nth(layer).unwrap();
    let param = small.graph.weight_of(id);
    let values = small.layers[layer].weights.iter().map(|w| {
        let distance = (f64::from(w.abs()) - threshold) / bridge.width;
        (f64::from(*w) * cumulated(distance)) as f32
    });
    let shape = small.layers[layer].shape.as_slice();
    let mut weights = small.weights.clone();
    let tensor = Tensor::from_vec(values.collect(), shape, &Device::Cpu).unwrap();
    weights.set(param, tensor);
    (param, weights)
}

#[test]
fn the_gradient_through_the_mask_follows_finite_differences() {
    let small = Small::new();
    let graph = &small.graph;
    let plan = graph.plan(graph.inputs(), graph.outputs()).unwrap();
    let target = small.outputs(&small.weights);
    let shape = &graph.value(graph.outputs()[0]).shape;
    for layer in 0..3 {
        let weights = &small.layers[layer].weights;
        let bridge = Bridge::new(weights, Density::Kernel);
        for rate in [0.3, 0.6] {
            let threshold = bridge.threshold(rate);
            let (param, masked) = softly_masked(&small, layer, &bridge, threshold);
            let trace = plan.trace(graph, &masked, std::slice::from_ref(&small.input));
            let trace = trace.unwrap();
            let seed = OBJECTIVE.gradient(trace.value(graph.outputs()[0]), &target, shape);
            let wanted = [(param, Wanted::All)];
            let gradients = plan.gradients(graph, &masked, trace, &[seed.unwrap()], &wanted);
            let gradient = gradients.unwrap().remove(0).unwrap();
            let gradient: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
            let found = threshold_gradient(&bridge, Ste::Kernel, weights, &gradient, threshold);
            let step = 1e-2;
            let moved =
                |by: f64| small.loss(&softly_masked(&small, layer, &bridge, threshold + by).1);
            let slope = (moved(step) - moved(-step)) / (2.0 * step);
            assert!(
                (found - slope).abs() < 0.02 * slope.abs().max(0.01),
                "layer {layer} at {rate}: {found} instead of {slope}"
            );
        }
    }
}

#[test]
fn the_target_is_held_at_every_step() {
    let small = Small::new();
    let numel: usize = small.layers.iter().map(|l| l.weights.len()).sum();
    for target in [0.5, 0.9] {
        for spec in [
            "fcpts:uniform(iterations=20)",
            "fcpts:random(weights=trained,iterations=20)",
        ] {
            let (allocation, learning) = allocate(spec, &small, target);
            assert_eq!(learning.losses.len(), 20);
            for gap in &learning.constraint {
                assert!(gap.abs() * numel as f64 <= 1.0, "{spec}: {gap}");
            }
            assert!((allocation.achieved() - target).abs() * numel as f64 <= 1.5);
        }
    }
}

#[test]
fn what_is_learned_distils_better_than_what_it_started_from() {
    let small = Small::new();
    for spec in [
        "fcpts:uniform(lr=0.05)",
        "fcpts:random(lr=0.05)",
        "fcpts:erk(lr=0.05,density=histogram)",
    ] {
        let (allocation, learning) = allocate(spec, &small, 0.6);
        let start = &learning.moments[0];
        let least = learning
            .moments
            .iter()
            .map(|m| m.loss)
            .fold(f64::INFINITY, f64::min);
        assert!(least < 0.95 * start.loss, "{spec}: {learning:?}");
        let rates: Vec<f64> = allocation.layers.iter().map(|l| l.sparsity).collect();
        let best = learning.moments.iter().find(|m| m.loss == least).unwrap();
        assert_eq!(rates, best.rates);
    }
}

#[test]
fn the_same_seed_learns_the_same() {
    let small = Small::new();
    let spec = "fcpts:lamp(iterations=9,ste=unit)";
    assert_eq!(allocate(spec, &small, 0.7), allocate(spec, &small, 0.7));
}

#[test]
fn without_data_it_says_so() {
    let small = Small::new();
    let allocator = ALLOCATORS.build(&"fcpts:erk".parse().unwrap()).unwrap();
    let context = Context {
        data: None,
        ..small.context(0.5)
    };
    let error = allocator.allocate(context).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`fcpts` looks at calibration images, name some data"
    );
    let error = ALLOCATORS.build(&"fcpts:elk".parse().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "bad parameters in `fcpts:elk`");
}

#[test]
fn learning_that_diverges_keeps_what_came_before() {
    let small = Small::new();
    let spec = "fcpts:erk(weights=trained,weight_lr=1e300,iterations=40)";
    let (allocation, learning) = allocate(spec, &small, 0.5);
    assert!(learning.losses.len() < 40, "{learning:?}");
    assert_eq!(learning.losses.len(), learning.constraint.len());
    let last = learning.moments.last().unwrap();
    let rates: Vec<f64> = allocation.layers.iter().map(|l| l.sparsity).collect();
    assert_eq!(rates, last.rates);
    let [note] = allocation.notes.as_slice() else {
        panic!("{:?}", allocation.notes)
    };
    assert!(
        note.starts_with("learning the rates diverged at step "),
        "{note}"
    );
    assert!(
        allocate("fcpts:erk(iterations=9)", &small, 0.5)
            .0
            .notes
            .is_empty()
    );
}
