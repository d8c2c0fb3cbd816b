//! `ptsbench run`: many cases side by side.

use super::{Console, Failure, Folders, Harness, Lock, LockError, Summaries, chain, interrupted};
use crate::atomic;
use crate::case::Case;
use crate::record::StoreError;
use crate::suite::{Entry, Suite};
use candle_core::Device;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

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
    /// Bytes for the activations of each case that runs, see [`crate::pipeline::Engine::with_memory`].
    pub memory: usize,
    /// How long a case may take, waiting for what it shares with others included.
    pub timeout: Option<Duration>,
    /// How often a line says what is under way, where stderr is no terminal.
    pub heartbeat: Option<Duration>,
}

/// A run that cannot be begun or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The folder of results cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A summary cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
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

/// Runs the selected cases of `suites`, and stores what became of them in the folder of `options`.
///
/// # Errors
/// [`RunError`] where another run works in the folder, or the summary cannot be written; records that cannot be written fail
/// their case.
pub fn run(
    suites: &[Suite],
    device: &Device,
    options: &Options,
    console: &Console,
) -> Result<Report, RunError> {
    let lock = Lock::take(&options.folders.reports)?;
    atomic::sweep(&options.folders.reports, &options.folders.cache());
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
    )
    .with_memory(options.memory);
    console.start(cases.len());
    let crew = Crew {
        harness,
        lock,
        options,
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
    lock: Lock,
    options: &'a Options,
    console: &'a Console,
    summaries: Summaries,
    report: Mutex<Report>,
}

impl Crew<'_> {
    fn run_all(&self, cases: &[&Case], jobs: usize) {
        let next = &AtomicUsize::new(0);
        let (working, ended) = channel::<()>();
        thread::scope(|scope| {
            for _ in 0..jobs {
                let working = working.clone();
                scope.spawn(move || {
                    let _working = working;
                    while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                        self.run(case);
                    }
                });
            }
            drop(working);
            // Nothing is ever sent: the channel closes when the last of them ends.
            while let Some(pause) = self.options.heartbeat {
                if ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
                self.console.beat();
            }
        });
    }

    fn run(&self, case: &Case) {
        if interrupted() {
            return self.count(|report| &mut report.left);
        }
        let id = case.spec.id();
        let watcher = self.console.watch_for(&id, self.options.timeout);
        let result = if self.lock.is_in_place() {
            self.harness.run(case, &watcher)
        } else {
            Err(Failure::Vanished(self.lock.folder().to_owned()))
        };
        let late = watcher.was_late();
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
                let timeout = self.options.timeout.filter(|_| late);
                let message = chain(&timeout.map_or(failure, Failure::Timeout));
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
