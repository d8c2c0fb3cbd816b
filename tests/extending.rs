//! The worked examples of extensions do what they say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{DType, Device, Tensor};
use ptsbench::graph::Graph;
use ptsbench::metrics::ClassScores;
use ptsbench::pipeline::{Allow, Engine, Subject};
use ptsbench::record::Record;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Includes an example, which is a program of its own.
macro_rules! example {
    ($name:ident, $path:literal) => {
        #[expect(dead_code, unreachable_pub, reason = "it is a program of its own, too")]
        #[path = $path]
        mod $name;
    };
}

example!(new_allocator, "../examples/new_allocator.rs");
example!(new_correction, "../examples/new_correction.rs");
example!(new_data, "../examples/new_data.rs");
example!(new_granularity, "../examples/new_granularity.rs");
example!(new_metric, "../examples/new_metric.rs");
example!(new_model, "../examples/new_model.rs");
example!(new_solver, "../examples/new_solver.rs");
example!(new_task, "../examples/new_task.rs");

fn subject_of(case: &ptsbench::case::Case) -> Arc<Subject> {
    let engine = Engine::new(Device::Cpu, None);
    engine
        .subject(&case.model, &case.weights, Some(&case.data), Allow::Nothing)
        .unwrap()
}

fn layers_of(graph: &Graph) -> Vec<String> {
    graph
        .prunable()
        .map(|(_, node)| node.name.clone())
        .collect()
}

/// The dense and the sparse value of a metric.
fn values(record: &Record, metric: &str) -> [f64; 2] {
    let value = record.metrics.get(metric).unwrap();
    [value.dense, value.sparse]
}

#[test]
fn the_new_allocator_reaches_the_target_and_prunes_larger_layers_more() {
    let case = new_allocator::new_case().unwrap();
    let record = new_allocator::run(&case).unwrap();
    assert_eq!(record.allocator, "larger-first");
    assert!((record.sparsity.achieved - 0.7).abs() < 1e-3);
    let mut layers: Vec<_> = record
        .layers
        .iter()
        .map(|l| (l.numel, l.sparsity))
        .collect();
    layers.sort_by_key(|(numel, _)| *numel);
    for pair in layers.windows(2) {
        let rounding = 1.0 / pair[0].0 as f64;
        assert!(pair[1].1 >= pair[0].1 - rounding, "{pair:?}");
    }
    let old = new_allocator::run(&new_allocator::case("uniform").unwrap()).unwrap();
    assert_ne!(old.key, record.key);
}

#[test]
fn the_new_correction_makes_channels_as_long_as_they_were() {
    let case = new_correction::new_case(0.7).unwrap();
    let outcome = new_correction::run(&case).unwrap();
    assert_eq!(outcome.record.reconstruction, "single-sparse-length-none");
    let sparse: BTreeMap<String, Tensor> = outcome.checkpoint.into_iter().collect();
    let subject = subject_of(&case);
    let lengths = |weight: &Tensor| -> Vec<f64> {
        let rows = weight.flatten_from(1).unwrap().to_dtype(DType::F64);
        let rows: Vec<Vec<f64>> = rows.unwrap().to_vec2().unwrap();
        let squares = |row: &Vec<f64>| row.iter().map(|w| w * w).sum::<f64>();
        rows.iter().map(|row| squares(row).sqrt()).collect()
    };
    let mut channels = 0;
    for (id, node) in subject.graph().prunable() {
        let dense = subject.folded.tensor(subject.graph().weight_of(id));
        let sparse = &sparse[&format!("{}.weight", node.name)];
        for (dense, sparse) in lengths(dense).into_iter().zip(lengths(sparse)) {
            // A pruned channel has no length to restore.
            if sparse > 0.0 {
                let difference = (sparse / dense - 1.0).abs();
                assert!(difference < 1e-5, "{}: {dense} {sparse}", node.name);
                channels += 1;
            }
        }
    }
    // The stem and six layers of 16 channels, six of 32, six of 64, ten classes; a few may be pruned.
    assert!((650..=698).contains(&channels), "{channels}");
}

#[test]
fn the_new_data_format_reads_what_is_embedded() {
    let case = new_data::case().unwrap();
    let embedded = Engine::new(Device::Cpu, None).run(&case, Allow::Nothing, &());
    let embedded = embedded.unwrap().record;
    let record = new_data::run("assets/fashion-mnist").unwrap();
    assert_eq!(record.dataset, "mnist");
    assert_eq!(record.metrics, embedded.metrics);
    assert_eq!(record.layers, embedded.layers);

    let empty = tempfile::tempdir().unwrap();
    let error = new_data::run(empty.path().to_str().unwrap()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("train-images-idx3-ubyte.gz"), "{message}");
}

#[test]
fn the_new_granularity_has_each_layer_in_one_of_half_as_many_units() {
    let case = new_granularity::new_case().unwrap();
    let graph = subject_of(&case);
    let graph = graph.graph();
    let units = new_granularity::PAIR.units(graph);
    let layers = units.iter().flat_map(|unit| &unit.layers);
    let layers: Vec<String> = layers.map(|id| graph.node(*id).name.clone()).collect();
    assert_eq!(layers, layers_of(graph));

    let record = new_granularity::run(&case).unwrap();
    let blocks = new_granularity::run(&new_granularity::case("block").unwrap()).unwrap();
    assert_eq!(record.units.len(), blocks.units.len().div_ceil(2));
    for unit in &record.units {
        assert!(unit.loss_after <= unit.loss_before, "{unit:?}");
    }
}

#[test]
fn the_new_metric_is_the_share_of_the_worst_class() {
    let mut scores = ClassScores::new(3);
    let compute = new_metric::WORST_CLASS.compute.classification().unwrap();
    assert!(compute(&scores).is_nan());
    let rows = [
        ([2.0_f32, 1.0, 0.0], 0),
        ([0.0, 1.0, 2.0], 0),
        ([0.0, 1.0, 0.5], 1),
        ([f32::NAN, 1.0, 0.0], 0),
        // As high as another.
        ([1.0, 1.0, 0.0], 1),
        ([0.0, 3.0, 1.0], 1),
    ];
    let rows = rows.into_iter().map(|(row, label)| (row.to_vec(), label));
    let (logits, labels): (Vec<Vec<f32>>, Vec<u32>) = rows.unzip();
    let logits = Tensor::new(logits, &Device::Cpu).unwrap();
    scores.push(&logits, &labels).unwrap();
    // A third of class 0, two thirds of class 1, and no image of class 2.
    assert!((compute(&scores) - 100.0 / 3.0).abs() < 1e-9);

    let record = new_metric::run(&new_metric::case(0.7).unwrap()).unwrap();
    let (all, worst) = (values(&record, "top1"), values(&record, "worst-class"));
    assert!(worst[0] < all[0] && worst[1] < all[1], "{all:?} {worst:?}");
    let relative = record.metrics.get("worst-class").unwrap().relative;
    assert_eq!(relative, Some(worst[1] / worst[0]));
}

#[test]
fn a_cache_does_not_hide_a_metric_that_no_table_knows() {
    let cache = tempfile::tempdir().unwrap();
    let mut case = new_metric::case(0.5).unwrap();
    case.spec.settings.limit = Some(100);
    let run = || {
        let engine = Engine::new(Device::Cpu, Some(cache.path().to_owned()));
        engine.run(&case, Allow::Nothing, &()).unwrap().record
    };
    let [first, second] = [run(), run()];
    assert_eq!(first.metrics, second.metrics);
    assert!(second.metrics.get("worst-class").is_some());
}

#[test]
fn the_new_model_is_the_old_one_until_blocks_are_left_out() {
    let old = new_model::case().unwrap();
    let old = Engine::new(Device::Cpu, None).run(&old, Allow::Nothing, &());
    let old = old.unwrap().record;
    let whole = new_model::run("resnet20_cut").unwrap();
    assert_eq!(whole.metrics, old.metrics);
    assert_eq!(whole.layers, old.layers);

    let cut = new_model::run("resnet20_cut(layer3=2)").unwrap();
    let left = |record: &Record| -> BTreeMap<String, usize> {
        let layers = record.layers.iter();
        layers.map(|l| (l.name.clone(), l.numel)).collect()
    };
    let (all, left) = (left(&old), left(&cut));
    let gone: BTreeSet<&str> = all
        .keys()
        .filter(|name| !left.contains_key(*name))
        .map(String::as_str)
        .collect();
    assert_eq!(gone, BTreeSet::from(["layer3.2.conv1", "layer3.2.conv2"]));
    let sum = |layers: &BTreeMap<String, usize>| layers.values().sum::<usize>();
    assert_eq!(sum(&all) - sum(&left), 2 * 9 * 64 * 64);
    assert!((cut.sparsity.achieved - 0.5).abs() < 1e-3);
}

#[test]
fn the_new_solver_comes_near_the_optimum_of_single_layers() {
    let run = |case| new_solver::run(&case).unwrap();
    let record = run(new_solver::new_case("single-dense").unwrap());
    let exact = run(new_solver::case("single-dense-none-exact(ridge=1e-5)").unwrap());
    assert_eq!(record.units.len(), exact.units.len());
    for (unit, best) in record.units.iter().zip(&exact.units) {
        let [before, after, least] = [unit.loss_before, unit.loss_after, best.loss_after];
        assert!(after >= 0.999 * least, "{unit:?} {best:?}");
        assert!(
            before - after >= 0.95 * (before - least),
            "{unit:?} {best:?}"
        );
    }
}

#[test]
fn the_new_task_is_easier_than_the_old_one() {
    for sparsity in [0.7, 0.9] {
        let old = new_task::run(&new_task::case("classification", sparsity).unwrap());
        let new = new_task::run(&new_task::new_case(sparsity).unwrap());
        let (old, new) = (values(&old.unwrap(), "top1"), values(&new.unwrap(), "top1"));
        // Who knows the class knows the kind.
        assert!(new[0] > old[0] && new[1] > old[1], "{old:?} {new:?}");
    }
}
