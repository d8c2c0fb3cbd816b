//! Building every model, and the stages of a case on the embedded ResNet-20: allocation, masks, one network forward, one step of
//! reconstruction.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use candle_core::{Device, Tensor};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ptsbench::allocate::{ALLOCATORS, Context, LayerWeights};
use ptsbench::data::Split;
use ptsbench::distill::Objective;
use ptsbench::mask::{Mask, masks};
use ptsbench::models;
use ptsbench::pipeline::{Allow, Engine, Subject};
use ptsbench::reconstruct::{Job, Link, Settings};
use ptsbench::registry::{Named, Spec};
use std::collections::BTreeMap;
use std::sync::Arc;

const TARGET: f64 = 0.8;

fn subject(engine: &Engine) -> Arc<Subject> {
    let weights = "embedded:resnet20-fashion-mnist".parse().unwrap();
    let data = "embedded:fashion-mnist".parse().unwrap();
    let model = Spec::plain("resnet20");
    engine
        .subject(&model, &weights, Some(&data), Allow::Nothing)
        .unwrap()
}

fn images(subject: &Subject, count: usize) -> Tensor {
    let source = subject.source().unwrap();
    let rows: Vec<usize> = (0..count).collect();
    let images = source.dataset.images(Split::Calibration, &rows).unwrap();
    source.preprocess.apply(&images, &Device::Cpu).unwrap()
}

fn erk_masks(layers: &[LayerWeights]) -> Vec<Mask> {
    let allocator = ALLOCATORS.build(&Spec::plain("erk")).unwrap();
    let context = Context {
        layers,
        target: TARGET,
        data: None,
    };
    masks(layers, &allocator.allocate(context).unwrap()).unwrap()
}

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build");
    for name in models::names() {
        let spec = Spec::plain(name);
        group.bench_function(name, |bencher| bencher.iter(|| models::build(&spec)));
    }
    group.finish();
}

fn allocation(criterion: &mut Criterion) {
    let engine = Engine::new(Device::Cpu, None);
    let layers = subject(&engine).folded_layers().unwrap();
    let mut group = criterion.benchmark_group("allocate");
    for entry in &ALLOCATORS {
        let allocator = ALLOCATORS.build(&Spec::plain(entry.name())).unwrap();
        if allocator.needs_data() {
            continue;
        }
        let context = Context {
            layers: &layers,
            target: TARGET,
            data: None,
        };
        group.bench_function(entry.name(), |bencher| {
            bencher.iter(|| allocator.allocate(context).unwrap());
        });
    }
    group.finish();
    criterion.bench_function("mask", |bencher| bencher.iter(|| erk_masks(&layers)));
}

fn forward(criterion: &mut Criterion) {
    let engine = Engine::new(Device::Cpu, None);
    let subject = subject(&engine);
    let input = images(&subject, 32);
    let graph = subject.graph();
    let plan = graph.plan(graph.inputs(), graph.outputs()).unwrap();
    criterion.bench_function("forward of 32 images", |bencher| {
        bencher.iter(|| {
            plan.run(graph, &subject.folded, std::slice::from_ref(&input))
                .unwrap()
        });
    });
}

fn reconstruction(criterion: &mut Criterion) {
    let engine = Engine::new(Device::Cpu, None);
    let subject = subject(&engine);
    let graph = subject.graph();
    let layers = graph.prunable().map(|(id, _)| graph.weight_of(id));
    let tensors = erk_masks(&subject.folded_layers().unwrap());
    let tensors = tensors.iter().map(|m| m.to_tensor(&Device::Cpu).unwrap());
    let masks: BTreeMap<_, _> = layers.zip(tensors).collect();
    let inputs = [images(&subject, 32)];
    let job = Job {
        graph,
        dense: &subject.folded,
        masks: &masks,
        inputs: &inputs,
        objective: Objective::SquaredError,
        settings: Settings {
            iterations: 1,
            batch_size: 32,
            seed: 0,
            memory: usize::MAX,
        },
    };
    let mut group = criterion.benchmark_group("one step of every unit, 32 images");
    group.sample_size(10);
    for technique in ["block-sparse-none-adam", "single-sparse-none-exact"] {
        let link: Link = technique.parse().unwrap();
        group.bench_function(technique, |bencher| {
            bencher.iter_batched(
                || subject.folded.clone(),
                |mut weights| job.reconstruct(&link, &mut weights, &()).unwrap(),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(stages, build, allocation, forward, reconstruction);
criterion_main!(stages);
