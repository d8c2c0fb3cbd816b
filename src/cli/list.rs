//! `ptsbench list`.

use super::CliError;
use super::output::{Format, write};
use crate::suite::{self, Suite};
use clap::Args;
use serde::Serialize;

const AFTER_HELP: &str = "\
Examples:
  ptsbench list --suite default | wc -l
  ptsbench list --format json";

/// Lists cases without loading weights or data.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct List {
    /// A suite by name or path; all suites if absent
    #[arg(long = "suite", value_name = "NAME")]
    suites: Vec<String>,
    /// How to write the list
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Line {
    case: String,
    suite: String,
    ignored: Option<String>,
}

impl List {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let suites = suite::load("suites".as_ref(), &self.suites)?;
        let lines: Vec<Line> = suites.iter().flat_map(lines).collect();
        write(self.format, &lines, |lines| {
            let text = lines.iter().map(|line| match &line.ignored {
                None => line.case.clone(),
                Some(reason) => format!("{}  (ignored: {reason})", line.case),
            });
            text.collect::<Vec<_>>().join("\n")
        })
    }
}

fn lines(suite: &Suite) -> impl Iterator<Item = Line> {
    suite.entries.iter().map(|entry| Line {
        case: entry.case.spec.id(),
        suite: suite.name.clone(),
        ignored: entry.ignored.clone(),
    })
}
