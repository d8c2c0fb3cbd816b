//! The benchmark as tests: every case of the suites is one, compared with its golden.
//!
//! `PTSBENCH_SUITES` names the suites, joined by commas, or is `all`; the default suite if absent. Results lie where
//! `ptsbench run` puts them, and so does the page, but for nextest, which runs each case as a process of its own: there,
//! `ptsbench report` makes it.

use candle_core::Device;
use libtest_mimic::Arguments;
use ptsbench::harness::{Folders, Harness, Summaries, chain, publish, trials};
use ptsbench::suite::{self, Suite, SuiteErrors};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;

fn main() -> ExitCode {
    match run(Arguments::from_args()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", chain(error.as_ref()));
            ExitCode::from(ptsbench::exit::SETUP)
        }
    }
}

fn run(mut arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| ".".into()));
    let cores = available_parallelism().map_or(1, usize::from);
    let jobs = *arguments.test_threads.get_or_insert(cores);
    let folders = Folders {
        reports: root.join("reports"),
        golden: Some(root.join("golden")),
    };
    let suites = suites(&root)?;
    let summaries = Arc::new(Summaries::of(&suites));
    let harness = Arc::new(Harness::new(
        Device::Cpu,
        &folders,
        false,
        cores / jobs.max(1),
    ));
    let conclusion = libtest_mimic::run(&arguments, trials(suites, &harness, &summaries));
    let alone = std::env::var_os("NEXTEST").is_none();
    if alone && conclusion.num_passed + conclusion.num_failed > 0 {
        if conclusion.num_filtered_out == 0 {
            summaries.save(harness.store())?;
        }
        publish(&folders.results(), &root.join("golden"), &folders.reports)?;
    }
    Ok(conclusion.exit_code())
}

fn suites(root: &Path) -> Result<Vec<Suite>, SuiteErrors> {
    let names = std::env::var("PTSBENCH_SUITES").unwrap_or_else(|_| "default".into());
    let names: Vec<String> = match names.as_str() {
        "all" => Vec::new(),
        names => names.split(',').map(str::to_owned).collect(),
    };
    suite::load(&root.join("suites"), &names)
}
