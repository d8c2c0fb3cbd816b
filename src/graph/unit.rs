//! Reconstruction units: parts of a network that are replayed and adjusted on their own, found from structure alone.

use super::block::blocks;
use super::{Graph, Node, NodeId, ValueId};
use crate::registry::{Named, Registry};
use std::collections::HashSet;

/// A part of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The module that holds its layers, or its first and last layer.
    pub name: String,
    /// The values from outside that it takes.
    pub inputs: Vec<ValueId>,
    /// The values that it makes for others; more than one for the whole of a network with several outputs, and for layers that are
    /// called several times.
    pub outputs: Vec<ValueId>,
    /// Its operators, in order.
    pub nodes: Vec<NodeId>,
    /// Those of them that are prunable; at least one.
    pub layers: Vec<NodeId>,
}

/// A way of cutting a network into units. Each prunable layer lies in exactly one of them.
#[derive(Debug)]
pub struct Granularity {
    name: &'static str,
    summary: &'static str,
    /// Whether the unit is judged by what its outputs mean to the task, not by their squared error.
    distils: bool,
    units: fn(&Graph) -> Vec<Unit>,
}

/// Every granularity there is.
pub static GRANULARITIES: Registry<Granularity> = Registry::new(
    "granularity",
    &[
        Granularity::new(
            "single",
            "each prunable layer alone, before its activation",
            single,
        ),
        Granularity::new(
            "layer",
            "a prunable layer and what follows it up to the next layer, branch or merge",
            layer,
        ),
        Granularity::new(
            "block",
            "from a fork to its merge and activation; chains by bottlenecks, or at most three layers",
            block,
        ),
        Granularity::new(
            "stage",
            "consecutive blocks whose outputs have equally many pixels or tokens",
            stage,
        ),
        Granularity {
            name: "net",
            summary: "the whole network, distilled as its task asks for",
            distils: true,
            units: net,
        },
    ],
);

impl Named for Granularity {
    fn name(&self) -> &str {
        self.name
    }
}

impl Granularity {
    /// Makes a granularity whose units are to be met in squared error. `units` gives them in topological order.
    pub const fn new(
        name: &'static str,
        summary: &'static str,
        units: fn(&Graph) -> Vec<Unit>,
    ) -> Self {
        Self {
            name,
            summary,
            distils: false,
            units,
        }
    }

    /// Returns the one-line description.
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// Whether its unit is the whole network, to be distilled with the objective of its task.
    pub fn distils(&self) -> bool {
        self.distils
    }

    /// Returns the units of `graph` in topological order.
    pub fn units(&self, graph: &Graph) -> Vec<Unit> {
        (self.units)(graph)
    }
}

fn single(graph: &Graph) -> Vec<Unit> {
    graph
        .prunable()
        .map(|(id, _)| Unit::of(graph, graph.calls(id)))
        .collect()
}

fn layer(graph: &Graph) -> Vec<Unit> {
    let uses = graph.uses();
    let follower = |id: NodeId| {
        let value = graph.node(id).output;
        let (next, node) = graph.nodes().find(|(_, n)| n.inputs.contains(&value))?;
        let follows = uses[value.0] == 1 && node.inputs.len() == 1 && !node.op.prunable();
        follows.then_some(next)
    };
    graph
        .prunable()
        .map(|(id, _)| {
            let run = |id| std::iter::successors(Some(id), |id| follower(*id));
            let calls = graph.calls(id).into_iter();
            let mut nodes: Vec<NodeId> = calls.flat_map(run).collect();
            nodes.sort_unstable();
            Unit::of(graph, nodes)
        })
        .collect()
}

fn block(graph: &Graph) -> Vec<Unit> {
    let blocks = blocks(graph).into_iter();
    blocks.map(|nodes| Unit::of(graph, nodes)).collect()
}

fn stage(graph: &Graph) -> Vec<Unit> {
    let positions = |block: &[NodeId]| {
        let last = block.last().expect("a block has operators");
        let shape = &graph.value(graph.node(*last).output).shape;
        shape.numel() / shape.channels()
    };
    let blocks = blocks(graph);
    let held: HashSet<NodeId> = blocks.iter().flatten().copied().collect();
    blocks
        .chunk_by(|a, b| positions(a) == positions(b))
        .map(|stage| {
            let ends = [
                stage[0][0],
                stage[stage.len() - 1][stage[stage.len() - 1].len() - 1],
            ];
            let inside: HashSet<NodeId> = stage.iter().flatten().copied().collect();
            let between = graph.nodes().map(|(id, _)| id);
            let between = between.filter(|id| (ends[0]..=ends[1]).contains(id));
            let nodes = between.filter(|id| inside.contains(id) || !held.contains(id));
            Unit::of(graph, nodes.collect())
        })
        .collect()
}

fn net(graph: &Graph) -> Vec<Unit> {
    let nodes = graph.nodes().map(|(id, _)| id).collect();
    let unit = Unit {
        name: "net".to_owned(),
        outputs: graph.outputs().to_vec(),
        ..Unit::of(graph, nodes)
    };
    vec![unit]
}

impl Unit {
    /// Makes a unit of `nodes`, given in order, at least one of which is prunable.
    pub fn of(graph: &Graph, nodes: Vec<NodeId>) -> Self {
        let made: HashSet<ValueId> = nodes.iter().map(|id| graph.node(*id).output).collect();
        let mut inputs = Vec::new();
        for value in nodes.iter().flat_map(|id| &graph.node(*id).inputs) {
            if !made.contains(value) && !inputs.contains(value) {
                inputs.push(*value);
            }
        }
        let is_layer = |node: &Node| node.op.prunable() && !node.shared;
        let layers: Vec<NodeId> = nodes
            .iter()
            .copied()
            .filter(|id| is_layer(graph.node(*id)))
            .collect();
        Self {
            name: name(graph, &layers),
            inputs,
            outputs: outputs(graph, &nodes),
            nodes,
            layers,
        }
    }
}

/// Returns the values that `nodes` make and others take, in order.
fn outputs(graph: &Graph, nodes: &[NodeId]) -> Vec<ValueId> {
    let inside: HashSet<NodeId> = nodes.iter().copied().collect();
    let others = graph.nodes().filter(|(id, _)| !inside.contains(id));
    let taken = others.flat_map(|(_, node)| &node.inputs);
    let taken: HashSet<ValueId> = taken.chain(graph.outputs()).copied().collect();
    let made = nodes.iter().map(|id| graph.node(*id).output);
    made.filter(|value| taken.contains(value)).collect()
}

/// Returns the innermost module that holds `layers` and no others, or `first..last` where there is none.
fn name(graph: &Graph, layers: &[NodeId]) -> String {
    let name_of = |id: &NodeId| graph.node(*id).name.as_str();
    let [first, .., last] = layers else {
        return layers.iter().map(name_of).collect();
    };
    let (first, last) = (name_of(first), name_of(last));
    let inside = |name: &str, module: &str| {
        let rest = name.strip_prefix(module);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let holds_all = |module: &&str| layers.iter().all(|id| inside(name_of(id), module));
    let ends = first.rmatch_indices('.').map(|(end, _)| &first[..end]);
    let module = { ends }.find(holds_all).filter(|module| {
        let held = graph.prunable().filter(|(_, n)| inside(&n.name, module));
        held.count() == layers.len()
    });
    module.map_or_else(|| format!("{first}..{last}"), str::to_owned)
}
