//! The work of one case: allocate, mask, correct, reconstruct, evaluate.

use crate::case::{Case, CaseError};
use crate::graph::Weights;
use crate::record::Record;
use candle_core::Device;
use std::path::PathBuf;

/// What all cases of a process share: the device, and what is loaded or measured once.
#[derive(Debug)]
pub struct Engine {
    device: Device,
    cache: Option<PathBuf>,
}

/// What came of a case.
#[derive(Debug)]
pub struct Outcome {
    /// The result, complete but for nothing.
    pub record: Record,
    /// The sparse weights under the original names.
    pub checkpoint: Vec<(String, candle_core::Tensor)>,
}

/// Somebody who watches a case run.
pub trait Progress: Sync {
    /// A stage (`allocate`, `mask`, `correct`, `reconstruct`, `evaluate`) begins, of `steps` steps.
    fn stage(&self, name: &str, steps: usize);
    /// One step is done; `what` names it (a unit, a batch).
    fn step(&self, what: &str);
}

impl Engine {
    /// Makes an engine that keeps dense baselines in the folder `cache`, if given.
    pub fn new(device: Device, cache: Option<PathBuf>) -> Self {
        Self { device, cache }
    }

    /// Returns the hash of everything that the result of `case` depends on.
    ///
    /// # Errors
    /// [`CaseError`] where data or weights cannot be read.
    pub fn key(&self, _case: &Case) -> Result<String, CaseError> {
        todo!()
    }

    /// Runs `case`.
    ///
    /// # Errors
    /// [`CaseError`] naming the stage that failed.
    pub fn run(&self, _case: &Case, _progress: &dyn Progress) -> Result<Outcome, CaseError> {
        todo!()
    }
}
