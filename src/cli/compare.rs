//! `ptsbench compare`.

use super::CliError;
use super::output::Shape;
use crate::atomic;
use crate::harness::load;
use crate::leaderboard;
use crate::record::{Comparison, Scale, Verdict, compare};
use clap::Args;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
A change counts if it is larger than the metric's tolerance and, where both sides have several seeds, than twice the standard error of the
difference of the means. Exits with 1 if anything got worse.

Examples:
  ptsbench compare before/results after/results
  ptsbench compare before after                     runs of several seeds: before/*/results, after/*/results
  ptsbench compare before after --html change.html
  ptsbench compare before after --format markdown >> \"$GITHUB_STEP_SUMMARY\"";

/// Compares two folders of records.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Compare {
    /// The folder of records, or of runs that differ in their seeds, before
    a: PathBuf,
    /// The same after
    b: PathBuf,
    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Shape,
    /// Write it as a page, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Compare {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let [a, b] = [&self.a, &self.b];
        let comparison = compare(&load(a)?.records, &load(b)?.records, Scale::of);
        if let Some(path) = &self.html {
            let names = [a, b].map(|path| path.display().to_string());
            let page = leaderboard::difference(&comparison, &names);
            let written = atomic::write_with(path, |file| file.write_all(page.as_bytes()));
            written.map_err(CliError::unwritable(path, "--html"))?;
        }
        self.format
            .write(&comparison, Comparison::to_string, Comparison::markdown)?;
        match comparison.of(Verdict::Worse).count() {
            0 => Ok(()),
            worse => Err(CliError::Failed(format!("{worse} results got worse"))),
        }
    }
}
