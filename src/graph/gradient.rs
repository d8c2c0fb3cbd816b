//! Gradients of a plan: its operators backwards, each by what it says of itself.
//!
//! candle's own gradients serve the operators that say nothing. Going through the plan instead of through candle's record
//! of a whole run spares a sum with zeros for every gradient, frees each value when it was last looked at, and lets an
//! operator know which gradients, and which parts of them, are wanted.

use super::ops::{Add, clamp_gradient};
use super::plan::Step;
use super::run::node_error;
use super::{Graph, Node, Operator, ParamId, Plan, RunError, ValueId, Weights};
use crate::kernels::Wanted;
use candle_core::{Result as CandleResult, Tensor, Var};
use std::collections::HashMap;

/// What an operator was given, and which gradients are wanted of it.
#[derive(Debug)]
pub struct Call<'a> {
    /// The inputs, and whether each one's gradient is wanted.
    pub inputs: &'a [(&'a Tensor, bool)],
    /// The parameters, and what is wanted of each one's gradient.
    pub params: &'a [(&'a Tensor, Wanted<'a>)],
}

/// The gradients of an operator's inputs and parameters, in order; nothing for those not wanted.
#[derive(Debug, Default)]
pub struct Gradients {
    /// Of the inputs.
    pub inputs: Vec<Option<Tensor>>,
    /// Of the parameters.
    pub params: Vec<Option<Tensor>>,
}

impl Gradients {
    /// Takes the gradient of the only input, where there are no parameters.
    pub(super) fn of_input(input: Tensor) -> Self {
        Self {
            inputs: vec![Some(input)],
            params: Vec::new(),
        }
    }

    /// Takes the gradients of input, weight and bias of a layer.
    pub(super) fn of_layer([input, weight, bias]: [Option<Tensor>; 3]) -> Self {
        Self {
            inputs: vec![input],
            params: vec![weight, bias],
        }
    }
}

impl<'a> Call<'a> {
    /// Returns the input and the weight of a layer, and what is wanted of the gradients of input, weight and bias.
    pub(super) fn layer(&self) -> ([&'a Tensor; 2], [Wanted<'a>; 3]) {
        let (input, wanted) = self.inputs[0];
        let input_wanted = if wanted { Wanted::All } else { Wanted::No };
        let (weight, weight_wanted) = self.params[0];
        let bias_wanted = self.params.get(1).map_or(Wanted::No, |(_, wanted)| *wanted);
        ([input, weight], [input_wanted, weight_wanted, bias_wanted])
    }

    /// Takes the gradients from candle, which runs the operator again for that.
    ///
    /// # Errors
    /// What candle says.
    pub fn by_candle(
        &self,
        op: &(impl Operator + ?Sized),
        gradient: &Tensor,
    ) -> CandleResult<Gradients> {
        let variable = |tensor: &Tensor, wanted: bool| {
            let var = wanted.then(|| Var::from_tensor(tensor)).transpose()?;
            Ok(var.map_or_else(|| tensor.clone(), Var::into_inner))
        };
        let inputs = self.inputs.iter().map(|(x, wanted)| variable(x, *wanted));
        let inputs = inputs.collect::<CandleResult<Vec<Tensor>>>()?;
        let params = self.params.iter().map(|(p, part)| variable(p, part.any()));
        let params = params.collect::<CandleResult<Vec<Tensor>>>()?;
        let (input_refs, param_refs): (Vec<&Tensor>, Vec<&Tensor>) =
            (inputs.iter().collect(), params.iter().collect());
        let output = op.run(&input_refs, &param_refs)?;
        let store = (output * gradient)?.sum_all()?.backward()?;
        let found = |tensors: &[Tensor]| {
            let of = |tensor| store.get(tensor).map(Tensor::detach);
            tensors.iter().map(of).collect()
        };
        Ok(Gradients {
            inputs: found(&inputs),
            params: found(&params),
        })
    }
}

/// All values of a run, for gradients to be taken.
#[derive(Debug)]
pub struct Trace {
    values: Vec<Option<Tensor>>,
}

impl Trace {
    /// Returns a value that the run was given or made.
    ///
    /// # Panics
    /// If the plan does not make the value.
    pub fn value(&self, id: ValueId) -> &Tensor {
        self.values[id.0].as_ref().expect("the plan makes it")
    }
}

impl Plan {
    /// Runs the plan like [`Plan::run`], and keeps all values.
    ///
    /// # Errors
    /// [`RunError`] naming the operator that failed.
    ///
    /// # Panics
    /// If there are not as many `inputs` as the plan has.
    pub fn trace(
        &self,
        graph: &Graph,
        weights: &Weights,
        inputs: &[Tensor],
    ) -> Result<Trace, RunError> {
        let values = self.values(graph, weights, inputs, |_| &[])?;
        Ok(Trace { values })
    }

    /// Returns the gradients of some parameters, in order, for gradients of the plan's outputs; nothing for a parameter
    /// that no output depends on. Where only some elements of a gradient are wanted, others are zero.
    ///
    /// # Errors
    /// [`RunError`] naming the operator that failed.
    ///
    /// # Panics
    /// If there are not as many `outputs` as the plan has, all different, or `trace` comes from another plan.
    pub fn gradients(
        &self,
        graph: &Graph,
        weights: &Weights,
        trace: Trace,
        outputs: &[Tensor],
        wanted: &[(ParamId, Wanted<'_>)],
    ) -> Result<Vec<Option<Tensor>>, RunError> {
        assert_eq!(outputs.len(), self.outputs.len(), "one tensor an output");
        let given = self.outputs.iter().copied().zip(outputs.iter().cloned());
        let mut backward = Backward {
            graph,
            weights,
            wanted: wanted.iter().copied().collect(),
            depends: vec![false; graph.values.len()],
            values: trace.values,
            of_values: Sums(given.collect()),
            of_params: Sums(HashMap::new()),
        };
        backward.mark(&self.steps);
        for step in self.steps.iter().rev() {
            backward.step(step)?;
        }
        let mut found = backward.of_params.0;
        Ok(wanted.iter().map(|(id, _)| found.remove(id)).collect())
    }
}

/// The way back through a plan.
struct Backward<'a> {
    graph: &'a Graph,
    weights: &'a Weights,
    wanted: HashMap<ParamId, Wanted<'a>>,
    /// The values that depend on a parameter whose gradient is wanted.
    depends: Vec<bool>,
    /// What is still looked at.
    values: Vec<Option<Tensor>>,
    of_values: Sums<ValueId>,
    of_params: Sums<ParamId>,
}

impl Backward<'_> {
    /// Finds out which values depend on what is wanted.
    fn mark(&mut self, steps: &[Step]) {
        for step in steps {
            let node = self.graph.node(step.node);
            let learns = node.params.iter().any(|id| self.wanted(*id).any());
            let depends = learns || node.inputs.iter().any(|id| self.depends[id.0]);
            self.depends[step.output.0] = depends;
        }
    }

    fn wanted(&self, id: ParamId) -> Wanted<'_> {
        self.wanted.get(&id).copied().unwrap_or(Wanted::No)
    }

    /// Passes the gradient of an operator's output on to its inputs and parameters.
    fn step(&mut self, step: &Step) -> Result<(), RunError> {
        let output = self.values[step.output.0].take().expect("the run made it");
        let gradient = self.of_values.0.remove(&step.output);
        let Some(gradient) = gradient.filter(|_| self.depends[step.output.0]) else {
            return Ok(());
        };
        let node = self.graph.node(step.node);
        let gradients = clamp_gradient(&output, &gradient, step.clamp)
            .and_then(|gradient| self.gradients(node, &gradient));
        let summed = gradients.and_then(|gradients| {
            self.of_values.add_all(&node.inputs, gradients.inputs)?;
            self.of_params.add_all(&node.params, gradients.params)
        });
        summed.map_err(|source| {
            let inputs: Vec<&Tensor> = node.inputs.iter().map(|id| self.value(*id)).collect();
            node_error(node, &inputs, source)
        })
    }

    fn value(&self, id: ValueId) -> &Tensor {
        self.values[id.0].as_ref().expect("the run made it")
    }

    /// Asks an operator for its gradients, and masks those of parameters.
    fn gradients(&self, node: &Node, gradient: &Tensor) -> CandleResult<Gradients> {
        let inputs = node
            .inputs
            .iter()
            .map(|id| (self.value(*id), self.depends[id.0]));
        let params = node
            .params
            .iter()
            .map(|id| (self.weights.tensor(*id), self.wanted(*id)));
        let (inputs, params): (Vec<_>, Vec<_>) = (inputs.collect(), params.collect());
        let call = Call {
            inputs: &inputs,
            params: &params,
        };
        let mut gradients = node.op.gradients(&call, gradient)?;
        for (gradient, (_, wanted)) in gradients.params.iter_mut().zip(&params) {
            if let (Some(gradient), Wanted::Where(mask)) = (gradient, wanted) {
                *gradient = (&*gradient * *mask)?;
            }
        }
        Ok(gradients)
    }
}

/// Gradients that come from several places.
struct Sums<Id>(HashMap<Id, Tensor>);

impl<Id: Copy + Eq + std::hash::Hash> Sums<Id> {
    fn add(&mut self, id: Id, gradient: Tensor) -> CandleResult<()> {
        let sum = match self.0.remove(&id) {
            Some(sum) => Add {}.run(&[&sum, &gradient], &[])?,
            None => gradient,
        };
        self.0.insert(id, sum);
        Ok(())
    }

    fn add_all(&mut self, ids: &[Id], gradients: Vec<Option<Tensor>>) -> CandleResult<()> {
        for (id, gradient) in ids.iter().zip(gradients) {
            if let Some(gradient) = gradient {
                self.add(*id, gradient)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
