//! Named edits of a graph.

use super::ops::ChannelAffine;
use super::{Builder, Graph, Node, NodeId, ParamId, Role, ValueId, Weights};
use candle_core::{DType, Result, Tensor};
use std::collections::HashMap;

/// Folds every batch norm that directly follows a layer, and nothing else does, into that layer's weight and bias.
///
/// For a layer `y = W x + b` and a norm `s y + t` per channel, the layer becomes `(s W) x + (s b + t)`, computed in f64.
#[derive(Debug, Clone)]
pub struct BatchNormFolding {
    original: Graph,
    folded: Graph,
    pairs: Vec<(NodeId, NodeId)>,
}

impl BatchNormFolding {
    /// Finds what can be folded in `graph`, and makes the graph without it.
    pub fn of(graph: &Graph) -> Self {
        let pairs = pairs(graph);
        Self {
            folded: without(graph, &pairs),
            original: graph.clone(),
            pairs,
        }
    }

    /// Returns the graph in which the norms are folded. Layers and all other parameters keep their names.
    pub fn graph(&self) -> &Graph {
        &self.folded
    }

    /// Returns the weights of [`Self::graph`] with which it computes what the original does with `weights`.
    ///
    /// # Errors
    /// What candle says.
    pub fn fold(&self, weights: &Weights) -> Result<Weights> {
        let mut tensors = named(&self.original, weights);
        for (layer, norm) in &self.pairs {
            let layer = self.original.node(*layer);
            let norm = self.original.node(*norm);
            let params: Vec<&Tensor> = norm.params.iter().map(|id| weights.tensor(*id)).collect();
            let (scale, shift) = affine(norm).scale_and_shift(&params)?;
            let (weight, bias) = self.slots(layer);
            let (w, b) = scaled(&tensors[&weight], tensors.get(&bias), &scale, &shift)?;
            tensors.insert(weight, w);
            tensors.insert(bias, b);
        }
        Ok(bind(&self.folded, tensors))
    }

    /// Returns weights of the original graph with which it computes what [`Self::graph`] does with `folded`: layers take
    /// the folded weights, and each norm only adds the bias that came of folding.
    ///
    /// # Errors
    /// What candle says.
    pub fn unfold(&self, folded: &Weights) -> Result<Weights> {
        let mut tensors = named(&self.folded, folded);
        for (layer, norm) in &self.pairs {
            let layer = self.original.node(*layer);
            let norm = self.original.node(*norm);
            let (_, bias) = self.slots(layer);
            let shift = tensors.remove(&bias).expect("folded layers have a bias");
            if layer.param(&self.original, Role::Bias).is_some() {
                tensors.insert(bias, shift.zeros_like()?);
            }
            for (id, tensor) in norm.params.iter().zip(affine(norm).pure_shift(&shift)?) {
                tensors.insert(self.original.param(*id).name.clone(), tensor);
            }
        }
        Ok(bind(&self.original, tensors))
    }

    /// Returns the names of a folded layer's weight and bias.
    fn slots(&self, layer: &Node) -> (String, String) {
        let id = self
            .folded
            .find_node(&layer.name)
            .expect("folding keeps layers");
        let folded = self.folded.node(id);
        let name = |role| {
            let id: ParamId = folded
                .param(&self.folded, role)
                .expect("folded layers have a weight and a bias");
            self.folded.param(id).name.clone()
        };
        (name(Role::Weight), name(Role::Bias))
    }
}

fn bind(graph: &Graph, mut tensors: HashMap<String, Tensor>) -> Weights {
    let tensors = graph
        .params()
        .map(|(_, p)| tensors.remove(&p.name).expect("every parameter is bound"))
        .collect();
    Weights::new(graph, tensors).expect("folding keeps shapes")
}

fn affine(norm: &Node) -> &dyn ChannelAffine {
    norm.op.as_affine().expect("only affine norms are paired")
}

fn named(graph: &Graph, weights: &Weights) -> HashMap<String, Tensor> {
    graph
        .params()
        .map(|(id, param)| (param.name.clone(), weights.tensor(id).clone()))
        .collect()
}

/// Finds layers that can take a bias, are called once, and are followed by nothing but a norm.
fn pairs(graph: &Graph) -> Vec<(NodeId, NodeId)> {
    let uses = graph.uses();
    let maker: HashMap<ValueId, NodeId> = graph.nodes().map(|(id, n)| (n.output, id)).collect();
    graph
        .nodes()
        .filter(|(_, norm)| norm.op.as_affine().is_some())
        .filter_map(|(id, norm)| {
            let value = norm.inputs[0];
            let layer = *maker.get(&value)?;
            let alone = uses[value.0] == 1 && graph.calls(layer).len() == 1 && !norm.shared;
            let foldable = alone && graph.node(layer).op.with_bias().is_some();
            foldable.then_some((layer, id))
        })
        .collect()
}

/// Rebuilds the graph with biased layers and without the norms.
fn without(graph: &Graph, pairs: &[(NodeId, NodeId)]) -> Graph {
    let layers: HashMap<NodeId, NodeId> = pairs.iter().copied().collect();
    let norms: HashMap<NodeId, NodeId> = pairs.iter().map(|(l, n)| (*n, *l)).collect();
    rebuilt(graph, |builder, id, inputs| {
        let node = graph.node(id);
        let biased = layers.get(&id).and_then(|_| node.op.with_bias());
        match biased {
            _ if norms.contains_key(&id) => inputs[0],
            Some(op) => builder
                .add(&node.name, op, inputs)
                .expect("shapes were right"),
            None => copied(builder, graph, id, inputs),
        }
    })
}

/// Makes a graph of what `make` makes of each operator on its new inputs.
pub(super) fn rebuilt(
    graph: &Graph,
    mut make: impl FnMut(&mut Builder, NodeId, &[ValueId]) -> ValueId,
) -> Graph {
    let mut builder = Builder::new();
    let mut moved: HashMap<ValueId, ValueId> = HashMap::new();
    for id in graph.inputs() {
        let value = graph.value(*id);
        let new = builder.input(&value.name, value.shape.clone());
        moved.insert(*id, new.expect("names were unique"));
    }
    for (id, node) in graph.nodes() {
        let inputs: Vec<ValueId> = node.inputs.iter().map(|v| moved[v]).collect();
        moved.insert(node.output, make(&mut builder, id, &inputs));
    }
    let outputs: Vec<ValueId> = graph.outputs().iter().map(|v| moved[v]).collect();
    builder.finish(&outputs)
}

/// Adds an operator as it is, with its parameters or those that it shares.
pub(super) fn copied(
    builder: &mut Builder,
    graph: &Graph,
    id: NodeId,
    inputs: &[ValueId],
) -> ValueId {
    let node = graph.node(id);
    let added = if node.shared {
        let of = &graph.node(graph.calls(id)[0]).name;
        builder.share(&node.name, of, inputs)
    } else {
        builder.add(&node.name, node.op.clone(), inputs)
    };
    added.expect("shapes were right")
}

/// Applies a per-channel map to a layer's weight and bias, in f64.
fn scaled(
    weight: &Tensor,
    bias: Option<&Tensor>,
    scale: &Tensor,
    shift: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let mut column = vec![1; weight.rank()];
    column[0] = scale.elem_count();
    let w = weight
        .to_dtype(DType::F64)?
        .broadcast_mul(&scale.reshape(column)?)?;
    let b = match bias {
        Some(bias) => ((bias.to_dtype(DType::F64)? * scale)? + shift)?,
        None => shift.clone(),
    };
    Ok((w.to_dtype(weight.dtype())?, b.to_dtype(weight.dtype())?))
}
