//! Running cases: one engine behind `cargo test` and `ptsbench run`.
//!
//! Each case runs in a thread pool of its own, so that cases run side by side without sharing threads. A record is stored as
//! soon as it is there, before it is compared with its golden; a case that fails or panics harms no other.

mod console;
mod lock;
mod publish;
mod run;
mod signal;
mod summaries;
mod trial;

pub use crate::chain::chain;
pub use console::Console;
pub use lock::{Lock, LockError};
pub use publish::{PublishError, load, publish, publish_accepted};
pub use run::{Options, Report, RunError, run};
pub use signal::{interrupted, listen};
pub use summaries::Summaries;
pub use trial::trials;

use crate::case::{Case, CaseError};
use crate::golden::{self, GoldenError};
use crate::panics::Panics;
use crate::pipeline::{Allow, Engine};
use crate::progress::Progress;
use crate::record::{Record, Scale, Store, StoreError};
use candle_core::Device;
use rayon::ThreadPoolBuilder;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where results lie.
#[derive(Debug, Clone)]
pub struct Folders {
    /// The leaderboard's folder; records are below it.
    pub reports: PathBuf,
    /// Accepted results, if records are to be compared with them.
    pub golden: Option<PathBuf>,
}

impl Folders {
    /// Returns the folder of records.
    pub fn results(&self) -> PathBuf {
        self.reports.join("results")
    }

    /// Returns the folder of dense baselines and tables of allocators: what the variable `PTSBENCH_CACHE` names, which any number of
    /// processes may share, or else one below the reports.
    fn cache(&self) -> PathBuf {
        let shared = std::env::var_os("PTSBENCH_CACHE").filter(|path| !path.is_empty());
        shared.map_or_else(|| self.reports.join("cache"), PathBuf::from)
    }
}

/// What runs single cases.
#[derive(Debug)]
pub struct Harness {
    engine: Engine,
    store: Store,
    golden: Option<PathBuf>,
    /// Whether stored records are computed anew.
    force: bool,
    /// The threads of one case.
    threads: usize,
}

/// What became of a case.
#[derive(Debug)]
pub struct Done {
    /// The result.
    pub record: Record,
    /// Whether it had been stored by an earlier run.
    pub resumed: bool,
}

/// A case without an acceptable result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It failed.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// Its record cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its record differs from its golden.
    #[error(transparent)]
    Golden(#[from] GoldenError),
    /// It took longer than it may.
    #[error("it took longer than the {} s that `--timeout` gives a case, and was stopped", .0.as_secs_f64())]
    Timeout(Duration),
    /// The folder of results is gone.
    #[error("folder `{}` was removed or replaced while the run worked in it; run again for what is missing there", .0.display())]
    Vanished(PathBuf),
    /// A thread pool cannot be made.
    #[error(transparent)]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// It panicked, which is a defect of this program.
    #[error("the case panicked, which is a defect of ptsbench: {0}")]
    Panic(String),
}

impl Harness {
    /// Makes a harness whose cases use `threads` threads each.
    pub fn new(device: Device, folders: &Folders, force: bool, threads: usize) -> Self {
        Self {
            engine: Engine::new(device, Some(folders.cache())),
            store: Store::new(folders.results()),
            golden: folders.golden.clone(),
            force,
            threads: threads.max(1),
        }
    }

    /// Returns the same harness with this many bytes for the activations of a case, see [`Engine::with_memory`].
    #[must_use]
    pub fn with_memory(self, bytes: usize) -> Self {
        Self {
            engine: self.engine.with_memory(bytes),
            ..self
        }
    }

    /// Returns the store of records.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Runs a case, or takes its record from an earlier run; compares it with its golden.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn run(&self, case: &Case, progress: &dyn Progress) -> Result<Done, Failure> {
        let panics = Panics::default();
        let heard = panics.clone();
        let pool = ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .start_handler(move |_| heard.hear_this_thread())
            .build()?;
        let compute = || pool.install(|| self.compute(case, progress));
        let done = catch_unwind(AssertUnwindSafe(compute))
            .unwrap_or_else(|_| Err(Failure::Panic(panics.first())))?;
        if let Some(root) = &self.golden {
            golden::check(&done.record, root, Scale::of)?;
        }
        Ok(done)
    }

    fn compute(&self, case: &Case, progress: &dyn Progress) -> Result<Done, Failure> {
        let key = self.engine.key(case)?;
        // A stored record that cannot be used is overwritten by the new one.
        let stored = self.store.load(&case.spec.id(), &key).ok().flatten();
        if let Some(record) = stored.filter(|_| !self.force) {
            return Ok(Done {
                record,
                resumed: true,
            });
        }
        let outcome = self.engine.run(case, Allow::Nothing, progress)?;
        self.store.save(&outcome.record)?;
        Ok(Done {
            record: outcome.record,
            resumed: false,
        })
    }
}

/// Checks that results can be written to `folder`, before hours of work go into them.
///
/// # Errors
/// What the file system says.
pub fn check_writable(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder).map(|_| ())
}

#[cfg(test)]
mod tests;
