//! What can go wrong on the command line, and the exit code of each.

use crate::case::{CaseError, Stage};
use crate::exit;
use crate::graph::{PlanError, RunError};
use crate::harness::{self, PublishError};
use crate::metrics::StatisticsError;
use crate::models::ModelError;
use crate::record::StoreError;
use crate::registry::{SpecError, UnknownName};
use crate::suite::SuiteErrors;
use crate::tasks::TaskError;
use crate::weights::{WeightsError, WriteError};
use std::path::{Path, PathBuf};

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A case, or loading for one.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// A suite.
    #[error(transparent)]
    Suites(#[from] SuiteErrors),
    /// A spec.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A name.
    #[error(transparent)]
    Name(#[from] UnknownName),
    /// A model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A checkpoint that cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Stored results.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Many cases.
    #[error(transparent)]
    Harness(#[from] harness::RunError),
    /// The leaderboard.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Statistics of pictures.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// An evaluation.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A network that fails.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A way through a network that does not exist.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A tensor.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The GPU asked for is not there.
    #[error("{0}")]
    Device(String),
    /// A folder that cannot be written.
    #[error("folder `{}` cannot be written, choose another with `{option}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The option that names it.
        option: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A file that would be overwritten.
    #[error("`{}` exists, add `--force` to overwrite it", .0.display())]
    Exists(PathBuf),
    /// Wrong usage that clap cannot see.
    #[error("{0}")]
    Usage(String),
    /// An input file without the right tensor.
    #[error("`{}` {why}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Signals cannot be handled.
    #[error("signals cannot be handled")]
    Signals(#[from] ctrlc::Error),
    /// Output that cannot be written.
    #[error("the output cannot be written")]
    Output(#[from] std::io::Error),
    /// Failed cases, or results that got worse; they have been reported.
    #[error("{0}")]
    Failed(String),
    /// Asked to stop.
    #[error("interrupted; finished cases are kept, run the same command again for the rest")]
    Interrupted,
}

impl CliError {
    /// Returns a function that says that a folder, or a file in it, cannot be written, for `map_err`.
    pub(super) fn unwritable(
        path: &Path,
        option: &'static str,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Folder {
            path,
            option,
            source,
        }
    }

    /// Returns the exit code, see [`crate::exit`].
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Case(error) => match error.stage {
                Stage::Resolve => exit::USAGE,
                Stage::Load => exit::SETUP,
                _ => exit::FAILED,
            },
            Self::Task(error) => of_task(error),
            Self::Spec(_) | Self::Name(_) | Self::Model(_) | Self::Usage(_) => exit::USAGE,
            Self::Failed(_) | Self::Run(_) | Self::Plan(_) | Self::Tensor(_) => exit::FAILED,
            Self::Interrupted => exit::INTERRUPTED,
            _ => exit::SETUP,
        }
    }
}

/// Models, weights and data that do not go together have not failed: they cannot be used.
fn of_task(error: &TaskError) -> u8 {
    match error {
        TaskError::NoDetector
        | TaskError::NoDiffusion
        | TaskError::NoFeatures
        | TaskError::NoCompanions { .. }
        | TaskError::Latents { .. }
        | TaskError::Steps { .. } => exit::USAGE,
        TaskError::Data(_)
        | TaskError::Statistics(_)
        | TaskError::Preprocess(_)
        | TaskError::Decoder { .. }
        | TaskError::Outputs { .. }
        | TaskError::Output { .. }
        | TaskError::Labels { .. }
        | TaskError::Class { .. } => exit::SETUP,
        _ => exit::FAILED,
    }
}
