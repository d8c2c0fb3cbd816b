//! `ptsbench allocate`.

use super::CliError;
use super::help;
use super::output::{Format, write};
use super::subject::{SubjectArgs, sparsity};
use crate::allocate::{ALLOCATORS, Allocation, LayerRate};
use crate::case::Fold;
use crate::data::DataSpec;
use crate::registry::Spec;
use clap::Args;
use serde::Serialize;

/// Shares out a sparsity over the layers of a checkpoint.
#[derive(Debug, Args)]
#[command(after_help = help::allocate())]
pub(super) struct Allocate {
    #[command(flatten)]
    subject: SubjectArgs,
    /// The allocator, see below; parameters as in `erk(power=0.5)`
    #[arg(long)]
    allocator: Spec,
    /// The share of all prunable weights to be pruned, in [0, 1)
    #[arg(long, value_parser = sparsity)]
    sparsity: f64,
    #[arg(long, value_name = "DATA", help = help::data("Data, from which classes and image size are taken"))]
    data: Option<DataSpec>,
    /// Whether batch norms are folded before or after allocation; `sparsify` and suites fold before unless told
    /// otherwise, this table shows the checkpoint as it is
    #[arg(long, value_enum, default_value = "after-allocation")]
    fold: Fold,
    /// How to write the allocation
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Document {
    model: String,
    allocator: String,
    sparsity: Sparsity,
    layers: Vec<LayerRate>,
}

#[derive(Debug, Serialize)]
struct Sparsity {
    target: f64,
    achieved: f64,
}

impl Allocate {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let allocator = ALLOCATORS.build(&self.allocator)?;
        let engine = self.subject.engine()?;
        let subject = self.subject.load(&engine, self.data.as_ref())?;
        let allocation = engine.allocate(&subject, allocator.as_ref(), self.sparsity, self.fold)?;
        write(self.format, &self.document(allocation), text)
    }

    fn document(&self, allocation: Allocation) -> Document {
        Document {
            model: self.subject.model.to_string(),
            allocator: self.allocator.to_string(),
            sparsity: Sparsity {
                target: allocation.target,
                achieved: allocation.achieved(),
            },
            layers: allocation.layers,
        }
    }
}

fn text(document: &Document) -> String {
    let width = document
        .layers
        .iter()
        .map(|l| l.name.len())
        .max()
        .unwrap_or(0);
    let mut lines = vec![format!(
        "{:width$} {:>10} {:>10} {:>9}",
        "layer", "weights", "pruned", "sparsity"
    )];
    lines.extend(document.layers.iter().map(|layer| {
        let percent = 100.0 * layer.sparsity;
        format!(
            "{:width$} {:>10} {:>10} {percent:>8.2}%",
            layer.name, layer.numel, layer.pruned
        )
    }));
    lines.push(format!(
        "in all {:.4} % pruned",
        100.0 * document.sparsity.achieved
    ));
    lines.join("\n")
}
