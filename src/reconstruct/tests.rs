//! Reconstruction against closed forms and brute force, on networks small enough to think about.

use super::*;
use crate::distill::Objective;
use crate::graph::ops::{Activation, Add, Conv2d, Linear};
use crate::graph::{Builder, GRANULARITIES, Graph, NodeId, ParamId, Weights};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;

/// A residual network of two convolutions and a head, its dense weights, masks and calibration samples.
struct Fixture {
    graph: Graph,
    dense: Weights,
    masks: BTreeMap<ParamId, Tensor>,
    inputs: Vec<Tensor>,
    objective: Objective,
}

/// Numbers that look random, in [-1, 1].
fn noise(seed: u32, shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let value = |i: usize| {
        let mut z = (i as u32 + 1).wrapping_mul(0x9e37_79b9) ^ seed.wrapping_mul(0x85eb_ca6b);
        z = (z ^ (z >> 16)).wrapping_mul(0x7feb_352d);
        z = (z ^ (z >> 15)).wrapping_mul(0x846c_a68b);
        (f64::from(z ^ (z >> 16)) / f64::from(u32::MAX) * 2.0 - 1.0) as f32
    };
    Tensor::from_vec(
        (0..count).map(value).collect::<Vec<f32>>(),
        shape,
        &Device::Cpu,
    )
    .unwrap()
}

fn conv(groups: usize) -> Conv2d {
    Conv2d {
        bias: true,
        ..Conv2d::same(4, 4, 3).groups(groups)
    }
}

fn fixture() -> Fixture {
    let mut builder = Builder::new();
    let input = builder.input("input", [4, 5, 5]).unwrap();
    let a = builder.add("a", conv(1), &[input]).unwrap();
    let relu = builder.add("relu", Activation::Relu, &[a]).unwrap();
    let b = builder.add("b", conv(4), &[relu]).unwrap();
    let add = builder.add("add", Add {}, &[b, relu]).unwrap();
    let pool = builder
        .add("pool", crate::graph::ops::GlobalAvgPool {}, &[add])
        .unwrap();
    let head = Linear {
        in_features: 4,
        out_features: 3,
        bias: true,
    };
    let output = builder.add("head", head, &[pool]).unwrap();
    let objective = Objective::KullbackLeibler { temperature: 2.0 };
    fixture_of(builder.finish(&[output]), objective)
}

/// A network of two levels with one head for both.
fn pyramid() -> Fixture {
    let mut builder = Builder::new();
    let input = builder.input("input", [4, 5, 5]).unwrap();
    let fine = builder.add("body", conv(1), &[input]).unwrap();
    let coarse = builder.add("down", conv(1).stride(2), &[fine]).unwrap();
    let tower = builder.add("tower", conv(1), &[fine]).unwrap();
    let towers = [tower, builder.share("tower.1", "tower", &[coarse]).unwrap()];
    let mut relu = |level: usize| {
        let name = format!("relu.{level}");
        builder.add(&name, Activation::Relu, &[towers[level]])
    };
    let [fine, coarse] = [relu(0), relu(1)].map(Result::unwrap);
    let scores = builder.add("scores", conv(1), &[fine]).unwrap();
    let more = builder.share("scores.1", "scores", &[coarse]).unwrap();
    fixture_of(builder.finish(&[scores, more]), Objective::SquaredError)
}

fn fixture_of(graph: Graph, objective: Objective) -> Fixture {
    let tensors = graph.params().enumerate();
    let tensors = tensors
        .map(|(i, (_, p))| noise(i as u32, &p.shape))
        .collect();
    let dense = Weights::new(&graph, tensors).unwrap();
    let masks = graph.prunable().map(|(id, _)| {
        let weight = graph.weight_of(id);
        // Half of the weights, and all of the first output channel: a dead one.
        let mask = noise(99, &graph.param(weight).shape).ge(0f64).unwrap();
        let mask = mask.to_dtype(DType::F32).unwrap();
        let dead = mask.narrow(0, 0, 1).unwrap().zeros_like().unwrap();
        let rest = mask.narrow(0, 1, mask.dims()[0] - 1).unwrap();
        (weight, Tensor::cat(&[&dead, &rest], 0).unwrap())
    });
    Fixture {
        masks: masks.collect(),
        inputs: vec![noise(7, &[70, 4, 5, 5])],
        objective,
        graph,
        dense,
    }
}

impl Fixture {
    fn job(&self) -> Job<'_> {
        Job {
            graph: &self.graph,
            dense: &self.dense,
            masks: &self.masks,
            inputs: &self.inputs,
            objective: self.objective,
            settings: Settings {
                iterations: 60,
                batch_size: 16,
                seed: 1,
                memory: usize::MAX,
            },
        }
    }

    fn masked(&self) -> Weights {
        let mut weights = self.dense.clone();
        for (id, mask) in &self.masks {
            weights.set(*id, (self.dense.tensor(*id) * mask).unwrap());
        }
        weights
    }

    fn run(&self, technique: &str) -> (Weights, Vec<UnitReport>) {
        let reconstruction: Reconstruction = technique.parse().unwrap();
        let mut weights = self.masked();
        let mut reports = Vec::new();
        for link in reconstruction.links() {
            self.job().correct(link, &mut weights, &()).unwrap();
            reports.extend(self.job().reconstruct(link, &mut weights, &()).unwrap());
        }
        (weights, reports)
    }

    /// Returns the mean output of each channel of a layer on given inputs of the network.
    fn channel_means(&self, weights: &Weights, layer: NodeId) -> Vec<f64> {
        let given = [(self.graph.inputs()[0], self.inputs[0].clone())];
        let output = self.graph.node(layer).output;
        let values = self
            .graph
            .run(weights, &given, &[output])
            .unwrap()
            .remove(0);
        let flat = values.to_dtype(DType::F64).unwrap();
        let flat = flat.reshape((flat.dims()[0], flat.dims()[1], ())).unwrap();
        flat.mean(2).unwrap().mean(0).unwrap().to_vec1().unwrap()
    }
}

fn gap(a: &Tensor, b: &Tensor) -> f32 {
    let gap = (a - b).unwrap().abs().unwrap().max_all().unwrap();
    gap.to_scalar().unwrap()
}

const TECHNIQUES: [&str; 11] = [
    "single-dense-none-adam",
    "single-sparse-weight+bias-exact",
    "layer-sparse-bias-sgd(lr=0.01)",
    "layer-dense-weight-adam(decay=cosine)",
    "block-sparse-weight+bias-adam",
    "block-dense-none-sgd(lr=0.01,momentum=0)",
    "single-dense-none-exact,block-sparse-none-adam",
    "block-sparse-none-adam(iterations=3)",
    "stage-sparse-bias-adam",
    "net-sparse-none-adam(lr=0.01)",
    "block-sparse-weight+bias-adam,net-sparse-none-sgd(lr=0.01)",
];

#[test]
fn no_unit_gets_worse_and_pruned_weights_stay_zero() {
    let fixtures = [fixture(), pyramid()];
    let both = |technique| fixtures.iter().map(move |fixture| (fixture, technique));
    for (fixture, technique) in TECHNIQUES.into_iter().flat_map(both) {
        let (weights, reports) = fixture.run(technique);
        assert!(!reports.is_empty());
        for unit in &reports {
            assert!(unit.loss_after <= unit.loss_before, "{technique}: {unit:?}");
        }
        let better = reports.iter().filter(|u| u.loss_after < u.loss_before);
        assert!(better.count() > 0, "{technique}: {reports:?}");
        for (id, mask) in &fixture.masks {
            let kept = (weights.tensor(*id) * mask).unwrap();
            assert_eq!(gap(&kept, weights.tensor(*id)), 0.0, "{technique}");
        }
    }
}

#[test]
fn a_step_too_far_is_not_taken() {
    let fixture = fixture();
    let (weights, reports) = fixture.run("block-sparse-none-sgd(lr=1e6)");
    assert!(
        reports.iter().all(|u| u.loss_after == u.loss_before),
        "{reports:?}"
    );
    for (masked, found) in fixture.masked().iter().zip(weights.iter()) {
        assert_eq!(gap(masked, found), 0.0);
    }
}

#[test]
fn results_do_not_depend_on_the_memory_budget() {
    let fixture = fixture();
    let link: Link = "block-sparse-weight+bias-adam".parse().unwrap();
    let run = |memory| {
        let mut job = fixture.job();
        job.settings.memory = memory;
        let mut weights = fixture.masked();
        job.correct(&link, &mut weights, &()).unwrap();
        job.reconstruct(&link, &mut weights, &()).unwrap();
        weights
    };
    let (held, recomputed) = (run(usize::MAX), run(0));
    for (a, b) in held.iter().zip(recomputed.iter()) {
        assert_eq!(gap(a, b), 0.0);
    }
}

#[test]
fn the_exact_solution_is_the_optimum_of_each_layer() {
    for fixture in [fixture(), pyramid()] {
        let (_, exact) = fixture.run("single-dense-none-exact(ridge=0)");
        // Nothing that gradient descent finds in many steps is better.
        let (_, descent) =
            fixture.run("single-dense-none-adam(lr=0.02,decay=cosine,iterations=3000)");
        for (exact, descent) in exact.iter().zip(&descent) {
            let (a, b) = (exact.loss_after, descent.loss_after);
            assert!(a <= b * 1.0001 + 1e-9, "{exact:?} {descent:?}");
            assert!(
                b - a < 0.02 * exact.loss_before + 1e-6,
                "{exact:?} {descent:?}"
            );
        }
    }
}

#[test]
fn a_layer_that_is_called_twice_is_one_layer() {
    let Fixture { graph, .. } = pyramid();
    let names: Vec<&str> = graph.prunable().map(|(_, n)| n.name.as_str()).collect();
    assert_eq!(names, ["body", "down", "tower", "scores"]);
    assert_eq!(graph.parameter_count(), 4 * (4 * 4 * 9 + 4));
    for granularity in ["single", "layer", "block", "stage"] {
        let units = GRANULARITIES.find(granularity).unwrap().units(&graph);
        let layers = units.iter().flat_map(|unit| &unit.layers);
        let layers: Vec<&str> = layers.map(|id| graph.node(*id).name.as_str()).collect();
        assert_eq!(layers, names, "{granularity}");
    }
    let single = GRANULARITIES.find("single").unwrap().units(&graph);
    let ends: Vec<usize> = single.iter().map(|unit| unit.outputs.len()).collect();
    assert_eq!(ends, [1, 1, 2, 2]);
}

#[test]
fn bias_correction_restores_the_mean_of_every_channel() {
    let fixture = fixture();
    let link: Link = "single-sparse-weight+bias-adam".parse().unwrap();
    let mut weights = fixture.masked();
    let skipped = fixture.job().correct(&link, &mut weights, &()).unwrap();
    assert_eq!(skipped, Uncorrected::default());
    for (layer, node) in fixture.graph.prunable() {
        let expected = fixture.channel_means(&fixture.dense, layer);
        let found = fixture.channel_means(&weights, layer);
        for (a, b) in expected.iter().zip(&found) {
            assert!(
                (a - b).abs() < 1e-5,
                "{}: {expected:?} {found:?}",
                node.name
            );
        }
    }
}

#[test]
fn an_unpruned_layer_is_not_corrected() {
    let mut fixture = fixture();
    for mask in fixture.masks.values_mut() {
        *mask = mask.ones_like().unwrap();
    }
    let link: Link = "single-dense-weight+bias-adam".parse().unwrap();
    let mut weights = fixture.masked();
    fixture.job().correct(&link, &mut weights, &()).unwrap();
    for (dense, corrected) in fixture.dense.iter().zip(weights.iter()) {
        assert!(gap(dense, corrected) < 1e-5);
    }
}

#[test]
fn a_cancelled_reconstruction_says_so() {
    struct Impatient;
    impl crate::progress::Progress for Impatient {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let fixture = fixture();
    let link: Link = "block-sparse-none-adam".parse().unwrap();
    let result = fixture
        .job()
        .reconstruct(&link, &mut fixture.masked(), &Impatient);
    assert!(matches!(result, Err(ReconstructError::Cancelled(_))));
}

/// What reconstruction makes of a fixture with each technique is finite, no worse than the start, and zero where masked; steps
/// too long for it may diverge on the way.
fn assert_sound(fixture: &Fixture) {
    for technique in TECHNIQUES {
        let (weights, reports) = fixture.run(technique);
        for unit in &reports {
            assert!(unit.loss_after.is_finite(), "{technique}: {unit:?}");
            assert!(unit.loss_after <= unit.loss_before, "{technique}: {unit:?}");
        }
        for tensor in weights.iter() {
            assert_eq!(gap(tensor, tensor), 0.0, "{technique}");
        }
        for (id, mask) in &fixture.masks {
            let kept = (weights.tensor(*id) * mask).unwrap();
            assert_eq!(gap(&kept, weights.tensor(*id)), 0.0, "{technique}");
        }
    }
}

impl Fixture {
    fn weight(&self, layer: &str) -> ParamId {
        let mut layers = self.graph.prunable();
        let (id, _) = layers.find(|(_, node)| node.name == layer).unwrap();
        self.graph.weight_of(id)
    }
}

#[test]
fn a_layer_pruned_to_nothing_is_no_trouble() {
    for layer in ["a", "b", "head"] {
        let mut fixture = fixture();
        let weight = fixture.weight(layer);
        let gone = fixture.masks[&weight].zeros_like().unwrap();
        fixture.masks.insert(weight, gone);
        assert_sound(&fixture);
    }
}

#[test]
fn a_dead_channel_is_no_trouble() {
    let mut fixture = fixture();
    // One channel of `a` never gets past the ReLU, so that `b` and what adds up see nothing of it, dense and sparse.
    let weight = fixture.weight("a");
    let dense = fixture.dense.tensor(weight);
    let alive = dense.narrow(0, 0, 3).unwrap();
    let dead = dense.narrow(0, 3, 1).unwrap().zeros_like().unwrap();
    let dead = Tensor::cat(&[&alive, &dead], 0).unwrap();
    fixture.dense.set(weight, dead);
    let biases = fixture
        .graph
        .params()
        .find(|(_, param)| param.name == "a.bias");
    let (bias, _) = biases.unwrap();
    let low = Tensor::new(&[0.1f32, -0.2, 0.3, -9.0], &Device::Cpu).unwrap();
    fixture.dense.set(bias, low);
    assert_sound(&fixture);
}

#[test]
fn constant_activations_are_no_trouble() {
    for value in [0.0, 1.0, -3.0] {
        let mut fixture = fixture();
        let like = &fixture.inputs[0];
        fixture.inputs = vec![(like.zeros_like().unwrap() + value).unwrap()];
        assert_sound(&fixture);
    }
}

#[test]
fn one_calibration_image_is_enough_to_go_on() {
    for mut fixture in [fixture(), pyramid()] {
        let one = fixture.inputs[0].narrow(0, 0, 1).unwrap();
        fixture.inputs = vec![one.contiguous().unwrap()];
        assert_sound(&fixture);
    }
}

#[test]
fn a_descent_that_diverges_stops_there_with_the_best_until_then() {
    let fixture = fixture();
    for technique in [
        "block-sparse-none-sgd(lr=1e30)",
        "net-sparse-none-adam(lr=1e38)",
    ] {
        let (weights, reports) = fixture.run(technique);
        let first = &reports[0];
        assert!(
            first.diverged && first.iterations < 60,
            "{technique}: {first:?}"
        );
        assert_eq!(first.loss_after, first.loss_before);
        for (masked, found) in fixture.masked().iter().zip(weights.iter()) {
            assert_eq!(gap(masked, found), 0.0, "{technique}");
        }
    }
}

#[test]
fn a_unit_without_a_finite_loss_is_left_as_it_was() {
    let mut fixture = fixture();
    let like = &fixture.inputs[0];
    fixture.inputs = vec![Tensor::full(f32::INFINITY, like.shape(), &Device::Cpu).unwrap()];
    let weight = fixture.weight("a");
    for technique in [
        "block-sparse-none-adam",
        "single-sparse-none-exact",
        "net-sparse-none-sgd",
    ] {
        let (weights, reports) = fixture.run(technique);
        let first = &reports[0];
        assert!(!first.loss_before.is_finite(), "{technique}: {first:?}");
        assert_eq!(first.iterations, 0, "{technique}");
        let start = fixture.masked();
        assert_eq!(gap(weights.tensor(weight), start.tensor(weight)), 0.0);
    }
    let link: Link = "single-sparse-weight+bias-none".parse().unwrap();
    let mut weights = fixture.masked();
    let skipped = fixture.job().correct(&link, &mut weights, &()).unwrap();
    assert_eq!(skipped.not_finite[0], "a");
    assert!(weights.iter().all(|tensor| gap(tensor, tensor) == 0.0));
}
