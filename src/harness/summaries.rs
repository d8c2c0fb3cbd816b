//! What a run of whole suites says besides its records.

use crate::case::CaseSpec;
use crate::record::{Failed, Ignored, RunSummary, Store, StoreError};
use crate::suite::Suite;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The summary of each suite of a run, filled by the threads that run cases.
#[derive(Debug)]
pub struct Summaries(Mutex<BTreeMap<String, RunSummary>>);

impl Summaries {
    /// Starts with the cases of `suites` that cannot run here.
    pub fn of(suites: &[Suite]) -> Self {
        let summary = |suite: &Suite| RunSummary {
            suite: suite.name.clone(),
            ignored: suite.entries.iter().filter_map(ignored).collect(),
            failed: Vec::new(),
        };
        let summaries = suites.iter().map(|s| (s.name.clone(), summary(s)));
        Self(Mutex::new(summaries.collect()))
    }

    /// Adds a case that failed.
    pub(super) fn add_failed(&self, case: &CaseSpec, message: &str) {
        let mut summaries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(summary) = summaries.get_mut(&case.suite) {
            summary.failed.push(Failed {
                case: case.id(),
                message: message.to_owned(),
            });
        }
    }

    /// Stores the summaries in place of those of the runs before. Cases are sorted, whichever ended first.
    ///
    /// # Errors
    /// [`StoreError`] where one cannot be written.
    pub fn save(&self, store: &Store) -> Result<(), StoreError> {
        let mut summaries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        summaries.values_mut().try_for_each(|summary| {
            summary.failed.sort_by(|a, b| a.case.cmp(&b.case));
            summary.ignored.sort_by(|a, b| a.case.cmp(&b.case));
            store.save_summary(summary)
        })
    }
}

fn ignored(entry: &crate::suite::Entry) -> Option<Ignored> {
    entry.ignored.as_ref().map(|reason| Ignored {
        case: entry.case.spec.id(),
        reason: reason.clone(),
    })
}
