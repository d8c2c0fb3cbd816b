//! Help that the registries write, so that a new technique needs no line here.

use crate::allocate::ALLOCATORS;
use crate::data::{AUGMENTATIONS, FORMATS};
use crate::graph::GRANULARITIES;
use crate::reconstruct::{CORRECTIONS, SOLVERS};
use crate::registry::Named;

const RECONSTRUCTION: &str = "\
A reconstruction is `none`, or `<granularity>-<dense|sparse>-<correction>-<solver>`: the units that are reconstructed one \
after the other, the network that their inputs come from, what is corrected beforehand, what then adjusts the weights. \
Several of them joined by commas run in turn.";

const SPARSIFY: &str = "\
Examples:
  ptsbench sparsify --model resnet20 --weights resnet20.th --data cifar10:DIR \\
      --allocator erk --reconstruction block-sparse-weight+bias-adam --sparsity 0.8 \\
      --output sparse.safetensors
  ptsbench sparsify --model resnet20 --weights resnet20.th --data cifar10:DIR \\
      --allocator 'erk(power=0.5)' --sparsity 0.9 --calibration 1024 --augment flip \\
      --reconstruction 'single-sparse-none-exact,block-sparse-none-adam(lr=0.001)' \\
      --output sparse.safetensors";

const ALLOCATE: &str = "\
Example:
  ptsbench allocate --model resnet20 --weights resnet20.th \\
      --allocator 'erk(power=0.5)' --sparsity 0.9 --format json";

/// Returns what follows the options of `sparsify`.
pub(super) fn sparsify() -> String {
    let granularities = GRANULARITIES.iter().map(|g| (g.name(), g.summary()));
    let corrections = CORRECTIONS.iter().map(|c| (c.name(), c.summary()));
    let augmentations = AUGMENTATIONS.iter().map(|a| (a.name(), a.summary()));
    let solvers = SOLVERS.iter().map(|s| (s.name(), s.summary()));
    [
        allocators(),
        RECONSTRUCTION.to_owned(),
        table("Granularities", granularities),
        table("Corrections", corrections),
        table("Solvers", solvers),
        table("Augmentations", augmentations),
        SPARSIFY.to_owned(),
    ]
    .join("\n\n")
}

/// Returns what follows the options of `allocate`.
pub(super) fn allocate() -> String {
    [allocators(), ALLOCATE.to_owned()].join("\n\n")
}

/// Returns the help of an option that takes data.
pub(super) fn data(purpose: &str) -> String {
    let formats = FORMATS.iter();
    let forms: Vec<String> = formats
        .map(|format| format!("`{}:{}`", format.name(), format.argument()))
        .collect();
    format!("{purpose}: {}", forms.join(", "))
}

fn allocators() -> String {
    table(
        "Allocators",
        ALLOCATORS.iter().map(|a| (a.name(), a.summary())),
    )
}

fn table<'a>(title: &str, rows: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let rows = rows.map(|(name, summary)| format!("  {name:12} {summary}"));
    std::iter::once(format!("{title}:"))
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}
