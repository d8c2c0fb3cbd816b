//! The leaderboard of 10,000 records: in memory, and as files.
//!
//! `cargo bench --bench leaderboard`; with `PTSBENCH_PAGES=DIR` the pages stay in that folder, to be looked at.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use criterion::{Criterion, criterion_group, criterion_main};
use ptsbench::leaderboard::{Input, Origin, render, write};
use ptsbench::record::{Loaded, Record, Store, load_runs};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Makes up the record of a case with 50 layers and 18 units.
fn record(numbers: [usize; 4]) -> Record {
    let [model, allocator, reconstruction, step] = numbers;
    let sparsity = 0.5 + 0.1 * step as f64;
    let names = [
        format!("model{model}"),
        format!("allocator{allocator}(power=0.{allocator})"),
        format!("block-sparse-weight+bias-adam(lr=0.0{reconstruction})"),
    ];
    let lost = sparsity.powi(5) * (60.0 - (allocator + 2 * reconstruction + model) as f64);
    let layer = |index: usize| {
        json!({"name": format!("layer{index}.conv"), "numel": 4096, "pruned": 2048,
            "sparsity": (sparsity + 0.01 * (index % 9) as f64).min(1.0)})
    };
    let unit = |index: usize| {
        json!({"name": format!("layer{index}"), "layers": [format!("layer{index}.conv")],
            "loss_before": 0.8, "loss_after": 0.8 / (index + 2) as f64, "iterations": 300, "seconds": 1.5})
    };
    let [name, share, rebuild] = &names;
    let value: Value = json!({
        "schema": 3, "key": "key", "suite": "large", "task": "classification", "dataset": "cifar10",
        "case": format!("large::classification/cifar10/{}@{sparsity:.2}", names.join("/")),
        "model": name, "allocator": share, "reconstruction": rebuild,
        "sparsity": {"target": sparsity, "achieved": sparsity},
        "metrics": {
            "top1": {"dense": 92.0, "sparse": 92.0 - lost, "relative": 1.0 - lost / 92.0},
            "top5": {"dense": 99.0, "sparse": 98.0, "relative": 98.0 / 99.0},
        },
        "layers": (0..50).map(layer).collect::<Vec<_>>(),
        "units": (0..18).map(unit).collect::<Vec<_>>(),
        "seconds": {"allocate": 0.1, "mask": 0.2, "correct": 1.5, "reconstruct": 21.0, "evaluate": 3.0,
            "total": 25.0 + lost + (reconstruction * 7) as f64},
        "peak_rss_bytes": 300_000_000, "notes": [],
        "environment": {"device": "cpu", "threads": 2, "cpu": "a processor", "version": "0.1.0", "commit": null, "seed": 0},
        "spec": {"iterations": 300, "data": "cifar10:data", "weights": "model.pth"},
    });
    serde_json::from_value(value).unwrap()
}

/// Makes up 10,000 records: 20 models, 10 allocators, 10 reconstructions, 5 sparsities.
fn records() -> Vec<Record> {
    let mut records = Vec::new();
    for case in 0..10_000 {
        let [step, reconstruction] = [case % 5, case / 5 % 10];
        let [allocator, model] = [case / 50 % 10, case / 500];
        records.push(record([model, allocator, reconstruction, step]));
    }
    records.sort_by(|a, b| a.case.cmp(&b.case));
    records
}

fn leaderboard(c: &mut Criterion) {
    let loaded = Loaded {
        records: records(),
        ..Loaded::default()
    };
    let input = Input {
        loaded: &loaded,
        drift: &[],
        origin: Origin::Runs,
    };
    let temporary = tempfile::tempdir().unwrap();
    let out = std::env::var_os("PTSBENCH_PAGES").map(PathBuf::from);
    let out = out.unwrap_or_else(|| temporary.path().join("pages"));
    let stored = temporary.path().join("results");
    let store = Store::new(&stored);
    for record in &loaded.records {
        store.save(record).unwrap();
    }
    let mut group = c.benchmark_group("leaderboard of 10,000 records");
    group.sample_size(10);
    group.bench_function("load", |b| b.iter(|| load_runs(&stored).unwrap()));
    group.bench_function("render", |b| b.iter(|| render(&input)));
    group.bench_function("write", |b| b.iter(|| write(&input, &out).unwrap()));
    group.finish();
}

criterion_group!(benches, leaderboard);
criterion_main!(benches);
