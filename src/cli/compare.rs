//! `ptsbench compare`.

use super::CliError;
use super::output::emit;
use crate::harness::{load, scale};
use crate::record::{Verdict, compare};
use clap::Args;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Example:
  ptsbench compare before/results after/results";

/// Compares two folders of records.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Compare {
    /// The folder of records before
    a: PathBuf,
    /// The folder of records after
    b: PathBuf,
}

impl Compare {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let comparison = compare(&load(&self.a)?.records, &load(&self.b)?.records, scale);
        emit(&comparison.to_string())?;
        match comparison.of(Verdict::Worse).count() {
            0 => Ok(()),
            worse => Err(CliError::Failed(format!("{worse} results got worse"))),
        }
    }
}
