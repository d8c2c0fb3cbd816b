//! `ptsbench run`.

use super::CliError;
use super::subject::{DeviceArg, MemoryArg, positive};
use crate::harness::{self, Console, Folders, Options, check_writable, interrupted};
use crate::suite::{self, Shard};
use clap::Args;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

const AFTER_HELP: &str = "\
Examples:
  ptsbench run resnet20 --jobs 2              the cases of the default suite whose id contains `resnet20`
  ptsbench run --suite my.toml --out results  a suite of your own
  ptsbench run --seed 1 --out reports/seed1   the default suite with another seed
  ptsbench run --shard 2/4 --out reports/2    the second of four parts; `ptsbench merge` joins them
  ptsbench run --check                        compare with the goldens, as `cargo test` does

Environment:
  PTSBENCH_CACHE   the folder of what cases share, dense baselines and tables of allocators [default: `cache` below `--out`];
                   any number of processes and machines may use one at the same time";

/// Runs cases side by side and writes the leaderboard.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Run {
    /// Run only cases whose id contains one of these
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// A suite by name (see `ptsbench list`) or by the path of its .toml file; may be given more than once
    #[arg(long = "suite", value_name = "NAME", default_value = "default")]
    suites: Vec<String>,
    /// Run one part of these cases only: the I-th of N equal ones, the same on every machine
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// How many cases run side by side, sharing the cores; the results do not depend on it [default: one a core]
    #[arg(long, value_parser = positive)]
    jobs: Option<usize>,
    /// The folder of records and pages
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Compute cases anew whose record is there already
    #[arg(long)]
    force: bool,
    /// The seed of everything random, in place of the suites'; records of other seeds belong in other folders (`--out`)
    #[arg(long, conflicts_with = "check")]
    seed: Option<u64>,
    /// Compare each record with its golden, as `cargo test` does
    #[arg(long)]
    check: bool,
    /// How long a case may take, waiting for others aside; one that takes longer fails, and the others go on
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    timeout: Option<usize>,
    /// How often to say what is under way where stderr is no terminal; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    heartbeat: usize,
    #[command(flatten)]
    memory: MemoryArg,
    #[command(flatten)]
    device: DeviceArg,
}

impl Run {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let device = self.device.open()?;
        let mut suites = suite::load("suites".as_ref(), &self.suites)?;
        if let Some(seed) = self.seed {
            for entry in suites.iter_mut().flat_map(|suite| &mut suite.entries) {
                entry.case.spec.settings.seed = seed;
            }
        }
        check_writable(&self.out).map_err(CliError::unwritable(&self.out, "--out"))?;
        let options = Options {
            folders: Folders {
                reports: self.out.clone(),
                golden: self.check.then(|| PathBuf::from("golden")),
            },
            jobs: self.jobs.unwrap_or_else(cores),
            force: self.force,
            filters: self.filters.clone(),
            memory: self.memory.bytes(),
            timeout: self.timeout.map(seconds),
            heartbeat: Some(self.heartbeat).filter(|&pause| pause > 0).map(seconds),
        };
        let mut entries = suites.iter().flat_map(|suite| &suite.entries);
        if !entries.any(|entry| options.selects(entry)) {
            return Err(CliError::Usage(format!(
                "no case contains `{}`, see `ptsbench list`",
                self.filters.join("` or `")
            )));
        }
        if let Some(shard) = self.shard {
            shard.deal(&mut suites, |entry| options.selects(entry));
            if suites.iter().all(|suite| suite.entries.is_empty()) {
                eprintln!("part {shard} holds no case");
                return Ok(());
            }
        }
        harness::listen()?;
        let report = harness::run(&suites, &device, &options, &Console::new())?;
        let page = harness::publish(&options.folders.results(), "golden".as_ref(), &self.out)?;
        eprintln!(
            "{} computed, {} stored before, {} failed, {} ignored; see {}",
            report.computed,
            report.resumed,
            report.failed,
            report.ignored,
            page.display()
        );
        match report.failed {
            // Even where nothing failed, the rest is not done.
            _ if interrupted() => Err(CliError::Interrupted),
            0 => Ok(()),
            failed => Err(CliError::Failed(format!("{failed} cases failed"))),
        }
    }
}

fn seconds(count: usize) -> Duration {
    Duration::from_secs(count as u64)
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
