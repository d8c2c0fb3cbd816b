//! From stored records, or from goldens, to the leaderboard.

use super::chain;
use crate::case::CaseError;
use crate::golden::{self, Drift};
use crate::leaderboard::{self, Input, Origin};
use crate::pipeline::Engine;
use crate::record::{Ignored, Loaded, Record, RunSummary, Scale, StoreError, load_runs};
use crate::suite::Suite;
use candle_core::Device;
use std::path::{Path, PathBuf};

/// A leaderboard that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The records cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A model cannot be had whose layers are to be shown.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The pages cannot be written.
    #[error(transparent)]
    Leaderboard(#[from] leaderboard::WriteError),
}

/// Reads the records below `results`, see [`load_runs`]. Those that cannot be used are named on stderr.
///
/// # Errors
/// [`StoreError`] where the folder cannot be read.
pub fn load(results: &Path) -> Result<Loaded, StoreError> {
    let loaded = load_runs(results)?;
    for problem in &loaded.problems {
        eprintln!("warning: {}", chain(problem));
    }
    Ok(loaded)
}

/// Renders the pages below `out` from the records below `results` ([`load`]) and the goldens below `golden`, as far as there are any, and
/// returns the path of the first page.
///
/// # Errors
/// [`PublishError`].
pub fn publish(results: &Path, golden: &Path, out: &Path) -> Result<PathBuf, PublishError> {
    let loaded = load(results)?;
    let input = Input {
        drift: &drift(&loaded.records, golden),
        loaded: &loaded,
        origin: Origin::Runs,
    };
    Ok(leaderboard::write(&input, out)?)
}

/// Compares the records of the lowest seeds with their goldens, in suites that have any.
fn drift(records: &[Record], golden: &Path) -> Vec<Drift> {
    let mut found: Vec<Drift> = Vec::new();
    for record in records {
        let first = found.last().is_none_or(|drift| drift.case != record.case);
        if first && golden.join(&record.suite).is_dir() {
            found.push(Drift::of(record, golden, Scale::of));
        }
    }
    found
}

/// Renders the pages below `out` from the goldens of `suites` below `golden`, and returns the path of the first page. Cases without a golden
/// are listed as ignored.
///
/// # Errors
/// [`PublishError`].
pub fn publish_accepted(
    suites: &[Suite],
    golden: &Path,
    out: &Path,
) -> Result<PathBuf, PublishError> {
    let engine = Engine::new(Device::Cpu, None);
    let mut loaded = Loaded::default();
    for suite in suites {
        let mut summary = RunSummary {
            suite: suite.name.clone(),
            ..RunSummary::default()
        };
        for entry in &suite.entries {
            let ignored = match &entry.ignored {
                Some(reason) => Some(reason.clone()),
                None => match golden::accepted(engine.outline(&entry.case)?, golden) {
                    Ok(record) => {
                        loaded.records.push(record);
                        None
                    }
                    Err(error) => Some(chain(&error)),
                },
            };
            summary.ignored.extend(ignored.map(|reason| Ignored {
                case: entry.case.spec.id(),
                reason,
            }));
        }
        loaded.summaries.push(summary);
    }
    loaded.records.sort_by(|a, b| a.case.cmp(&b.case));
    let input = Input {
        loaded: &loaded,
        drift: &[],
        origin: Origin::Goldens,
    };
    Ok(leaderboard::write(&input, out)?)
}
