//! `ptsbench report`.

use super::CliError;
use crate::harness::{publish, publish_accepted};
use crate::suite;
use clap::Args;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  ptsbench report --results shared/results --out public
  ptsbench report --results reports          all of reports/seed0/results, reports/seed1/results, ...: means over seeds
  ptsbench report --accepted --out public    what the goldens hold, without a run";

/// Renders the leaderboard from stored records, or from goldens.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Report {
    /// The folder of records, or a folder of runs (`*/results`) that differ in their seeds
    #[arg(long, value_name = "DIR", default_value = "reports/results")]
    results: PathBuf,
    /// The folder of goldens
    #[arg(long, value_name = "DIR", default_value = "golden")]
    golden: PathBuf,
    /// Render the goldens instead of records
    #[arg(long, conflicts_with = "results")]
    accepted: bool,
    /// The suite whose goldens are rendered, by name or path; may be given more than once
    #[arg(
        long = "suite",
        value_name = "NAME",
        default_value = "default",
        requires = "accepted"
    )]
    suites: Vec<String>,
    /// The folder of the pages
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
}

impl Report {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let page = if self.accepted {
            let suites = suite::load("suites".as_ref(), &self.suites)?;
            publish_accepted(&suites, &self.golden, &self.out)?
        } else {
            publish(&self.results, &self.golden, &self.out)?
        };
        eprintln!("wrote {}", page.display());
        Ok(())
    }
}
