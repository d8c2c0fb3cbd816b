//! `ptsbench run`: many cases side by side.

use super::{Console, Failure, Folders, Harness, chain, interrupted};
use crate::case::Case;
use crate::record::{Failed, Ignored, RunSummary, Store, StoreError};
use crate::suite::{Entry, Suite};
use candle_core::Device;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where results go.
    pub folders: Folders,
    /// How many cases run side by side.
    pub jobs: usize,
    /// Whether stored records are computed anew.
    pub force: bool,
    /// Parts of case ids; a case runs if its id holds any of them, or if there are none.
    pub filters: Vec<String>,
}

/// How a run went.
#[derive(Debug, Default)]
pub struct Report {
    /// Cases computed.
    pub computed: usize,
    /// Cases whose record was there already.
    pub resumed: usize,
    /// Cases that failed.
    pub failed: Vec<Failed>,
    /// Cases that cannot run here.
    pub ignored: Vec<Ignored>,
    /// Cases not done because the program was asked to stop.
    pub left: usize,
}

impl Options {
    fn selects(&self, entry: &Entry) -> bool {
        let id = entry.case.spec.id();
        self.filters.is_empty() || self.filters.iter().any(|filter| id.contains(filter))
    }
}

/// Runs the selected cases of `suites`, and stores what became of them.
///
/// # Errors
/// [`StoreError`] where the summary cannot be written; records that cannot be written fail their case.
pub fn run(
    suites: &[Suite],
    device: &Device,
    options: &Options,
    console: &Console,
) -> Result<Report, StoreError> {
    let entries: Vec<&Entry> = suites
        .iter()
        .flat_map(|suite| &suite.entries)
        .filter(|entry| options.selects(entry))
        .collect();
    let cases: Vec<&Case> = entries
        .iter()
        .filter(|entry| entry.ignored.is_none())
        .map(|entry| &entry.case)
        .collect();
    let jobs = options.jobs.clamp(1, cases.len().max(1));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let harness = Harness::new(
        device.clone(),
        &options.folders,
        options.force,
        cores / jobs,
    );
    console.start(cases.len());
    let mut report = side_by_side(&cases, jobs, &harness, console);
    console.finish();
    report.ignored = entries.iter().filter_map(|entry| ignored(entry)).collect();
    if options.filters.is_empty() {
        store_summaries(suites, &report, &options.folders)?;
    }
    Ok(report)
}

fn side_by_side(cases: &[&Case], jobs: usize, harness: &Harness, console: &Console) -> Report {
    let next = AtomicUsize::new(0);
    let report = Mutex::new(Report::default());
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let id = case.spec.id();
                    let result = if interrupted() {
                        None
                    } else {
                        let watcher = console.watch(&id);
                        Some(harness.run(case, &watcher))
                    };
                    let mut report = report.lock().expect("no case panics here");
                    report.add(&id, result, console);
                }
            });
        }
    });
    report.into_inner().expect("no case panics here")
}

impl Report {
    fn add(&mut self, id: &str, result: Option<Result<super::Done, Failure>>, console: &Console) {
        match result {
            Some(Ok(done)) => {
                if done.resumed {
                    self.resumed += 1;
                } else {
                    self.computed += 1;
                }
                console.passed(&done);
            }
            Some(Err(failure)) if !interrupted() => {
                let message = chain(&failure);
                console.failed(id, &message);
                self.failed.push(Failed {
                    case: id.to_owned(),
                    message,
                });
            }
            _ => self.left += 1,
        }
    }
}

fn ignored(entry: &Entry) -> Option<Ignored> {
    entry.ignored.as_ref().map(|reason| Ignored {
        case: entry.case.spec.id(),
        reason: reason.clone(),
    })
}

fn store_summaries(suites: &[Suite], report: &Report, folders: &Folders) -> Result<(), StoreError> {
    let store = Store::new(folders.results());
    let mut summaries: BTreeMap<&str, RunSummary> = BTreeMap::new();
    for suite in suites {
        let summary = RunSummary {
            suite: suite.name.clone(),
            ..RunSummary::default()
        };
        summaries.insert(&suite.name, summary);
    }
    let suite_of = |case: &str| case.split("::").next().unwrap_or_default().to_owned();
    for ignored in &report.ignored {
        if let Some(summary) = summaries.get_mut(suite_of(&ignored.case).as_str()) {
            summary.ignored.push(ignored.clone());
        }
    }
    for failed in &report.failed {
        if let Some(summary) = summaries.get_mut(suite_of(&failed.case).as_str()) {
            summary.failed.push(failed.clone());
        }
    }
    summaries.values().try_for_each(|s| store.save_summary(s))
}
