//! Allocators against numbers that are not ours: those of the reference implementation, and brute force.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use proptest::prelude::*;
use ptsbench::allocate::{ALLOCATORS, Allocation, Context, LayerWeights};
use ptsbench::mask::{Mask, masks};
use ptsbench::registry::Spec;
use serde::Deserialize;
use std::collections::BTreeMap;

fn allocate(spec: &str, layers: &[LayerWeights], target: f64) -> Allocation {
    let allocator = ALLOCATORS.build(&spec.parse().unwrap()).unwrap();
    allocator
        .allocate(Context {
            layers,
            target,
            data: None,
        })
        .unwrap()
}

fn pruned(allocation: &Allocation) -> Vec<usize> {
    allocation.layers.iter().map(|layer| layer.pruned).collect()
}

/// `reference/resnet20_allocations.json`.
#[derive(Deserialize)]
struct Reference {
    target: f64,
    layers: Vec<(String, Vec<usize>)>,
    allocations: BTreeMap<String, Peer>,
}

#[derive(Deserialize)]
struct Peer {
    achieved: f64,
    rates: Vec<f64>,
    kept: Vec<usize>,
}

impl Reference {
    fn load() -> Self {
        serde_json::from_str(include_str!("reference/resnet20_allocations.json")).unwrap()
    }

    fn layers(&self) -> Vec<LayerWeights> {
        let layer = |(name, shape): &(String, Vec<usize>)| LayerWeights {
            name: name.clone(),
            shape: shape.clone(),
            weights: vec![1.0; shape.iter().product()],
        };
        self.layers.iter().map(layer).collect()
    }
}

#[test]
fn rates_by_shape_are_those_of_the_reference() {
    let reference = Reference::load();
    let layers = reference.layers();
    let mut wrong = Vec::new();
    for (spec, peer) in &reference.allocations {
        // Its ERK shares up to one survivor a layer more than the target leaves; we are asked for what it achieves.
        let ours = allocate(spec, &layers, peer.achieved);
        for (layer, rate) in ours.layers.iter().zip(&peer.rates) {
            if (layer.sparsity - rate).abs() > 1e-9 {
                wrong.push((spec, layer.name.clone(), layer.sparsity, *rate));
            }
        }
        assert!((peer.achieved - reference.target).abs() < 3e-5, "{spec}");
        assert_eq!(peer.rates.len(), layers.len(), "{spec}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The reference rounds every layer's survivors down, and so passes the target by more than half a weight per layer. Ours
/// keep those same counts but for the weights that the target asks back, one a layer.
#[test]
fn survivors_by_shape_are_those_of_the_reference_but_for_what_the_target_asks_back() {
    let reference = Reference::load();
    let layers = reference.layers();
    let numel: usize = layers.iter().map(|layer| layer.weights.len()).sum();
    for (spec, peer) in &reference.allocations {
        let ours = allocate(spec, &layers, peer.achieved);
        let back: Vec<usize> = ours
            .layers
            .iter()
            .zip(&peer.kept)
            .map(|(layer, kept)| layer.numel - layer.pruned - kept)
            .collect();
        assert!(back.iter().all(|more| *more <= 1), "{spec}: {back:?}");
        let most = (peer.achieved * numel as f64 + layers.len() as f64 / 2.0 + 1e-6).floor();
        let surplus = numel - peer.kept.iter().sum::<usize>() - most as usize;
        assert_eq!(back.iter().sum::<usize>(), surplus, "{spec}: {back:?}");
    }
}

/// The score of each weight of a layer, straight from the definition.
fn scores(name: &str, weights: &[f32]) -> Vec<f64> {
    let magnitudes: Vec<f64> = weights.iter().map(|w| f64::from(w.abs())).collect();
    let norm1: f64 = magnitudes.iter().sum();
    let norm2 = magnitudes.iter().map(|m| m * m).sum::<f64>().sqrt();
    let rest = |m: f64| -> f64 { magnitudes.iter().filter(|v| **v >= m).map(|v| v * v).sum() };
    magnitudes
        .iter()
        .map(|&m| match name {
            _ if m == 0.0 => 0.0,
            "magnitude" => m,
            "l1norm" => m / norm1,
            "l2norm" => m / norm2,
            "lamp" => m * m / rest(m),
            other => panic!("no definition of `{other}`"),
        })
        .collect()
}

/// How many of the `count` least scores lie in each layer, by sorting all weights; earlier layers first among equals.
fn least(name: &str, layers: &[LayerWeights], count: usize) -> Vec<usize> {
    let mut all: Vec<(f64, usize)> = layers
        .iter()
        .enumerate()
        .flat_map(|(l, layer)| {
            scores(name, &layer.weights)
                .into_iter()
                .map(move |s| (s, l))
        })
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut counts = vec![0; layers.len()];
    for (_, layer) in &all[..count] {
        counts[*layer] += 1;
    }
    counts
}

const CRITERIA: [&str; 4] = ["magnitude", "l1norm", "l2norm", "lamp"];

/// Layers of a few quarters, so that ties abound and every sum is exact whatever its order; layers of one weight and of
/// zeros are among them.
fn networks() -> impl Strategy<Value = Vec<LayerWeights>> {
    let layer = (1..7_usize, 1..7_usize, prop::bool::weighted(0.1))
        .prop_flat_map(|(out, input, zero)| {
            let range = if zero { 0..=0 } else { -20..=20_i8 };
            let weights =
                prop::collection::vec(range.prop_map(|q| f32::from(q) / 4.0), out * input);
            (Just(vec![out, input]), weights)
        })
        .prop_map(|(shape, weights)| LayerWeights {
            name: String::new(),
            shape,
            weights,
        });
    prop::collection::vec(layer, 1..6).prop_map(|mut layers| {
        for (i, layer) in layers.iter_mut().enumerate() {
            layer.name = format!("layer{i}");
        }
        layers
    })
}

/// A share in [0, 1) of the weights of `layers`, as a whole number of them.
fn part(layers: &[LayerWeights], share: f64) -> (usize, f64) {
    let numel: usize = layers.iter().map(|layer| layer.weights.len()).sum();
    let count = (share * numel as f64) as usize;
    (count, count as f64 / numel as f64)
}

proptest! {
    #[test]
    fn criteria_prune_the_least_scores_of_the_network(layers in networks(), share in 0.0..1.0_f64) {
        let (count, target) = part(&layers, share);
        for name in CRITERIA {
            let ours = pruned(&allocate(name, &layers, target));
            prop_assert_eq!(ours, least(name, &layers, count), "{}", name);
        }
    }

    #[test]
    fn criteria_ignore_the_order_and_sign_of_weights(layers in networks(), share in 0.0..1.0_f64) {
        let (_, target) = part(&layers, share);
        let turned: Vec<LayerWeights> = layers
            .iter()
            .map(|layer| LayerWeights {
                weights: layer.weights.iter().rev().map(|w| -w).collect(),
                ..layer.clone()
            })
            .collect();
        for name in CRITERIA {
            let (a, b) = (allocate(name, &layers, target), allocate(name, &turned, target));
            prop_assert_eq!(a, b, "{}", name);
        }
    }

    #[test]
    fn criteria_prune_no_less_of_any_layer_for_a_higher_target(
        layers in networks(),
        shares in (0.0..1.0_f64, 0.0..1.0_f64),
    ) {
        let (_, low) = part(&layers, shares.0.min(shares.1));
        let (_, high) = part(&layers, shares.0.max(shares.1));
        for name in CRITERIA {
            let (low, high) = (allocate(name, &layers, low), allocate(name, &layers, high));
            let fewer = low.layers.iter().zip(&high.layers).any(|(l, h)| h.pruned < l.pruned);
            prop_assert!(!fewer, "{name}: {low:?} {high:?}");
        }
    }

    #[test]
    fn rates_by_shape_go_with_the_layer_wherever_it_stands(layers in networks(), target in 0.0..1.0_f64) {
        let reversed: Vec<LayerWeights> = layers.iter().rev().cloned().collect();
        for spec in ["uniform", "er", "erk", "erk(power=0.5)", "erk(power=-1)"] {
            let (ours, theirs) = (allocate(spec, &layers, target), allocate(spec, &reversed, target));
            for (a, b) in ours.layers.iter().zip(theirs.layers.iter().rev()) {
                prop_assert!((a.sparsity - b.sparsity).abs() < 1e-9, "{spec}: {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn masks_prune_what_is_allocated(layers in networks(), target in 0.0..1.0_f64) {
        for name in ALLOCATORS.names() {
            if ALLOCATORS.build(&Spec::plain(name)).unwrap().needs_data() {
                continue;
            }
            let allocation = allocate(name, &layers, target);
            let found: Vec<usize> = masks(&layers, &allocation)
                .unwrap()
                .iter()
                .map(Mask::pruned)
                .collect();
            prop_assert_eq!(found, pruned(&allocation), "{}", name);
        }
    }
}
