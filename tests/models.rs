//! Every model against its peer: the same weights and input give the same numbers as in PyTorch.
//!
//! `tests/reference/models.py` made the numbers; weights come from a generator that both sides compute. Heavy models have tests of
//! their own, which `cargo test --release --test models -- --ignored` runs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{Device, Tensor};
use ptsbench::graph::{BatchNormFolding, GRANULARITIES, Graph, Node, Param, Role, Weights};
use ptsbench::models::{self, Model};
use ptsbench::registry::{Named, Spec};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;
use walkdir::WalkDir;

#[derive(Deserialize)]
struct Reference {
    models: Vec<Peer>,
}

#[derive(Deserialize)]
struct Peer {
    model: String,
    input: [usize; 4],
    classes: usize,
    parameters: usize,
    /// Of convolutions and linear layers, for one image.
    macs: u64,
    /// Names and shapes of convolutions and linear layers.
    prunable: Vec<String>,
    logits: Vec<Vec<f64>>,
}

impl Peer {
    fn build(&self) -> Model {
        let [_, channels, side, _] = self.input;
        let (name, classes) = (&self.model, self.classes);
        let spec = format!("{name}(in_chans={channels},num_classes={classes},img_size={side})");
        models::build(&spec.parse().unwrap()).unwrap()
    }
}

fn peers() -> Vec<Peer> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/models");
    let files = WalkDir::new(folder).sort_by_file_name();
    let files = files.into_iter().map(Result::unwrap);
    files
        .filter(|file| file.file_type().is_file())
        .flat_map(|file| {
            let text = std::fs::read_to_string(file.path()).unwrap();
            serde_json::from_str::<Reference>(&text).unwrap().models
        })
        .collect()
}

/// The multiply-accumulates of a batch up to which a model runs in every test.
const LIGHT: u64 = 500_000_000;

/// The models of which each family has at least one: the light ones, or the lightest of a family that has none.
fn light(peers: &[Peer]) -> Vec<bool> {
    let cost = |peer: &Peer| peer.macs * peer.input[0] as u64;
    let families: Vec<&str> = peers.iter().map(|peer| peer.build().family).collect();
    let least = |family| {
        let all = peers.iter().zip(&families);
        let costs = all
            .filter(|(_, f)| **f == family)
            .map(|(peer, _)| cost(peer));
        costs.min().unwrap()
    };
    let light = |(peer, family)| cost(peer) <= LIGHT.max(least(family));
    peers
        .iter()
        .zip(families.iter().copied())
        .map(light)
        .collect()
}

/// The generator of `models.py`: numbers in [0, 1) from a name.
fn uniform(name: &str, count: usize) -> Vec<f64> {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    let element = |i: usize| {
        let step = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(i as u64 + 1);
        let mut z = hash.wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f64 / f64::from(1 << 24)
    };
    (0..count).map(element).collect()
}

fn parameter(param: &Param) -> Tensor {
    let fan_in = param.numel() as f64 / param.shape[0] as f64;
    let gain = match param.name.as_str() {
        name if name.contains(".0.block.") => 1.5,
        name if name.contains(".block.") => 1.25,
        _ => 1.0,
    };
    let value = |u: f64| {
        let v = match (param.role, param.name.rsplit('.').next().unwrap()) {
            (_, "running_var") => 0.5 + u,
            (Role::Weight, _) => (2.0 * u - 1.0) * (3.0 / fan_in).sqrt() * gain,
            (_, "weight") => 0.5 + u,
            _ => (2.0 * u - 1.0) * 0.1,
        };
        v as f32
    };
    let values: Vec<f32> = uniform(&param.name, param.numel())
        .into_iter()
        .map(value)
        .collect();
    Tensor::from_vec(values, param.shape.as_slice(), &Device::Cpu).unwrap()
}

fn weights(graph: &Graph) -> Weights {
    let tensors = graph.params().map(|(_, param)| parameter(param)).collect();
    Weights::new(graph, tensors).unwrap()
}

fn input(shape: [usize; 4]) -> Tensor {
    let values = uniform("input", shape.iter().product());
    let values: Vec<f32> = values.into_iter().map(|u| (2.0 * u - 1.0) as f32).collect();
    Tensor::from_vec(values, &shape, &Device::Cpu).unwrap()
}

fn run(graph: &Graph, weights: &Weights, input: &Tensor) -> Vec<Vec<f32>> {
    let given = [(graph.inputs()[0], input.clone())];
    let outputs = graph.run(weights, &given, graph.outputs()).unwrap();
    outputs[0].to_vec2().unwrap()
}

fn assert_close(model: &str, found: &[Vec<f32>], expected: &[Vec<f64>]) {
    let scale = expected
        .iter()
        .flatten()
        .fold(0.0, |m: f64, v| m.max(v.abs()));
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        let error = (f64::from(*found) - expected).abs() / scale;
        assert!(error < 1e-4, "{model}: {found} instead of {expected}");
    }
}

fn output_equals_the_peer(peer: &Peer) {
    let graph = peer.build().graph;
    let (weights, input) = (weights(&graph), input(peer.input));
    assert_close(&peer.model, &run(&graph, &weights, &input), &peer.logits);
    let folding = BatchNormFolding::of(&graph);
    let folded = folding.fold(&weights).unwrap();
    let found = run(folding.graph(), &folded, &input);
    assert_close(&format!("{} folded", peer.model), &found, &peer.logits);
    let unfolded = folding.unfold(&folded).unwrap();
    let found = run(&graph, &unfolded, &input);
    assert_close(&format!("{} unfolded", peer.model), &found, &peer.logits);
}

fn outputs_equal_the_peers(wanted: bool) {
    let peers = peers();
    for (peer, light) in peers.iter().zip(light(&peers)) {
        if light == wanted {
            output_equals_the_peer(peer);
        }
    }
}

#[test]
fn outputs_equal_the_peers_with_and_without_batch_norms() {
    outputs_equal_the_peers(true);
}

#[test]
#[ignore = "takes minutes"]
fn outputs_of_heavy_models_equal_the_peers() {
    outputs_equal_the_peers(false);
}

#[test]
fn sizes_and_layers_equal_the_peers() {
    for peer in peers() {
        let graph = peer.build().graph;
        assert_eq!(graph.parameter_count(), peer.parameters, "{}", peer.model);
        let macs: u64 = graph.prunable().map(|(_, node)| graph.macs_of(node)).sum();
        assert_eq!(macs, peer.macs, "{}", peer.model);
        let layer = |(id, node): (_, &Node)| {
            let shape = &graph.param(graph.weight_of(id)).shape;
            let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
            format!("{} {}", node.name, sizes.join("x"))
        };
        let found: BTreeSet<String> = graph.prunable().map(layer).collect();
        let expected: BTreeSet<String> = peer.prunable.into_iter().collect();
        assert_eq!(found, expected, "{}", peer.model);
    }
}

#[test]
fn every_model_has_a_peer() {
    let covered: BTreeSet<String> = peers().into_iter().map(|peer| peer.model).collect();
    let lacking: Vec<&str> = models::names()
        .filter(|name| !covered.contains(*name))
        .collect();
    assert!(lacking.is_empty(), "no peer for {lacking:?}");
}

#[test]
fn every_prunable_layer_lies_in_exactly_one_unit() {
    for name in models::names() {
        let model = models::build(&Spec::plain(name)).unwrap();
        for graph in [&model.graph, BatchNormFolding::of(&model.graph).graph()] {
            let layers: Vec<_> = graph.prunable().map(|(id, _)| id).collect();
            for granularity in &GRANULARITIES {
                let units = granularity.units(graph);
                let mut covered: Vec<_> = units.iter().flat_map(|u| u.layers.clone()).collect();
                covered.sort_unstable();
                assert_eq!(covered, layers, "{name} {}", granularity.name());
                let names: BTreeSet<_> = units.iter().map(|u| &u.name).collect();
                assert_eq!(names.len(), units.len(), "{name} {}", granularity.name());
            }
        }
    }
}

#[test]
fn replaying_units_equals_the_full_run() {
    for peer in peers()
        .into_iter()
        .filter(|peer| peer.input[2] < 64 && peer.macs < LIGHT / 10)
    {
        let graph = peer.build().graph;
        let (weights, input) = (weights(&graph), input(peer.input));
        let given = [(graph.inputs()[0], input)];
        for granularity in &GRANULARITIES {
            for unit in granularity.units(&graph) {
                let taps: Vec<_> = unit.inputs.iter().copied().chain([unit.output]).collect();
                let mut tapped = graph.run(&weights, &given, &taps).unwrap();
                let full = tapped.pop().unwrap();
                let captured: Vec<_> = unit.inputs.iter().copied().zip(tapped).collect();
                let replayed = graph.run(&weights, &captured, &[unit.output]).unwrap();
                let gap = (&replayed[0] - full)
                    .unwrap()
                    .abs()
                    .unwrap()
                    .max_all()
                    .unwrap();
                let gap = gap.to_scalar::<f32>().unwrap();
                assert!(gap == 0.0, "{} {}: {gap}", peer.model, unit.name);
            }
        }
    }
}

#[test]
fn names_are_unique() {
    let names: Vec<&str> = models::names().collect();
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn bad_parameters_say_why() {
    for (spec, why) in [
        (
            "resnet2O",
            "unknown model `resnet2O`, did you mean `resnet20`",
        ),
        (
            "resnet20(depth=3)",
            "bad parameters in model `resnet20(depth=3)`",
        ),
        ("vit_micro_patch4_28(num_heads=5)", "cannot be built"),
        ("vit_micro_patch4_28(img_size=3)", "cannot be built"),
    ] {
        let message = models::build(&spec.parse().unwrap())
            .unwrap_err()
            .to_string();
        assert!(message.contains(why), "{spec}: {message}");
    }
}
