//! `ptsbench compare`.

use super::CliError;
use super::output::emit;
use crate::harness::{chain, scale};
use crate::record::{Record, Store, Verdict, compare};
use clap::Args;
use std::path::{Path, PathBuf};

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
        let comparison = compare(&load(&self.a)?, &load(&self.b)?, scale);
        emit(&comparison.to_string())?;
        match comparison.of(Verdict::Worse).count() {
            0 => Ok(()),
            worse => Err(CliError::Failed(format!("{worse} results got worse"))),
        }
    }
}

fn load(folder: &Path) -> Result<Vec<Record>, CliError> {
    let loaded = Store::new(folder).load_all()?;
    for problem in &loaded.problems {
        eprintln!("warning: {}", chain(problem));
    }
    Ok(loaded.records)
}
