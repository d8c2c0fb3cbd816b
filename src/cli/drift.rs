//! `ptsbench drift`.

use super::CliError;
use super::output::Shape;
use crate::golden::{self, Deviation};
use crate::harness::load;
use crate::record::Scale;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Example:
  ptsbench drift --format markdown >> \"$GITHUB_STEP_SUMMARY\"";

/// Shows how far stored records have drifted from their goldens, those nearest to failing first.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Drift {
    /// The folder of records
    #[arg(long, value_name = "DIR", default_value = "reports/results")]
    results: PathBuf,
    /// The folder of goldens
    #[arg(long, value_name = "DIR", default_value = "golden")]
    golden: PathBuf,
    /// Cases that are within their tolerances and shown, the nearest to failing ones; all others always are
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Shape,
}

#[derive(Debug, Serialize)]
struct Document {
    within: usize,
    failing: usize,
    missing: usize,
    cases: Vec<Row>,
}

/// A case with its number that is nearest to failing.
#[derive(Debug, Serialize)]
struct Row {
    case: String,
    /// The part of the tolerance that is used up; nothing where that is no number.
    share: Option<f64>,
    /// Nothing where there is no golden.
    tightest: Option<Deviation>,
    /// What is wrong with the golden.
    problem: Option<String>,
    #[serde(skip)]
    missing: bool,
}

impl Drift {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let records = load(&self.results)?.records;
        let drift = records
            .iter()
            .map(|record| golden::Drift::of(record, &self.golden, Scale::of));
        let rows = drift.map(|drift| Row::new(&drift)).collect();
        let document = Document::new(rows, self.top);
        self.format
            .write(&document, Document::text, Document::markdown)?;
        match document.failing + document.missing {
            0 => Ok(()),
            bad => Err(CliError::Failed(format!(
                "{bad} cases disagree with their goldens"
            ))),
        }
    }
}

impl Row {
    fn new(drift: &golden::Drift) -> Self {
        let share = Some(drift.share()).filter(|share| share.is_finite());
        Self {
            case: drift.case.clone(),
            share,
            tightest: drift.tightest().cloned(),
            missing: drift.is_missing(),
            problem: drift.problem(),
        }
    }

    fn is_within(&self) -> bool {
        self.share.is_some_and(|share| share <= 1.0)
    }

    /// Returns the cells of its line: share, quantity, golden, new value, tolerance.
    fn cells(&self) -> [String; 5] {
        let number = |value: Option<f64>| value.map_or("absent".to_owned(), |v| format!("{v:.4}"));
        let share = match self.share {
            Some(share) => format!("{:.0} %", 100.0 * share),
            None => "-".to_owned(),
        };
        match (&self.tightest, &self.problem) {
            (Some(it), _) => [
                share,
                it.name.clone(),
                number(it.golden),
                number(it.new),
                number(Some(it.allowed)),
            ],
            (None, problem) => {
                let why = problem.clone().unwrap_or_default();
                [share, why, String::new(), String::new(), String::new()]
            }
        }
    }
}

impl Document {
    /// Puts the worst first, and keeps `top` of those that are within their tolerances.
    fn new(mut rows: Vec<Row>, top: usize) -> Self {
        let order = |row: &Row| row.share.unwrap_or(f64::INFINITY);
        rows.sort_by(|a, b| order(b).total_cmp(&order(a)));
        let (mut within, mut missing) = (0, 0);
        let all = rows.len();
        rows.retain(|row| {
            within += usize::from(row.is_within());
            missing += usize::from(row.missing);
            !row.is_within() || within <= top
        });
        Self {
            within,
            missing,
            failing: all - within - missing,
            cases: rows,
        }
    }

    fn headline(&self) -> String {
        format!(
            "{} cases within their tolerances, {} beyond, {} without a golden",
            self.within, self.failing, self.missing
        )
    }

    fn text(&self) -> String {
        let lines = self.cases.iter().map(|row| {
            let [share, name, golden, new, allowed] = row.cells();
            format!(
                "{share:>7}  {}\n         {name}: {golden} -> {new}, {allowed} allowed",
                row.case
            )
        });
        let lines: Vec<String> = std::iter::once(self.headline()).chain(lines).collect();
        lines.join("\n")
    }

    fn markdown(&self) -> String {
        let line = |row: &Row| {
            let [share, rest @ ..] = row.cells().map(|cell| cell.replace('|', "\\|"));
            let mark = if row.is_within() { "" } else { "**" };
            let case = row.case.replace('|', "\\|");
            let rest = rest.join(" | ");
            format!("| {mark}{share}{mark} | `{case}` | {rest} |\n")
        };
        let lines: String = self.cases.iter().map(line).collect();
        format!(
            "### Goldens\n\n{}.\n\n\
            | tolerance used | case | quantity | golden | new | allowed |\n\
            | ---: | --- | --- | ---: | ---: | ---: |\n{lines}",
            self.headline()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(case: &str, numbers: Option<[f64; 2]>) -> Row {
        let tightest = numbers.map(|[golden, new]| Deviation {
            name: "top1 sparse".to_owned(),
            golden: Some(golden),
            new: Some(new),
            allowed: 0.5,
        });
        Row {
            case: case.to_owned(),
            share: tightest.as_ref().map(Deviation::share),
            problem: tightest.is_none().then(|| "no golden".to_owned()),
            missing: tightest.is_none(),
            tightest,
        }
    }

    #[test]
    fn the_worst_come_first_and_the_best_are_left_out() {
        let rows = vec![
            row("equal", Some([70.0, 70.0])),
            row("near", Some([70.0, 70.4])),
            row("beyond", Some([70.0, 69.0])),
            row("new|one", None),
        ];
        let document = Document::new(rows, 1);
        assert_eq!(
            document.headline(),
            "2 cases within their tolerances, 1 beyond, 1 without a golden"
        );
        let text = document.markdown();
        let lines: Vec<&str> = text.lines().skip(6).collect();
        let expected = [
            "| **-** | `new\\|one` | no golden |  |  |  |",
            "| **200 %** | `beyond` | top1 sparse | 70.0000 | 69.0000 | 0.5000 |",
            "| 80 % | `near` | top1 sparse | 70.0000 | 70.4000 | 0.5000 |",
        ];
        assert_eq!(lines, expected);
    }
}
