//! Bias correction: adds to each output channel's bias what the mean of its output falls short of the dense layer's.

use super::{LayerState, Step};
use crate::reconstruct::ReconstructError;

pub(super) const STEP: Step = Step {
    needs_activations: true,
    apply: correct,
};

fn correct(state: &mut LayerState<'_>) -> Result<(), ReconstructError> {
    let Some(bias) = &state.bias else {
        state.lacks_bias = true;
        return Ok(());
    };
    let missing = state.missing_mean()?.to_dtype(bias.dtype())?;
    state.bias = Some((bias + missing)?);
    Ok(())
}
