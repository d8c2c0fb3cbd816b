//! Telling somebody how far long work is, and hearing that it should stop.

use std::time::Duration;

/// Somebody who watches a case run.
pub trait Progress: Sync {
    /// A stage (`allocate`, `correct`, `reconstruct`, `evaluate`) begins, of `steps` steps.
    fn stage(&self, _name: &str, _steps: usize) {}

    /// One step is done; `what` names it: a unit, a batch.
    fn step(&self, _what: &str) {}

    /// So long was nothing done but waiting for what somebody else makes.
    fn waited(&self, _time: Duration) {}

    /// Whether the work should stop at the next occasion.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Nobody watches.
impl Progress for () {}

/// The work was asked to stop ([`Progress::cancelled`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped on request")]
pub struct Cancelled;

impl dyn Progress + '_ {
    /// Fails if the work should stop.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.cancelled() {
            Err(Cancelled)
        } else {
            Ok(())
        }
    }
}
