//! Every model against its peer: the same weights and input give the same numbers as in PyTorch.
//!
//! `tests/reference/models.py` made the numbers; weights come from a generator that both sides compute. Heavy models have tests of
//! their own, which `cargo test --release --test models -- --ignored` runs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generator;

use candle_core::{DType, Device, Tensor};
use generator::uniform;
use ptsbench::graph::{BatchNormFolding, GRANULARITIES, Graph, Node, ParamId, Role, Weights};
use ptsbench::kernels::Wanted;
use ptsbench::models::{self, ChannelOrder, Fit, Interpolation, Model};
use ptsbench::pipeline::{Allow, Subject};
use ptsbench::registry::{Named, Params, Spec};
use ptsbench::weights::{Checkpoint, write_safetensors};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use walkdir::WalkDir;

#[derive(Deserialize)]
struct Reference {
    models: Vec<Peer>,
}

#[derive(Deserialize)]
struct Peer {
    model: String,
    /// Whose network it is. With a name after a colon, parameters have the names of that publisher's.
    source: String,
    input: [usize; 4],
    /// The time step of each image, for those who know noise.
    timesteps: Option<Vec<f32>>,
    classes: Option<usize>,
    /// Parameters other than those of the model of this name.
    #[serde(default)]
    overrides: Params,
    /// How the published checkpoint expects images; absent for another publisher's network.
    preprocess: Option<Preprocess>,
    parameters: usize,
    /// Of convolutions and linear layers, for one image.
    macs: u64,
    /// Names and shapes of convolutions and linear layers.
    prunable: Vec<String>,
    /// What a classifier says.
    #[serde(default)]
    logits: Vec<Vec<f64>>,
    /// What a detector says.
    #[serde(default)]
    outputs: Vec<Probe>,
}

/// Some rows of an output `[batch, rows, columns]`.
#[derive(Deserialize)]
struct Probe {
    name: String,
    shape: Vec<usize>,
    rows: Vec<u32>,
    /// The rows of each image, one after the other.
    values: Vec<Vec<f64>>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Preprocess {
    /// How an image becomes a square.
    #[serde(flatten)]
    fit: BTreeMap<String, usize>,
    interpolation: Interpolation,
    mean: Vec<f32>,
    std: Vec<f32>,
    #[serde(default)]
    channels: ChannelOrder,
}

impl Peer {
    /// Returns the model without what a checkpoint or data say of it.
    fn overridden(&self) -> Spec {
        Spec {
            name: self.model.clone(),
            params: self.overrides.clone(),
        }
    }

    fn spec(&self) -> Spec {
        let [_, channels, side, _] = self.input;
        let sizes = [("in_chans", Some(channels)), ("img_size", Some(side))];
        let mut spec = self.overridden();
        for (key, size) in sizes.into_iter().chain([("num_classes", self.classes)]) {
            let given = size.map(|size| (key.to_owned(), size.into()));
            spec.params.extend(given);
        }
        spec
    }

    fn build(&self) -> Model {
        models::build(&self.spec()).unwrap()
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

/// Whether a weight is one of those of detectors that are larger.
fn of_detector(name: &str) -> bool {
    let contains = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    match name.split('.').next() {
        Some("head") => contains(&["conv", "stems"]),
        Some("base_net" | "extras") => !contains(&[".conv."]),
        Some("backbone") => !contains(&[".block.", ".body.", ".layer"]),
        _ => false,
    }
}

fn parameter(name: &str, shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let fan_in = count as f64 / shape[0] as f64;
    let gain = match name {
        name if name.contains(".0.block.") => 1.5,
        name if name.contains(".block.") || name.ends_with(".conv_dw.weight") => 1.25,
        _ => 1.0,
    };
    let gain = if of_detector(name) { gain * 1.4 } else { gain };
    let value = |u: f64| {
        let signed = 2.0 * u - 1.0;
        let v = match name {
            name if name.ends_with("running_var") => 0.5 + u,
            name if name.ends_with(".weight") && shape.len() > 1 => {
                signed * (3.0 / fan_in).sqrt() * gain
            }
            name if name.ends_with(".weight") => 0.5 + u,
            name if name.ends_with(".conv_expand.bias") => signed * 0.1 + 2.0,
            _ => signed * 0.1,
        };
        v as f32
    };
    let values: Vec<f32> = uniform(name, count).into_iter().map(value).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn weights(graph: &Graph) -> Weights {
    let tensors = graph.params();
    let tensors = tensors.map(|(_, param)| parameter(&param.name, &param.shape));
    Weights::new(graph, tensors.collect()).unwrap()
}

fn inputs(peer: &Peer) -> Vec<Tensor> {
    let values = uniform("input", peer.input.iter().product());
    let values: Vec<f32> = values.into_iter().map(|u| (2.0 * u - 1.0) as f32).collect();
    let images = Tensor::from_vec(values, &peer.input, &Device::Cpu).unwrap();
    let steps = peer.timesteps.iter();
    let steps = steps.map(|steps| Tensor::new(steps.as_slice(), &Device::Cpu).unwrap());
    std::iter::once(images).chain(steps).collect()
}

fn run(graph: &Graph, weights: &Weights, inputs: &[Tensor]) -> BTreeMap<String, Tensor> {
    assert_eq!(graph.inputs().len(), inputs.len());
    let given = graph.inputs().iter().copied().zip(inputs.iter().cloned());
    let given: Vec<_> = given.collect();
    let outputs = graph.run(weights, &given, graph.outputs()).unwrap();
    let names = graph.outputs().iter();
    let names = names.map(|id| graph.value(*id).name.clone());
    names.zip(outputs).collect()
}

/// Asserts that outputs are those of the peer.
fn assert_peers(what: &str, found: &BTreeMap<String, Tensor>, peer: &Peer) {
    if peer.outputs.is_empty() {
        let [logits] = found.values().collect::<Vec<_>>()[..] else {
            panic!("{what} has {} outputs", found.len());
        };
        assert_close(what, &logits.to_vec2().unwrap(), &peer.logits);
    }
    for probe in &peer.outputs {
        probe.assert_close(what, &found[&probe.name]);
    }
}

impl Probe {
    /// Asserts that an output has these values. Levels differ in scale, and each row is held to its own.
    fn assert_close(&self, what: &str, found: &Tensor) {
        // Images are given row by row, channel by channel.
        let found = found.flatten(1, found.rank() - 2).unwrap();
        assert_eq!(found.dims(), self.shape, "{what}: {}", self.name);
        let rows = Tensor::new(self.rows.as_slice(), &Device::Cpu).unwrap();
        let chosen = found.index_select(&rows, 1).unwrap();
        let chosen: Vec<Vec<f32>> = chosen.flatten_from(1).unwrap().to_vec2().unwrap();
        let largest = |values: &[f64]| values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let overall = largest(&self.values.concat());
        let rows = chosen
            .iter()
            .zip(&self.values)
            .flat_map(|(found, expected)| {
                let columns = self.shape[2];
                found.chunks(columns).zip(expected.chunks(columns))
            });
        for (found, expected) in rows {
            let allowed = 1e-4 * largest(expected) + 1e-6 * overall;
            for (found, expected) in found.iter().zip(expected) {
                let error = (f64::from(*found) - expected).abs();
                assert!(
                    error < allowed,
                    "{what} {}: {found} instead of {expected}",
                    self.name
                );
            }
        }
    }
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
    let (weights, inputs) = (weights(&graph), inputs(peer));
    assert_peers(&peer.model, &run(&graph, &weights, &inputs), peer);
    let folding = BatchNormFolding::of(&graph);
    let folded = folding.fold(&weights).unwrap();
    let found = run(folding.graph(), &folded, &inputs);
    assert_peers(&format!("{} folded", peer.model), &found, peer);
    let unfolded = folding.unfold(&folded).unwrap();
    let found = run(&graph, &unfolded, &inputs);
    assert_peers(&format!("{} unfolded", peer.model), &found, peer);
}

/// Returns a checkpoint under the names and in the shapes of another publisher, which also holds what is not taken.
fn tensors_of(peer: &Peer, publisher: &str) -> BTreeMap<String, Tensor> {
    let graph = peer.build().graph;
    let family = models::family_of(&peer.model).unwrap();
    let others = family.other_names(&peer.spec(), &graph).unwrap();
    let other = others.into_iter().find(|o| o.publisher == publisher);
    let names = other.unwrap().names;
    let layers: BTreeMap<String, Vec<usize>> = peer
        .prunable
        .iter()
        .map(|layer| {
            let (name, sizes) = layer.split_once(' ').unwrap();
            let sizes = sizes.split('x').map(|size| size.parse().unwrap());
            (format!("{name}.weight"), sizes.collect())
        })
        .collect();
    for name in layers.keys() {
        assert!(names.contains(name), "{}: {name}", peer.model);
    }
    let params = graph.params().zip(names).map(|((_, param), name)| {
        let shape = layers.get(&name).unwrap_or(&param.shape);
        let tensor = parameter(&name, shape);
        (name, tensor)
    });
    let unused = family.unused().iter().chain(&["num_batches_tracked"]);
    let unused = unused.map(|part| (format!("x.{part}"), parameter("x", &[1])));
    params.chain(unused).collect()
}

fn saved(tensors: &BTreeMap<String, Tensor>) -> Arc<Checkpoint> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let pairs = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    write_safetensors(&path, pairs, &BTreeMap::new()).unwrap();
    Arc::new(Checkpoint::read(&path).unwrap())
}

fn output_under_other_names_equals_the_peer(peer: &Peer, publisher: &str) {
    let tensors = tensors_of(peer, publisher);
    let checkpoint = saved(&tensors);
    let [_, channels, height, width] = peer.input;
    let image = Some([channels, height, width]);
    let spec = peer.overridden();
    let subject = Subject::bind(&spec, checkpoint, image, Allow::Nothing, &Device::Cpu).unwrap();
    let found = run(&subject.model.graph, &subject.weights, &inputs(peer));
    assert_peers(&format!("{} {}", peer.model, peer.source), &found, peer);
    let written = subject.checkpoint_of(&subject.folded).unwrap();
    let written: BTreeMap<_, _> = written.iter().map(|(name, t)| (name, t.dims())).collect();
    let original: BTreeMap<_, _> = tensors.iter().map(|(name, t)| (name, t.dims())).collect();
    assert_eq!(written, original, "{} {}", peer.model, peer.source);
}

fn outputs_equal_the_peers(wanted: bool) {
    let peers = peers();
    for (peer, light) in peers.iter().zip(light(&peers)) {
        match peer.source.split_once(':') {
            _ if light != wanted => (),
            Some((publisher, _)) => output_under_other_names_equals_the_peer(peer, publisher),
            None => output_equals_the_peer(peer),
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
        // Another publisher may count its layers otherwise.
        if peer.source.contains(':') {
            continue;
        }
        let calls = graph.prunable().flat_map(|(id, _)| graph.calls(id));
        let macs: u64 = calls.map(|id| graph.macs_of(graph.node(id))).sum();
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
fn cards_equal_the_peers() {
    for peer in peers() {
        let Some(expected) = peer.preprocess else {
            continue;
        };
        let card = models::build(&Spec::plain(&peer.model)).unwrap().card;
        let fit = serde_json::to_value(card.preprocessing.fit).unwrap();
        let found = Preprocess {
            fit: serde_json::from_value(fit).unwrap(),
            interpolation: card.preprocessing.interpolation,
            mean: card.preprocessing.mean.to_vec(),
            std: card.preprocessing.std.to_vec(),
            channels: card.preprocessing.channels,
        };
        assert_eq!(found, expected, "{}", peer.model);
    }
}

#[test]
fn models_take_images_as_their_cards_have_them() {
    for name in models::names() {
        let model = models::build(&Spec::plain(name)).unwrap();
        let input = model.graph.value(model.graph.inputs()[0]);
        let images = model.card.preprocessing;
        let channels = images.mean.len();
        assert_eq!(
            input.shape.dims(),
            [channels, images.fit.side(), images.fit.side()],
            "{name}"
        );
        assert_eq!(images.std.len(), channels, "{name}");
        if let Fit::Crop { resize, crop } = images.fit {
            assert!(resize >= crop, "{name}");
        }
        assert_eq!(
            model.card.source.is_some(),
            model.card.license.is_some(),
            "{name}"
        );
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
fn other_names_are_as_many_and_distinct() {
    for name in models::names() {
        let spec = Spec::plain(name);
        let graph = models::build(&spec).unwrap().graph;
        let family = models::family_of(name).unwrap();
        for other in family.other_names(&spec, &graph).unwrap() {
            let distinct: BTreeSet<&String> = other.names.iter().collect();
            assert_eq!(
                distinct.len(),
                graph.params().len(),
                "{name} {}",
                other.publisher
            );
        }
    }
}

#[test]
fn other_names_are_those_of_the_files() {
    let table = [
        (
            "densenet121",
            0,
            "features.denseblock4.denselayer16.norm.2.running_var",
        ),
        ("convnext_tiny", 0, "stages.3.downsample.1.weight"),
        ("convnext_tiny", 0, "stages.2.blocks.8.gamma"),
        ("swin_t", 0, "layers.1.downsample.reduction.weight"),
        ("swin_t", 1, "layers.0.downsample.reduction.weight"),
        (
            "swin_t",
            1,
            "layers.3.blocks.1.attn.relative_position_bias_table",
        ),
        ("vgg16_bn", 0, "pre_logits.fc2.bias"),
        (
            "vit_base_patch16_224",
            0,
            "encoder.layers.encoder_layer_11.mlp.3.bias",
        ),
        (
            "vit_base_patch16_224",
            1,
            "encoder.layers.encoder_layer_11.mlp.linear_2.bias",
        ),
        ("efficientnet_b4", 0, "blocks.6.1.se.conv_expand.bias"),
        ("regnet_y_1_6gf", 0, "s3.b17.se.fc2.bias"),
        ("mnasnet1_0", 0, "blocks.6.0.bn3.running_var"),
        (
            "retinanet_resnet50_fpn",
            0,
            "head.regression_head.conv.6.bias",
        ),
        (
            "retinanet_resnet50_fpn",
            0,
            "backbone.fpn.inner_blocks.0.weight",
        ),
        ("fcos_resnet50_fpn", 0, "backbone.fpn.layer_blocks.2.bias"),
        ("fcos_resnet50_fpn", 0, "head.regression_head.conv.9.weight"),
    ];
    for (model, index, name) in table {
        let spec = Spec::plain(model);
        let graph = models::build(&spec).unwrap().graph;
        let family = models::family_of(model).unwrap();
        let others = family.other_names(&spec, &graph).unwrap();
        assert!(
            others[index].names.iter().any(|n| n == name),
            "{model}: {name}"
        );
    }
}

#[test]
fn what_published_checkpoints_hold_besides_is_allowed() {
    let swin = "swin_t";
    for (model, besides) in [
        ("googlenet", "aux1.conv.conv.weight"),
        ("googlenet", "aux2.fc2.bias"),
        ("inception_v3", "AuxLogits.conv0.conv.weight"),
        (swin, "features.1.0.attn.relative_position_index"),
        (swin, "layers.0.blocks.1.attn_mask"),
    ] {
        let spec: Spec = model.parse().unwrap();
        let graph = models::build(&spec).unwrap().graph;
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let params = graph.params();
        let mut tensors: BTreeMap<String, Tensor> = params
            .map(|(_, param)| (param.name.clone(), zeros(&param.shape)))
            .collect();
        for (name, allowed) in [(besides, true), ("other.weight", false)] {
            tensors.insert(name.to_owned(), zeros(&[1]));
            let bound = Subject::bind(&spec, saved(&tensors), None, Allow::Nothing, &Device::Cpu);
            assert_eq!(bound.is_ok(), allowed, "{model}: {name}");
        }
    }
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
        let weights = weights(&graph);
        let given: Vec<_> = graph.inputs().iter().copied().zip(inputs(&peer)).collect();
        for granularity in &GRANULARITIES {
            for unit in granularity.units(&graph) {
                let output = unit.outputs[0];
                let taps: Vec<_> = unit.inputs.iter().copied().chain([output]).collect();
                let mut tapped = graph.run(&weights, &given, &taps).unwrap();
                let full = tapped.pop().unwrap();
                let captured: Vec<_> = unit.inputs.iter().copied().zip(tapped).collect();
                let replayed = graph.run(&weights, &captured, &unit.outputs).unwrap();
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

/// The lightest model of each family.
fn lightest() -> Vec<Peer> {
    let mut lightest: BTreeMap<&str, Peer> = BTreeMap::new();
    for peer in peers()
        .into_iter()
        .filter(|peer| !peer.source.contains(':'))
    {
        let family = peer.build().family;
        let lighter =
            |other: &Peer| peer.macs * (peer.input[0] as u64) < other.macs * other.input[0] as u64;
        if lightest.get(family).is_none_or(lighter) {
            lightest.insert(family, peer);
        }
    }
    lightest.into_values().collect()
}

/// What runs in parts, to take less memory, must give what a whole run gives.
#[test]
fn an_image_has_the_same_bits_alone_and_in_a_batch() {
    for peer in lightest() {
        if peer.macs > DIFFERENTIABLE {
            continue;
        }
        let graph = peer.build().graph;
        let weights = weights(&graph);
        let alone = inputs(&peer);
        let batch = alone.iter().map(|input| {
            let first = input.narrow(0, 0, 1).unwrap();
            Tensor::cat(&[input, &first, input, &first, input], 0).unwrap()
        });
        let batch: Vec<Tensor> = batch.collect();
        let whole = run(&graph, &weights, &batch);
        for row in 0..batch[0].dims()[0] {
            let image = batch.iter().map(|input| input.narrow(0, row, 1).unwrap());
            let part = run(&graph, &weights, &image.collect::<Vec<_>>());
            for (name, part) in &part {
                let bits = |tensor: &Tensor| -> Vec<u32> {
                    let numbers: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
                    numbers.into_iter().map(f32::to_bits).collect()
                };
                let row_of_whole = whole[name].narrow(0, row, 1).unwrap();
                assert!(
                    bits(part) == bits(&row_of_whole),
                    "{} {name} {row}",
                    peer.model
                );
            }
        }
    }
}

/// The first and the last trained parameter of each kind and role.
fn samples(graph: &Graph) -> BTreeSet<ParamId> {
    let mut ends: BTreeMap<(String, String), [ParamId; 2]> = BTreeMap::new();
    for (_, node) in graph.nodes() {
        for id in &node.params {
            let role = graph.param(*id).role;
            if role != Role::Buffer {
                let key = (node.op.kind(), format!("{role:?}"));
                ends.entry(key).or_insert([*id; 2])[1] = *id;
            }
        }
    }
    ends.into_values().flatten().collect()
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    let product = (a.to_dtype(DType::F64).unwrap() * b.to_dtype(DType::F64).unwrap()).unwrap();
    product.sum_all().unwrap().to_scalar().unwrap()
}

/// The multiply-accumulates up to which the gradients of a family are checked in every test.
const DIFFERENTIABLE: u64 = 10_000_000_000;

#[test]
fn gradients_of_every_family_follow_finite_differences() {
    for peer in lightest() {
        if peer.macs <= DIFFERENTIABLE {
            gradients_follow_finite_differences(&peer);
        }
    }
}

#[test]
#[ignore = "takes minutes"]
fn gradients_of_heavy_families_follow_finite_differences() {
    for peer in lightest() {
        if peer.macs > DIFFERENTIABLE {
            gradients_follow_finite_differences(&peer);
        }
    }
}

/// What outputs are judged by: a factor for each of their elements.
fn factors(graph: &Graph, batch: usize) -> Vec<Tensor> {
    let outputs = graph.outputs().iter().enumerate();
    let factors = outputs.map(|(number, id)| {
        let shape = [&[batch], graph.value(*id).shape.dims()].concat();
        let others = format!("factors.{number}.weight");
        let name = if number == 0 {
            "factors.weight"
        } else {
            &others
        };
        parameter(name, &shape)
    });
    factors.collect()
}

fn gradients_follow_finite_differences(peer: &Peer) {
    let graph = peer.build().graph;
    let (weights, inputs) = (weights(&graph), inputs(peer));
    let plan = graph.plan(graph.inputs(), graph.outputs()).unwrap();
    let factors = factors(&graph, peer.input[0]);
    let judged = |weights: &Weights| {
        let outputs = plan.run(&graph, weights, &inputs);
        let outputs = outputs.unwrap();
        { outputs.iter().zip(&factors) }
            .map(|(output, factors)| dot(output, factors))
            .sum::<f64>()
    };
    let ids = samples(&graph);
    let wanted: Vec<_> = ids.iter().map(|id| (*id, Wanted::All)).collect();
    let trace = plan.trace(&graph, &weights, &inputs);
    let trace = trace.unwrap();
    let outputs = graph.outputs().iter().zip(&factors);
    let scale: f64 = outputs
        .map(|(id, factors)| dot(&trace.value(*id).abs().unwrap(), &factors.abs().unwrap()))
        .sum();
    let gradients = plan.gradients(&graph, &weights, trace, &factors, &wanted);
    for (id, gradient) in ids.into_iter().zip(gradients.unwrap()) {
        let param = graph.param(id);
        let direction = parameter(&format!("direction.{}", param.name), &param.shape);
        let found = dot(&gradient.expect("the output depends on it"), &direction);
        let moved = |by: f64| {
            let mut moved = weights.clone();
            let change = (&direction * by).unwrap();
            moved.set(id, (weights.tensor(id) + change).unwrap());
            judged(&moved)
        };
        // Long steps cross kinks, short ones drown in rounding: one of them shows the slope.
        let errors = [1e-2, 3e-3, 1e-3, 3e-4].map(|step| {
            let slope = (moved(step) - moved(-step)) / (2.0 * step);
            (found - slope).abs() / slope.abs().max(0.05 * scale)
        });
        let error = errors.into_iter().fold(f64::INFINITY, f64::min);
        assert!(error < 0.03, "{} {}: {errors:?}", peer.model, param.name);
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
        ("ldm_celebahq_256(attention_head_dim=40)", "cannot be built"),
        ("ldm_celebahq_256(attention_head_dim=0)", "cannot be built"),
        ("ldm_celebahq_256(img_size=6)", "cannot be built"),
        ("vq_celebahq_256(num_vq_embeddings=0)", "cannot be built"),
        ("vq_celebahq_256(norm_num_groups=0)", "cannot be built"),
    ] {
        let message = models::build(&spec.parse().unwrap())
            .unwrap_err()
            .to_string();
        assert!(message.contains(why), "{spec}: {message}");
    }
}
