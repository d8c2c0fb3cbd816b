//! `ptsbench report`.

use super::CliError;
use crate::harness::publish;
use clap::Args;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Example:
  ptsbench report --results shared/results --out public";

/// Renders the leaderboard from stored records.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Report {
    /// The folder of records
    #[arg(long, value_name = "DIR", default_value = "reports/results")]
    results: PathBuf,
    /// The folder of the page
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
}

impl Report {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let page = publish(&self.results, &self.out)?;
        eprintln!("wrote {}", page.display());
        Ok(())
    }
}
