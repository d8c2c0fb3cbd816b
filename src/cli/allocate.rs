//! `ptsbench allocate`.

use super::CliError;
use super::help;
use super::output::{Format, write};
use super::subject::{CalibrationArgs, SubjectArgs, TaskArg, sparsity};
use crate::allocate::{ALLOCATORS, Allocation, Calibrate, Evidence, LayerRate};
use crate::case::{Fold, Settings};
use crate::data::DataSpec;
use crate::harness::{Console, listen};
use crate::pipeline::Samples;
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
    #[arg(long, value_name = "DATA", help = help::data("Data, from which classes, image size and calibration images are taken"))]
    data: Option<DataSpec>,
    #[command(flatten)]
    task: TaskArg,
    #[command(flatten)]
    calibration: CalibrationArgs,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence>,
}

#[derive(Debug, Serialize)]
struct Sparsity {
    target: f64,
    achieved: f64,
}

impl Allocate {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let allocator = ALLOCATORS.build(&self.allocator)?;
        if allocator.needs_data() && self.data.is_none() {
            return Err(CliError::Usage(format!(
                "allocator `{}` looks at calibration images, name some with `--data`",
                self.allocator
            )));
        }
        let engine = self.subject.engine()?;
        let subject = self.subject.load(&engine, self.data.as_ref())?;
        listen()?;
        let watcher = Console::new().watch("allocate");
        let settings = Settings {
            fold: self.fold,
            ..self.calibration.settings()
        };
        let techniques = (&self.allocator, "none", self.sparsity);
        let case = self
            .data
            .as_ref()
            .map(|data| (&self.task, data))
            .map(|from| self.subject.case("allocate", from, techniques, settings));
        let case = case.transpose()?;
        let samples = case
            .as_ref()
            .map(|case| Samples::new(&engine, case, &subject, &watcher));
        let data = samples.as_ref().map(|samples| samples as &dyn Calibrate);
        let allocation =
            engine.allocate(&subject, allocator.as_ref(), self.sparsity, self.fold, data)?;
        drop(samples);
        drop(watcher);
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
            evidence: allocation.evidence,
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
