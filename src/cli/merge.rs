//! `ptsbench merge`.

use super::CliError;
use super::output::{Format, write};
use crate::harness::chain;
use crate::record::{Double, Fate, Gap, Join, roots};
use crate::suite;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const AFTER_HELP: &str = "\
Records of the same case and seed that differ in nothing but times, memory and the machine are one result. Where they differ in more,
the first one counts, and both are named. What lies in `--out` already comes first, so that a merge can be repeated when more is there.
Exits with 1 if a case is missing or has failed, if there is a conflict, or if a file cannot be used.

Examples:
  ptsbench merge runs --suite paper/track1-allocation --out merged      all of runs/*/results
  ptsbench merge reports/a reports/b --out reports/all";

/// Joins the records of several runs into one folder.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Merge {
    /// Folders of runs: each what `--out` of a run named, or a folder of such folders
    #[arg(value_name = "DIR", required = true)]
    runs: Vec<PathBuf>,
    /// The folder for the joint records, in `results`, or in `seed0/results` and so on if any case has several seeds
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A suite by name or path that should be complete; may be given more than once. None is looked at for gaps if absent
    #[arg(long = "suite", value_name = "NAME")]
    suites: Vec<String>,
    /// How to write what was found
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Document<'a> {
    records: usize,
    /// Records that say again what another one says.
    doubled: usize,
    conflicts: Vec<&'a Double>,
    /// Cases without a record.
    gaps: Vec<Gap>,
    /// Files that cannot be used, and why.
    unusable: Vec<String>,
}

impl Merge {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let suites = match &self.suites[..] {
            [] => Vec::new(),
            names => suite::load("suites".as_ref(), names)?,
        };
        let join = self.join()?;
        let document = Document {
            records: join.records().count(),
            doubled: join.doubles().iter().filter(|d| !d.is_conflict()).count(),
            conflicts: join.doubles().iter().filter(|d| d.is_conflict()).collect(),
            gaps: suites.iter().flat_map(|suite| join.gaps(suite)).collect(),
            unusable: join.problems().iter().map(|p| chain(p)).collect(),
        };
        let results = join.save(&self.out)?;
        write(self.format, &document, Document::text)?;
        if suites.is_empty() {
            eprintln!("add `--suite` to see whether any case is missing");
        }
        eprintln!(
            "wrote {0}, see `ptsbench report --results {0}`",
            results.display()
        );
        document.verdict()
    }

    /// Reads what lies in `--out`, and then the runs, each folder once.
    fn join(&self) -> Result<Join, CliError> {
        let out = Some(&self.out).filter(|out| out.is_dir());
        let folders = out.into_iter().chain(&self.runs);
        let mut join = Join::default();
        let mut seen = Vec::new();
        for root in folders.flat_map(|folder| roots(folder)) {
            let place = root.canonicalize().unwrap_or_else(|_| root.clone());
            if !seen.contains(&place) {
                seen.push(place);
                join.add(&root)?;
            }
        }
        Ok(join)
    }
}

impl Document<'_> {
    fn count(&self, fate: fn(&Fate) -> bool) -> usize {
        self.gaps.iter().filter(|gap| fate(&gap.fate)).count()
    }

    fn missing(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Missing))
    }

    fn failed(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Failed(_)))
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} records, {} doubled, {} in conflict; {} missing, {} failed, {} ignored; {} files unusable\n",
            self.records,
            self.doubled,
            self.conflicts.len(),
            self.missing(),
            self.failed(),
            self.count(|fate| matches!(fate, Fate::Ignored(_))),
            self.unusable.len(),
        );
        let quoted = |path: &Path| format!("`{}`", path.display());
        for Double {
            case,
            seed,
            first,
            second,
            differs,
        } in &self.conflicts
        {
            let (first, second, fields) = (quoted(first), quoted(second), differs.join(", "));
            let _ = writeln!(
                text,
                "conflict  {case}, seed {seed}\n  {first} counts; {second} differs in {fields}"
            );
        }
        for Gap { case, seed, fate } in &self.gaps {
            let seed = seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
            let (word, why) = match fate {
                Fate::Missing => ("missing ", ""),
                Fate::Failed(why) => ("failed  ", &**why),
                Fate::Ignored(why) => ("ignored ", &**why),
            };
            let _ = writeln!(text, "{word}  {case}{seed}");
            for line in why.lines() {
                let _ = writeln!(text, "  {line}");
            }
        }
        for problem in &self.unusable {
            let _ = writeln!(text, "unusable  {problem}");
        }
        text
    }

    fn verdict(&self) -> Result<(), CliError> {
        let bad = [
            (self.missing(), "cases are missing"),
            (self.failed(), "cases failed"),
            (self.conflicts.len(), "records are in conflict"),
            (self.unusable.len(), "files cannot be used"),
        ];
        let bad = bad.into_iter().filter(|(count, _)| *count > 0);
        let bad: Vec<String> = bad.map(|(count, what)| format!("{count} {what}")).collect();
        match &bad[..] {
            [] => Ok(()),
            bad => Err(CliError::Failed(bad.join(", "))),
        }
    }
}
