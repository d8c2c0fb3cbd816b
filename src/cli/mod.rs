//! The command line: one file a command. Machine output goes to stdout, everything else to stderr.

mod allocate;
mod compare;
mod describe;
mod detect;
mod draw;
mod drift;
mod error;
mod eval;
mod fid;
mod forward;
mod help;
mod list;
mod merge;
mod models;
mod output;
mod report;
mod run;
mod sample;
mod sparsify;
mod subject;

pub use error::CliError;

use crate::harness::interrupted;
use clap::{Parser, Subcommand};

const AFTER_HELP: &str = "\
Examples:
  ptsbench                                       run the default suite, write reports/index.html
  ptsbench run --suite paper/track1-allocation   run another suite
  ptsbench sparsify --model resnet20 --weights resnet20.th --data cifar10:DIR \\
      --allocator erk --reconstruction block-sparse-weight+bias-adam --sparsity 0.8 \\
      --output sparse.safetensors
  ptsbench allocate --model resnet20 --weights resnet20.th --allocator lamp --sparsity 0.9

Exit codes:
  0    all went well
  1    a case failed, a golden differs, results got worse, or merged records have gaps or conflicts
  2    wrong usage: an unknown name, a bad value
  3    a suite, data, weights or a folder cannot be used
  130  interrupted by SIGINT or SIGTERM; finished cases are kept";

/// Post-training sparsity benchmark: allocate, mask, reconstruct, measure.
#[derive(Debug, Parser)]
#[command(name = "ptsbench", version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::Run,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run cases and write the leaderboard (what `ptsbench` does without a command)
    Run(run::Run),
    /// List the cases of suites, with what keeps any of them from running here
    List(list::List),
    /// List the models
    Models(models::Models),
    /// Show the graph of a model with shapes, prunable layers and reconstruction units
    Describe(describe::Describe),
    /// Share out a sparsity over the layers of a checkpoint
    Allocate(allocate::Allocate),
    /// Run a checkpoint on a tensor
    Forward(forward::Forward),
    /// Measure a checkpoint on data
    Eval(eval::Eval),
    /// Find things in pictures of your own
    Detect(detect::Detect),
    /// Draw pictures from noise
    Sample(sample::Sample),
    /// Tell how far sets of pictures are apart
    Fid(fid::Fid),
    /// Prune and reconstruct a checkpoint of your own
    Sparsify(sparsify::Sparsify),
    /// Render the leaderboard from stored records
    Report(report::Report),
    /// Join the records of several runs, and say what is missing, doubled or in conflict
    Merge(merge::Merge),
    /// Compare two folders of records case by case
    Compare(compare::Compare),
    /// Show how far stored records have drifted from their goldens
    Drift(drift::Drift),
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    /// [`CliError`], which knows the exit code.
    pub fn execute(self) -> Result<(), CliError> {
        // Among the threads that share the work: from outside, each operation would wake one and wait for it.
        let result = rayon::scope(|_| self.dispatch());
        // Work that was stopped fails in many ways, all of which mean the same.
        result.map_err(|error| {
            if interrupted() {
                CliError::Interrupted
            } else {
                error
            }
        })
    }

    fn dispatch(self) -> Result<(), CliError> {
        match self.command.unwrap_or(Command::Run(self.run)) {
            Command::Run(command) => command.execute(),
            Command::List(command) => command.execute(),
            Command::Models(command) => command.execute(),
            Command::Describe(command) => command.execute(),
            Command::Allocate(command) => command.execute(),
            Command::Forward(command) => command.execute(),
            Command::Eval(command) => command.execute(),
            Command::Detect(command) => command.execute(),
            Command::Sample(command) => command.execute(),
            Command::Fid(command) => command.execute(),
            Command::Sparsify(command) => command.execute(),
            Command::Report(command) => command.execute(),
            Command::Merge(command) => command.execute(),
            Command::Compare(command) => command.execute(),
            Command::Drift(command) => command.execute(),
        }
    }
}
