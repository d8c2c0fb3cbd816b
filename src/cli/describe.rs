//! `ptsbench describe`.

use super::CliError;
use super::output::{Format, write};
use crate::graph::Description;
use crate::models;
use crate::registry::Spec;
use clap::Args;

const AFTER_HELP: &str = "\
Examples:
  ptsbench describe resnet20
  ptsbench describe 'resnet20(num_classes=100)' --format json";

/// Shows a model without running it.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Describe {
    /// The model; parameters may be overridden: `vit_tiny_patch16_224(depth=6)`
    model: Spec,
    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Describe {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let model = models::build(&self.model)?;
        let description = Description::of(&model.graph);
        write(self.format, &description, ToString::to_string)
    }
}
