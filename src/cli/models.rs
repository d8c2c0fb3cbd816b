//! `ptsbench models`.

use super::CliError;
use super::output::{Format, write};
use crate::graph::GRANULARITIES;
use crate::models::{self, Card, ModelError, Preprocessing};
use crate::registry::Spec;
use clap::Args;
use serde::Serialize;

const AFTER_HELP: &str = "\
Licences and sizes of images are those of the published checkpoint; the JSON form also says where it is, and the mean and
standard deviation of its images.

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
    card: Card,
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
        card: model.card,
    })
}

fn text(lines: &[Line]) -> String {
    let heading = format!(
        "{:32} {:17} {:16} {:>12} {:>14} {:>7} {:>7}  {:14} {:18} {}",
        "name",
        "family",
        "task",
        "parameters",
        "macs",
        "layers",
        "blocks",
        "license",
        "resize/crop",
        "input"
    );
    let rows = lines.iter().map(|line| {
        format!(
            "{:32} {:17} {:16} {:>12} {:>14} {:>7} {:>7}  {:14} {:18} {:?}",
            line.name,
            line.family,
            line.task,
            line.parameters,
            line.macs,
            line.prunable_layers,
            line.blocks,
            line.card.license.unwrap_or("-").replace(' ', "-"),
            images(&line.card.preprocessing),
            line.input
        )
    });
    std::iter::once(heading)
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Writes how images are expected as one word.
fn images(expected: &Preprocessing) -> String {
    let Preprocessing {
        fit, interpolation, ..
    } = expected;
    format!("{fit}/{interpolation}")
}
