//! The leaderboard of 10,000 records: in memory, and as files.
//!
//! `cargo bench --bench leaderboard`; with `PTSBENCH_PAGES=DIR` the pages stay in that folder, to be looked at.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

mod synthetic;

use criterion::{Criterion, criterion_group, criterion_main};
use ptsbench::leaderboard::{Input, Origin, render, write};
use ptsbench::record::{Loaded, Record, Store, load_runs};
use std::path::PathBuf;
use synthetic::{numbers, record};

fn leaderboard(c: &mut Criterion) {
    let mut records: Vec<Record> = numbers(10_000).map(record).collect();
    records.sort_by(|a, b| a.case.cmp(&b.case));
    let loaded = Loaded {
        records,
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
