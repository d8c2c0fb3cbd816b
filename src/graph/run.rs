//! Running a plan.

use super::plan::Step;
use super::{Graph, Node, Plan, PlanError, ValueId, Weights};
use crate::kernels::Clamp;
use candle_core::{Result as CandleResult, Tensor};

/// A run that failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no way from the inputs to the outputs.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An operator failed.
    #[error("`{node}` ({kind}) failed on inputs {shapes:?}")]
    Operator {
        /// The operator's name.
        node: String,
        /// Its kind.
        kind: String,
        /// The shapes of its inputs, batch included.
        shapes: Vec<Vec<usize>>,
        /// What candle says.
        source: Box<candle_core::Error>,
    },
}

impl Plan {
    /// Runs the plan on `inputs`, in the order of [`Plan::inputs`], each with a leading batch dimension; returns the
    /// outputs in the order of [`Plan::outputs`]. A value is dropped after its last use.
    ///
    /// # Errors
    /// [`RunError`] naming the operator that failed.
    ///
    /// # Panics
    /// If there are not as many `inputs` as the plan has.
    pub fn run(
        &self,
        graph: &Graph,
        weights: &Weights,
        inputs: &[Tensor],
    ) -> Result<Vec<Tensor>, RunError> {
        let values = self.values(graph, weights, inputs, |step| &step.last_uses)?;
        let take = |id: &ValueId| values[id.0].clone().expect("the plan makes its outputs");
        Ok(self.outputs.iter().map(take).collect())
    }

    /// Makes the values of the plan; `dropped` says which are given up after a step.
    pub(super) fn values(
        &self,
        graph: &Graph,
        weights: &Weights,
        inputs: &[Tensor],
        dropped: impl Fn(&Step) -> &[ValueId],
    ) -> Result<Vec<Option<Tensor>>, RunError> {
        assert_eq!(inputs.len(), self.inputs.len(), "one tensor an input");
        let mut values: Vec<Option<Tensor>> = vec![None; graph.values.len()];
        for (id, tensor) in self.inputs.iter().zip(inputs) {
            values[id.0] = Some(tensor.clone());
        }
        for step in &self.steps {
            let output = run_node(graph.node(step.node), step.clamp, weights, &values)?;
            values[step.output.0] = Some(output);
            for value in dropped(step) {
                values[value.0] = None;
            }
        }
        Ok(values)
    }
}

/// Runs one operator, and the activation that follows, on the values that exist.
fn run_node(
    node: &Node,
    clamp: Clamp,
    weights: &Weights,
    values: &[Option<Tensor>],
) -> Result<Tensor, RunError> {
    let value = |id: &ValueId| values[id.0].as_ref().expect("the plan orders its steps");
    let inputs: Vec<&Tensor> = node.inputs.iter().map(value).collect();
    let params: Vec<&Tensor> = node.params.iter().map(|id| weights.tensor(*id)).collect();
    let output: CandleResult<Tensor> = node.op.run_clamped(&inputs, &params, clamp);
    output.map_err(|source| node_error(node, &inputs, source))
}

/// Says which operator failed on which inputs.
pub(super) fn node_error(node: &Node, inputs: &[&Tensor], source: candle_core::Error) -> RunError {
    RunError::Operator {
        node: node.name.clone(),
        kind: node.op.kind(),
        shapes: inputs.iter().map(|t| t.dims().to_vec()).collect(),
        source: Box::new(source),
    }
}

impl Graph {
    /// Runs whatever leads from `inputs` to `outputs`; see [`Plan::run`].
    ///
    /// # Errors
    /// [`RunError`] where there is no way, or an operator failed.
    pub fn run(
        &self,
        weights: &Weights,
        inputs: &[(ValueId, Tensor)],
        outputs: &[ValueId],
    ) -> Result<Vec<Tensor>, RunError> {
        let (ids, tensors): (Vec<ValueId>, Vec<Tensor>) = inputs.iter().cloned().unzip();
        self.plan(&ids, outputs)?.run(self, weights, &tensors)
    }
}
