//! Reconstruction: with the masks fixed, adjust what survives so that each unit of the sparse network gives what the dense
//! one gives on calibration inputs (PTSBench, arXiv 2412.07268, section 3.2).
//!
//! A technique is `<granularity>-<input>-<correction>-<solver>`; a [`Reconstruction`] is a chain of them, each starting from
//! what the one before left. Its parts live in tables of their own: [`crate::graph::GRANULARITIES`], [`Input`],
//! [`CORRECTIONS`] and [`SOLVERS`].
//!
//! # Adding a solver
//! Write `solver/<name>.rs` with a struct of its parameters that implements [`Solver`], and add a line to [`SOLVERS`]. A solver
//! gets a [`Problem`] (a unit, its tensors, and any batch of its inputs with the outputs to be met) and returns new tensors. It
//! need not check whether it made things better: what is worse than the start, or no finite number, is thrown away by the caller.
//!
//! # Adding a correction
//! Write `correction/<name>.rs` with a function on a [`correction::LayerState`], and add a line to [`CORRECTIONS`].

pub mod correction;
mod link;
pub mod solver;
mod spec;

pub use correction::CORRECTIONS;
pub use link::{Job, Settings, Uncorrected, UnitReport};
pub use solver::{Problem, SOLVERS, Solution, Solver};
pub use spec::{Input, Link, Reconstruction, ReconstructionSpecError};

use crate::capture::CaptureError;
use crate::graph::RunError;
use crate::progress::Cancelled;

/// A reconstruction that failed.
#[derive(Debug, thiserror::Error)]
pub enum ReconstructError {
    /// Activations cannot be had.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A unit fails.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Arithmetic fails.
    #[error("tensors cannot be computed")]
    Tensor(#[from] candle_core::Error),
    /// A linear system has no solution.
    #[error("the system of a channel of `{layer}` cannot be solved, expected finite activations")]
    Singular {
        /// The layer.
        layer: String,
    },
    /// A solver does not fit a unit.
    #[error("solver `{solver}` cannot solve unit `{unit}`: {why}")]
    Unfit {
        /// The solver.
        solver: &'static str,
        /// The unit.
        unit: String,
        /// Why.
        why: &'static str,
    },
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

#[cfg(test)]
mod tests;
