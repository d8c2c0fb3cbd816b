//! What a graph is made of: operators, parameters and values, each with an id and a unique name.

use super::{Op, Shape};
use serde::Serialize;

/// Identifies a value of one graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub(super) usize);

/// Identifies an operator of one graph. Ids ascend in topological order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) usize);

/// Identifies a parameter of one graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamId(pub(super) usize);

/// Something computed or given: an edge of the graph.
#[derive(Debug, Clone)]
pub struct Value {
    /// The name, unique in the graph: that of the operator that makes it, or that of the input.
    pub name: String,
    /// The shape of one sample.
    pub shape: Shape,
}

/// What a parameter is to its operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A matrix or kernel.
    Weight,
    /// What is added per output channel.
    Bias,
    /// Scale or shift of a normalisation, or a learned token: trained, and never pruned.
    Affine,
    /// Running statistics, not trained by gradient descent.
    Buffer,
}

/// A tensor that a checkpoint holds.
#[derive(Debug, Clone)]
pub struct Param {
    /// The name in the checkpoint, for example `layer1.0.conv1.weight`.
    pub name: String,
    /// The shape, for example `[out, in / groups, kh, kw]`.
    pub shape: Vec<usize>,
    /// What it is to its operator.
    pub role: Role,
}

impl Param {
    /// Returns the number of elements.
    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }
}

/// One operator in its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// The name of the module in the checkpoint, for example `layer1.0.conv1`; unique in the graph.
    pub name: String,
    /// What is computed.
    pub op: Op,
    /// The values it takes.
    pub inputs: Vec<ValueId>,
    /// The parameters it takes, in the order of [`super::Operator::params`].
    pub params: Vec<ParamId>,
    /// Whether they are those of an operator before it.
    pub shared: bool,
    /// The value it makes.
    pub output: ValueId,
}

impl Node {
    /// Returns the parameter with this role, if the operator has one.
    pub fn param(&self, graph: &Graph, role: Role) -> Option<ParamId> {
        self.params
            .iter()
            .copied()
            .find(|id| graph.param(*id).role == role)
    }
}

/// A network: operators in topological order over named values. Made by a [`super::Builder`], changed by nothing but named patches.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    pub(super) values: Vec<Value>,
    pub(super) params: Vec<Param>,
    pub(super) nodes: Vec<Node>,
    pub(super) inputs: Vec<ValueId>,
    pub(super) outputs: Vec<ValueId>,
}

impl Graph {
    /// Returns the operator `id`.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Returns the value `id`.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    /// Returns the parameter `id`.
    pub fn param(&self, id: ParamId) -> &Param {
        &self.params[id.0]
    }

    /// Iterates over the operators in topological order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(i, n)| (NodeId(i), n))
    }

    /// Iterates over the parameters, in the order of the operators that take them.
    pub fn params(&self) -> impl ExactSizeIterator<Item = (ParamId, &Param)> {
        self.params.iter().enumerate().map(|(i, p)| (ParamId(i), p))
    }

    /// Returns the values that the network takes.
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// Returns the values that the network gives.
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }

    /// Returns the operator called `name`.
    pub fn find_node(&self, name: &str) -> Option<NodeId> {
        self.nodes().find(|(_, n)| n.name == name).map(|(id, _)| id)
    }

    /// Iterates over the layers whose weight may be pruned, in topological order; over the first operator of those that share one.
    pub fn prunable(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes()
            .filter(|(_, node)| node.op.prunable() && !node.shared)
    }

    /// Returns the operators that compute with the parameters of `id`, itself among them, in topological order.
    pub fn calls(&self, id: NodeId) -> Vec<NodeId> {
        let params = &self.node(id).params;
        if params.is_empty() {
            return vec![id];
        }
        let shares = |(_, node): &(NodeId, &Node)| node.params == *params;
        self.nodes().filter(shares).map(|(id, _)| id).collect()
    }

    /// Returns the weight of a prunable layer.
    ///
    /// # Panics
    /// If `node` is not prunable: every prunable operator declares a parameter of [`Role::Weight`].
    pub fn weight_of(&self, node: NodeId) -> ParamId {
        self.node(node)
            .param(self, Role::Weight)
            .expect("a prunable operator has a weight")
    }

    /// Returns how often each value is used: by operators, and as an output of the network.
    pub(super) fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.values.len()];
        let taken = self.nodes.iter().flat_map(|node| &node.inputs);
        for value in taken.chain(&self.outputs) {
            uses[value.0] += 1;
        }
        uses
    }

    /// Returns the number of trained parameters; running statistics do not count.
    pub fn parameter_count(&self) -> usize {
        self.params
            .iter()
            .filter(|p| p.role != Role::Buffer)
            .map(Param::numel)
            .sum()
    }

    /// Returns the multiply-accumulates of one operator for one sample.
    pub fn macs_of(&self, node: &Node) -> u64 {
        let inputs: Vec<&Shape> = node.inputs.iter().map(|v| &self.value(*v).shape).collect();
        node.op.macs(&inputs, &self.value(node.output).shape)
    }

    /// Returns the multiply-accumulates of the network for one sample.
    pub fn macs(&self) -> u64 {
        self.nodes.iter().map(|node| self.macs_of(node)).sum()
    }
}
