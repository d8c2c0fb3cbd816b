//! The `ptsbench` program; see [`ptsbench::cli`].

use clap::Parser;
use ptsbench::cli::Cli;
use std::error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                eprintln!("  caused by: {inner}");
                cause = inner.source();
            }
            ExitCode::from(error.exit_code())
        }
    }
}
