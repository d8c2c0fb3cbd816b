//! Records that nobody computed.

use ptsbench::record::Record;
use serde_json::{Value, json};

/// Models, allocators, reconstructions and sparsities of 10,000 cases.
pub(crate) const SIZES: [usize; 4] = [20, 10, 10, 5];

/// Makes up the record of a case with 50 layers and 18 units.
pub(crate) fn record(numbers: [usize; 4]) -> Record {
    let [model, allocator, reconstruction, step] = numbers;
    let sparsity = sparsity(step);
    let names = [
        name_of_model(model),
        name_of_allocator(allocator),
        name_of_reconstruction(reconstruction),
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
        "schema": 3, "key": "key", "suite": "large", "task": "classification", "dataset": "fashion-mnist",
        "case": format!("large::classification/fashion-mnist/{}@{sparsity:.2}", names.join("/")),
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
        "spec": {"iterations": 300, "data": "embedded:fashion-mnist", "weights": "model.pth"},
    });
    serde_json::from_value(value).unwrap()
}

/// Returns the numbers of the first `count` cases, sparsities innermost.
pub(crate) fn numbers(count: usize) -> impl Iterator<Item = [usize; 4]> {
    let [models, allocators, reconstructions, steps] = SIZES;
    assert!(count <= models * allocators * reconstructions * steps);
    (0..count).map(move |case| {
        let (step, rest) = (case % steps, case / steps);
        let (reconstruction, rest) = (rest % reconstructions, rest / reconstructions);
        [rest / allocators, rest % allocators, reconstruction, step]
    })
}

/// Returns the sparsity of a step.
pub(crate) fn sparsity(step: usize) -> f64 {
    (5 + step) as f64 / 10.0
}

/// Returns the name of a model.
pub(crate) fn name_of_model(model: usize) -> String {
    format!("resnet20(relocate=jitter,reach={})", model + 1)
}

/// Returns the name of an allocator.
pub(crate) fn name_of_allocator(allocator: usize) -> String {
    format!("erk(power=0.{})", allocator + 1)
}

/// Returns the name of a reconstruction.
pub(crate) fn name_of_reconstruction(reconstruction: usize) -> String {
    format!(
        "block-sparse-weight+bias-adam(lr=0.0{})",
        reconstruction + 1
    )
}
