//! `ptsbench eval`.

use super::CliError;
use super::help;
use super::output::{Format, write};
use super::subject::{SubjectArgs, TaskArg, positive};
use crate::data::DataSpec;
use crate::harness::{Console, listen};
use crate::metrics::Metric;
use crate::pipeline::Companions;
use crate::tasks::{Evaluation, EvaluationRequest, TASKS};
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

const AFTER_HELP: &str = "\
Example:
  ptsbench eval --model resnet20 --weights sparse.safetensors --data cifar10:DIR --limit 2000";

/// Measures a checkpoint on test data.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Eval {
    #[command(flatten)]
    subject: SubjectArgs,
    #[arg(long, value_name = "DATA", help = help::data("The data"))]
    data: DataSpec,
    #[command(flatten)]
    task: TaskArg,
    /// Measure only the first N test images; for generators, draw N images
    #[arg(long, value_name = "N", value_parser = positive)]
    limit: Option<usize>,
    /// Fail on an image that cannot be read, instead of leaving it out
    #[arg(long)]
    strict: bool,
    /// How to write the metrics
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Document {
    model: String,
    data: String,
    samples: usize,
    skipped: usize,
    metrics: Map<String, Value>,
}

/// The images that are named on stderr.
const NAMED: usize = 20;

impl Eval {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let engine = self.subject.engine()?;
        let subject = self.subject.load(&engine, Some(&self.data))?;
        let task = TASKS.build(&self.task.spec(&self.subject.model)?)?;
        let companions = self.task.companions(task.as_ref(), &self.data)?;
        let companions = Companions::load(&engine, &companions, &self.data)?;
        listen()?;
        let watcher = Console::new().watch("eval");
        let weights = &subject.folded;
        let request = EvaluationRequest {
            limit: self.limit,
            strict: self.strict,
            ..EvaluationRequest::default()
        };
        let request = companions.join(&engine, request);
        let evaluation = engine.evaluate(&subject, weights, task.as_ref(), request, &watcher)?;
        drop(watcher);
        report(&evaluation.skipped);
        write(self.format, &self.document(&evaluation), |document| {
            let metrics = evaluation.metrics.iter();
            let value = |(metric, value): &(&Metric, f64)| {
                let text = format!("{} {value:.2} {}", metric.name, metric.unit);
                text.trim_end().to_owned()
            };
            let values: Vec<String> = metrics.map(value).collect();
            let left_out = match document.skipped {
                0 => String::new(),
                skipped => format!(", {skipped} left out"),
            };
            format!(
                "{} on {} samples of {}{left_out}",
                values.join(", "),
                document.samples,
                document.data
            )
        })
    }

    fn document(&self, evaluation: &Evaluation) -> Document {
        let metrics = evaluation.metrics.iter();
        Document {
            model: self.subject.model.to_string(),
            data: self.data.to_string(),
            samples: evaluation.samples,
            skipped: evaluation.skipped.len(),
            metrics: metrics
                .map(|(metric, value)| (metric.name.to_owned(), Value::from(*value)))
                .collect(),
        }
    }
}

/// Names the images that were left out on stderr.
pub(super) fn report(skipped: &[String]) {
    for message in skipped.iter().take(NAMED) {
        eprintln!("left out: {message}");
    }
    if skipped.len() > NAMED {
        eprintln!("... and {} more", skipped.len() - NAMED);
    }
}
