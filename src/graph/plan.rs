//! What must run to get from some values to others.

use super::{Graph, NodeId, ValueId};
use crate::kernels::Clamp;

/// The operators between two sets of values, in order, each with the values that nobody needs after it.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) inputs: Vec<ValueId>,
    pub(super) outputs: Vec<ValueId>,
    /// The most elements a sample that are alive at once, of values that are neither inputs nor outputs.
    pub(super) between: usize,
}

/// One operator of a [`Plan`].
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) node: NodeId,
    /// The activation that takes the operator's output, where nothing else does: both run in one go.
    pub(super) clamp: Clamp,
    /// The value that is made.
    pub(super) output: ValueId,
    pub(super) last_uses: Vec<ValueId>,
}

/// A plan that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{output}` needs `{missing}`, which is an input of the network and was not given")]
pub struct PlanError {
    /// The value asked for.
    pub output: String,
    /// The value that is lacking.
    pub missing: String,
}

impl Plan {
    /// Returns the values that the plan starts from.
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// Returns the values that the plan gives.
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }
}

impl Graph {
    /// Plans the way from `inputs` to `outputs`: no operator runs that is not needed, and none before a given value.
    ///
    /// # Errors
    /// [`PlanError`] where an output depends on an input of the network that is not among `inputs`.
    pub fn plan(&self, inputs: &[ValueId], outputs: &[ValueId]) -> Result<Plan, PlanError> {
        let mut given = vec![false; self.values.len()];
        for value in inputs {
            given[value.0] = true;
        }
        let needed = self.needed(&given, outputs);
        if let Some(missing) = self.inputs.iter().find(|v| needed[v.0] && !given[v.0]) {
            return Err(self.lacking(*missing, outputs));
        }
        let steps = self.fused(self.steps(&given, &needed, outputs), outputs);
        Ok(Plan {
            between: self.between(&steps, outputs),
            steps,
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
        })
    }

    /// Marks every value that `outputs` depend on without passing a given one.
    fn needed(&self, given: &[bool], outputs: &[ValueId]) -> Vec<bool> {
        let mut needed = vec![false; self.values.len()];
        for value in outputs {
            needed[value.0] = true;
        }
        for node in self.nodes.iter().rev() {
            if needed[node.output.0] && !given[node.output.0] {
                for value in &node.inputs {
                    needed[value.0] = true;
                }
            }
        }
        needed
    }

    fn steps(&self, given: &[bool], needed: &[bool], outputs: &[ValueId]) -> Vec<Step> {
        let mut kept = vec![false; self.values.len()];
        for value in outputs {
            kept[value.0] = true;
        }
        let mut steps: Vec<Step> = Vec::new();
        for (id, node) in self.nodes().rev() {
            if !needed[node.output.0] || given[node.output.0] {
                continue;
            }
            let mut last_uses = Vec::new();
            for value in &node.inputs {
                if !std::mem::replace(&mut kept[value.0], true) {
                    last_uses.push(*value);
                }
            }
            steps.push(Step {
                node: id,
                clamp: Clamp::NONE,
                output: node.output,
                last_uses,
            });
        }
        steps.reverse();
        steps
    }

    /// Lets each activation ride along with the operator before it, where nothing else needs what lies between.
    fn fused(&self, steps: Vec<Step>, outputs: &[ValueId]) -> Vec<Step> {
        let mut uses = vec![0; self.values.len()];
        let inputs = steps.iter().flat_map(|step| &self.node(step.node).inputs);
        for value in inputs.chain(outputs) {
            uses[value.0] += 1;
        }
        let mut fused: Vec<Step> = Vec::with_capacity(steps.len());
        for step in steps {
            let node = self.node(step.node);
            let between = node.inputs[0];
            let clamp = node.op.as_clamp().filter(|_| uses[between.0] == 1);
            let maker =
                clamp.and_then(|_| fused.iter_mut().rev().find(|maker| maker.output == between));
            match (clamp, maker) {
                (Some(clamp), Some(maker)) if maker.clamp == Clamp::NONE => {
                    maker.clamp = clamp;
                    maker.output = node.output;
                }
                _ => fused.push(step),
            }
        }
        fused
    }

    fn between(&self, steps: &[Step], outputs: &[ValueId]) -> usize {
        let mut made = vec![false; self.values.len()];
        let (mut alive, mut most) = (0, 0);
        for step in steps {
            if !outputs.contains(&step.output) {
                made[step.output.0] = true;
                alive += self.value(step.output).shape.numel();
                most = most.max(alive);
            }
            for value in step.last_uses.iter().filter(|value| made[value.0]) {
                alive -= self.value(*value).shape.numel();
            }
        }
        most
    }

    fn lacking(&self, missing: ValueId, outputs: &[ValueId]) -> PlanError {
        let names: Vec<&str> = outputs
            .iter()
            .map(|v| self.value(*v).name.as_str())
            .collect();
        PlanError {
            output: names.join("`, `"),
            missing: self.value(missing).name.clone(),
        }
    }
}
