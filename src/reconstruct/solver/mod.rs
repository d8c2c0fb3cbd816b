//! What adjusts the surviving weights and biases of a unit.

mod adam;
mod descent;
mod exact;
mod none;
mod problem;
mod sgd;

pub use problem::Problem;

use super::ReconstructError;
use crate::graph::ParamId;
use crate::progress::Progress;
use crate::registry::{Registry, Technique};
use candle_core::Tensor;
use std::fmt::Debug;

/// Every solver by name.
pub static SOLVERS: Registry<Technique<dyn Solver>> = Registry::new(
    "solver",
    &[sgd::ENTRY, adam::ENTRY, exact::ENTRY, none::ENTRY],
);

/// A way of making a unit of the sparse network give what the dense one gives.
pub trait Solver: Debug + Send + Sync {
    /// Whether it needs units that are one layer without its activation (`single`).
    fn single_layers_only(&self) -> bool {
        false
    }

    /// Returns new tensors for some parameters of the unit. Masked weights must be zero in them.
    ///
    /// # Errors
    /// [`ReconstructError`] where the unit fails, or on request.
    fn solve(
        &self,
        problem: &Problem<'_>,
        progress: &dyn Progress,
    ) -> Result<Solution, ReconstructError>;
}

/// What a solver found.
#[derive(Debug)]
pub struct Solution {
    /// New values of parameters.
    pub tensors: Vec<(ParamId, Tensor)>,
    /// Steps taken.
    pub iterations: usize,
    /// What [`Problem::loss`] says of them, where the solver has asked.
    pub loss: Option<f64>,
    /// Whether the last step led to NaN or infinity, and what is given is the best before it.
    pub diverged: bool,
}

impl Solution {
    /// Returns the start.
    pub(super) fn nothing() -> Self {
        Self {
            tensors: Vec::new(),
            iterations: 0,
            loss: None,
            diverged: false,
        }
    }
}
