//! `ptsbench run`: many cases side by side.

use super::{Console, Folders, Harness, Summaries, chain, interrupted};
use crate::case::Case;
use crate::record::StoreError;
use crate::suite::{Entry, Suite};
use candle_core::Device;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Cases computed.
    pub computed: usize,
    /// Cases whose record was there already.
    pub resumed: usize,
    /// Cases that failed.
    pub failed: usize,
    /// Cases that cannot run here.
    pub ignored: usize,
    /// Cases not done because the program was asked to stop.
    pub left: usize,
}

impl Options {
    /// Whether `entry` is to run.
    pub fn selects(&self, entry: &Entry) -> bool {
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
    let crew = Crew {
        harness,
        console,
        summaries: Summaries::of(suites),
        report: Mutex::default(),
    };
    crew.run_all(&cases, jobs);
    console.finish();
    if options.filters.is_empty() {
        crew.summaries.save(crew.harness.store())?;
    }
    let report = crew.report.into_inner();
    Ok(Report {
        ignored: entries.len() - cases.len(),
        ..report.unwrap_or_else(PoisonError::into_inner)
    })
}

/// What the threads of a run share.
struct Crew<'a> {
    harness: Harness,
    console: &'a Console,
    summaries: Summaries,
    report: Mutex<Report>,
}

impl Crew<'_> {
    fn run_all(&self, cases: &[&Case], jobs: usize) {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                        self.run(case);
                    }
                });
            }
        });
    }

    fn run(&self, case: &Case) {
        if interrupted() {
            return self.count(|report| &mut report.left);
        }
        let id = case.spec.id();
        let watcher = self.console.watch(&id);
        let result = self.harness.run(case, &watcher);
        drop(watcher);
        match result {
            Ok(done) => {
                self.count(if done.resumed {
                    |report| &mut report.resumed
                } else {
                    |report| &mut report.computed
                });
                self.console.passed(&done);
            }
            // What was stopped has not failed.
            Err(_) if interrupted() => self.count(|report| &mut report.left),
            Err(failure) => {
                let message = chain(&failure);
                self.count(|report| &mut report.failed);
                self.console.failed(&id, &message);
                self.summaries.add_failed(&case.spec, &message);
            }
        }
    }

    fn count(&self, counter: fn(&mut Report) -> &mut usize) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        *counter(&mut report) += 1;
    }
}
