//! Nothing: what the correction leaves is the result.

use super::{Problem, Solution, Solver};
use crate::progress::Progress;
use crate::reconstruct::ReconstructError;
use crate::registry::{Technique, from_params};
use serde::Deserialize;

pub(super) const ENTRY: Technique<dyn Solver> = Technique::new(
    "none",
    "nothing, where the correction is to be seen alone",
    |params| Ok(Box::new(from_params::<Nothing>(params)?)),
);

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Solver for Nothing {
    fn solve(
        &self,
        _problem: &Problem<'_>,
        _progress: &dyn Progress,
    ) -> Result<Solution, ReconstructError> {
        Ok(Solution::nothing())
    }
}
