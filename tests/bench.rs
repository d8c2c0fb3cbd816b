//! The benchmark as tests: every case of the suites is one, compared with its golden.
//!
//! `PTSBENCH_SUITES` names the suites, joined by commas; the default suite if absent.

use candle_core::Device;
use libtest_mimic::Arguments;
use ptsbench::harness::{Folders, Harness, publish, trials};
use ptsbench::suite;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;

fn main() -> ExitCode {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| ".".into()));
    let mut arguments = Arguments::from_args();
    let cores = available_parallelism().map_or(1, usize::from);
    let jobs = *arguments.test_threads.get_or_insert(cores);
    let names = std::env::var("PTSBENCH_SUITES").unwrap_or_else(|_| "default".into());
    let names: Vec<String> = names.split(',').map(str::to_owned).collect();
    let suites = match suite::load(&root.join("suites"), &names) {
        Ok(suites) => suites,
        Err(errors) => {
            eprintln!("error: {errors}");
            return ExitCode::from(ptsbench::exit::SETUP);
        }
    };
    let folders = Folders {
        reports: root.join("reports"),
        golden: Some(root.join("golden")),
    };
    let harness = Arc::new(Harness::new(Device::Cpu, &folders, false, cores / jobs));
    let conclusion = libtest_mimic::run(&arguments, trials(suites, &harness));
    let one_of_many = std::env::var_os("NEXTEST").is_some();
    if !arguments.list && !one_of_many {
        if let Err(error) = publish(&folders.results(), &folders.reports) {
            eprintln!("error: {error}");
        }
    }
    conclusion.exit_code()
}
