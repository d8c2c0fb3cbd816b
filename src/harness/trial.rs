//! Cases as tests of libtest-mimic.

use super::{Harness, Summaries, chain};
use crate::progress::Progress;
use crate::suite::{Entry, Suite};
use libtest_mimic::{Failed, Trial};
use std::sync::Arc;

/// Returns one test a case, named by its id. What cannot run here is marked as ignored when it is listed.
/// Failures are added to `summaries`.
pub fn trials(
    suites: Vec<Suite>,
    harness: &Arc<Harness>,
    summaries: &Arc<Summaries>,
) -> Vec<Trial> {
    suites
        .into_iter()
        .flat_map(|suite| suite.entries)
        .map(|entry| trial(entry, harness.clone(), summaries.clone()))
        .collect()
}

fn trial(entry: Entry, harness: Arc<Harness>, summaries: Arc<Summaries>) -> Trial {
    let Entry { case, ignored } = entry;
    let (id, absent) = (case.spec.id(), ignored.is_some());
    let run = move || match ignored {
        Some(reason) => Err(Failed::from(reason)),
        None => match harness.run(&case, &() as &dyn Progress) {
            Ok(_) => Ok(()),
            Err(failure) => {
                let message = chain(&failure);
                summaries.add_failed(&case.spec, &message);
                Err(Failed::from(message))
            }
        },
    };
    Trial::test(id, run).with_ignored_flag(absent)
}
