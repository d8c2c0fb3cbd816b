//! What a run leaves besides records: the cases that have none, and why.

use serde::{Deserialize, Serialize};

/// The cases of a suite that a run could not or need not compute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The suite.
    pub suite: String,
    /// Cases that were not tried.
    pub ignored: Vec<Ignored>,
    /// Cases that were tried and failed.
    pub failed: Vec<Failed>,
}

/// A case that was not tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// The case id.
    pub case: String,
    /// Why, for example which data are absent.
    pub reason: String,
}

/// A case that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The case id.
    pub case: String,
    /// The error with its causes; may have several lines.
    pub message: String,
}
