//! Running a plan.

use super::gather::gathered;
use super::plan::Step;
use super::{Graph, Node, Plan, PlanError, ValueId, Weights};
use crate::kernels::Clamp;
use candle_core::{DType, Result as CandleResult, Tensor};

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
    /// What was run in parts cannot be put together.
    #[error("the samples cannot be run in parts")]
    Parts(#[from] candle_core::Error),
}

/// The bytes that the values between inputs and outputs take on the CPU: of more samples, a few are run at a time.
const BETWEEN: usize = 64 << 20;

impl Plan {
    /// Runs the plan on `inputs`, in the order of [`Plan::inputs`], each with a leading batch dimension; returns the
    /// outputs in the order of [`Plan::outputs`]. A value is dropped after its last use; on the CPU, what lies between inputs and
    /// outputs takes 64 MiB, or what one sample needs if that is more, however many samples there are.
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
        self.run_within(BETWEEN, graph, weights, inputs)
    }

    fn run_within(
        &self,
        bytes: usize,
        graph: &Graph,
        weights: &Weights,
        inputs: &[Tensor],
    ) -> Result<Vec<Tensor>, RunError> {
        let samples = match inputs.first() {
            Some(input) if input.device().is_cpu() => input.dims()[0],
            _ => return self.run_at_once(graph, weights, inputs),
        };
        let sample = self.between * DType::F32.size_in_bytes();
        let at_once = (bytes / sample.max(1)).max(1);
        if samples <= at_once {
            return self.run_at_once(graph, weights, inputs);
        }
        gathered(samples, at_once, |range| {
            let part = |input: &Tensor| input.narrow(0, range.start, range.len());
            let part = inputs.iter().map(part).collect::<CandleResult<Vec<_>>>()?;
            self.run_at_once(graph, weights, &part)
        })
    }

    fn run_at_once(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::testing::residual;
    use candle_core::Device;

    #[test]
    fn however_little_fits_between_the_bits_are_the_same() {
        let (graph, weights) = residual(5);
        let named = |name: &str| graph.nodes().find(|(_, node)| node.name == name).unwrap();
        let outputs = ["relu", "c"].map(|name| named(name).1.output);
        let plan = graph.plan(graph.inputs(), &outputs).unwrap();
        // `b` and `add` are alive at once: `relu` is an output.
        assert_eq!(plan.between, 10);
        for samples in [1, 2, 7] {
            let x = [Tensor::randn(0f32, 1.0, (samples, 5), &Device::Cpu).unwrap()];
            let whole = plan.run_at_once(&graph, &weights, &x).unwrap();
            for bytes in [0, 4 * 10, 4 * 10 * 3, usize::MAX] {
                let found = plan.run_within(bytes, &graph, &weights, &x).unwrap();
                for (found, whole) in found.iter().zip(&whole) {
                    let numbers = |t: &Tensor| t.to_vec2::<f32>().unwrap();
                    assert_eq!(numbers(found), numbers(whole));
                }
            }
        }
    }
}
