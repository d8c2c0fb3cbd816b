//! `ptsbench models`.

use super::CliError;
use super::output::{Format, write};
use crate::graph::GRANULARITIES;
use crate::models::{self, ModelError};
use crate::registry::Spec;
use clap::Args;
use serde::Serialize;

const AFTER_HELP: &str = "\
Example:
  ptsbench models --format json";

/// Lists the models.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Models {
    /// How to write the list
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    family: &'static str,
    task: &'static str,
    parameters: usize,
    macs: u64,
    prunable_layers: usize,
    blocks: usize,
    input: Vec<usize>,
}

impl Models {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let lines = models::names().map(line).collect::<Result<Vec<_>, _>>()?;
        write(self.format, &lines, |lines| text(lines))
    }
}

fn line(name: &'static str) -> Result<Line, ModelError> {
    let model = models::build(&Spec::plain(name))?;
    let graph = &model.graph;
    let input = graph.inputs().first().map(|id| graph.value(*id));
    let blocks = GRANULARITIES.find("block").map_err(ModelError::from)?;
    Ok(Line {
        name,
        family: model.family,
        task: model.task,
        parameters: graph.parameter_count(),
        macs: graph.macs(),
        prunable_layers: graph.prunable().count(),
        blocks: blocks.units(graph).len(),
        input: input.map_or_else(Vec::new, |value| value.shape.dims().to_vec()),
    })
}

fn text(lines: &[Line]) -> String {
    let heading = format!(
        "{:24} {:14} {:16} {:>12} {:>14} {:>7} {:>7}  {}",
        "name", "family", "task", "parameters", "macs", "layers", "blocks", "input"
    );
    let rows = lines.iter().map(|line| {
        format!(
            "{:24} {:14} {:16} {:>12} {:>14} {:>7} {:>7}  {:?}",
            line.name,
            line.family,
            line.task,
            line.parameters,
            line.macs,
            line.prunable_layers,
            line.blocks,
            line.input
        )
    });
    std::iter::once(heading)
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}
