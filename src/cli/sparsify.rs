//! `ptsbench sparsify`.

use super::CliError;
use super::help;
use super::output::{Format, check_output, write};
use super::subject::{CalibrationArgs, MemoryArg, SubjectArgs, TaskArg, positive, sparsity};
use crate::case::{Case, Fold, Settings};
use crate::data::DataSpec;
use crate::harness::{Console, listen};
use crate::record::Record;
use crate::registry::Spec;
use crate::weights::write_safetensors;
use clap::Args;
use std::path::PathBuf;

/// Runs the whole pipeline on a checkpoint and writes the sparse one.
#[derive(Debug, Args)]
#[command(after_help = help::sparsify())]
pub(super) struct Sparsify {
    #[command(flatten)]
    subject: SubjectArgs,
    #[arg(long, value_name = "DATA", help = help::data("Calibration and test data"))]
    data: DataSpec,
    #[command(flatten)]
    task: TaskArg,
    /// The allocator, see below
    #[arg(long)]
    allocator: Spec,
    /// The reconstruction, see below
    #[arg(long)]
    reconstruction: String,
    /// The share of all prunable weights to be pruned, in [0, 1)
    #[arg(long, value_parser = sparsity)]
    sparsity: f64,
    /// Steps of gradient descent a unit
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = positive)]
    iterations: usize,
    #[command(flatten)]
    calibration: CalibrationArgs,
    #[command(flatten)]
    memory: MemoryArg,
    /// Whether batch norms are folded before or after allocation
    #[arg(long, value_enum, default_value = "before-allocation")]
    fold: Fold,
    /// Measure only the first N test images
    #[arg(long, value_name = "N", value_parser = positive)]
    limit: Option<usize>,
    /// The sparse checkpoint to write (.safetensors), under the original parameter names
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Overwrite the output
    #[arg(long)]
    force: bool,
    /// How to write the record
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Sparsify {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        if self.output.exists() && !self.force {
            return Err(CliError::Exists(self.output.clone()));
        }
        let case = self.case()?;
        check_output(&self.output, "--output")?;
        let engine = self.subject.engine()?.with_memory(self.memory.bytes());
        listen()?;
        let watcher = Console::new().watch("sparsify");
        let outcome = engine.run(&case, self.subject.allow(), &watcher)?;
        drop(watcher);
        let checkpoint = engine.checkpoint(&self.subject.weights)?;
        let tensors = outcome.checkpoint.iter();
        let named = tensors.map(|(name, tensor)| (name.as_str(), tensor));
        write_safetensors(&self.output, named, checkpoint.metadata())?;
        write(self.format, &outcome.record, text)
    }

    fn case(&self) -> Result<Case, CliError> {
        let settings = Settings {
            iterations: self.iterations,
            fold: self.fold,
            limit: self.limit,
            ..self.calibration.settings()
        };
        let techniques = (&self.allocator, self.reconstruction.as_str(), self.sparsity);
        self.subject
            .case("sparsify", (&self.task, &self.data), techniques, settings)
    }
}

fn text(record: &Record) -> String {
    let mut lines: Vec<String> = record
        .metrics
        .iter()
        .map(|(name, m)| format!("{name}: dense {:.2}, sparse {:.2}", m.dense, m.sparse))
        .collect();
    lines.push(format!("{:.4} % pruned", 100.0 * record.sparsity.achieved));
    lines.extend(record.notes.iter().map(|note| format!("note: {note}")));
    lines.push(format!("{:.1} s", record.seconds.total));
    lines.join("\n")
}
