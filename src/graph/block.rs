//! Reconstruction units: parts of a network that are replayed and adjusted on their own, found from structure alone.
//!
//! The building bricks are *cuts*: values that alone are alive at their point of the order, so that all that follows
//! depends on nothing else. What lies between two cuts is one operator of a chain, or a region from a fork to its merge.

use super::{Graph, NodeId, ValueId};
use crate::registry::{Named, Registry};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A part of a network with one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The module that holds its layers, or its first and last layer.
    pub name: String,
    /// The values from outside that it takes.
    pub inputs: Vec<ValueId>,
    /// The value that it makes.
    pub output: ValueId,
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
    units: fn(&Graph) -> Vec<Unit>,
}

/// Every granularity there is.
pub static GRANULARITIES: Registry<Granularity> = Registry::new(
    "granularity",
    &[
        Granularity {
            name: "single",
            summary: "each prunable layer alone, before its activation",
            units: single,
        },
        Granularity {
            name: "layer",
            summary: "a prunable layer and what follows it up to the next layer, branch or merge",
            units: layer,
        },
        Granularity {
            name: "block",
            summary: "from a fork to its merge and activation; chains in groups of at most three layers",
            units: block,
        },
    ],
);

impl Named for Granularity {
    fn name(&self) -> &str {
        self.name
    }
}

impl Granularity {
    /// Returns the one-line description.
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// Returns the units of `graph` in topological order.
    pub fn units(&self, graph: &Graph) -> Vec<Unit> {
        (self.units)(graph)
    }
}

/// The most layers of a chain that make one block.
const CHAIN_LAYERS: usize = 3;

fn single(graph: &Graph) -> Vec<Unit> {
    graph
        .prunable()
        .map(|(id, _)| Unit::of(graph, vec![id]))
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
            let nodes = std::iter::successors(Some(id), |id| follower(*id));
            Unit::of(graph, nodes.collect())
        })
        .collect()
}

fn block(graph: &Graph) -> Vec<Unit> {
    let mut blocks: Vec<Vec<NodeId>> = Vec::new();
    let mut chain: Vec<NodeId> = Vec::new();
    let mut after_region = false;
    for segment in segments(graph) {
        let nodes: Vec<NodeId> = segment.map(NodeId).collect();
        let region = nodes.len() > 1 && nodes.iter().any(|id| prunable(graph, *id));
        if region {
            blocks.extend(groups(graph, &std::mem::take(&mut chain)));
            blocks.push(nodes);
        } else if after_region && graph.node(nodes[0]).op.is_activation() {
            blocks
                .last_mut()
                .expect("a region came before")
                .extend(nodes);
        } else {
            chain.extend(nodes);
        }
        after_region = region;
    }
    blocks.extend(groups(graph, &chain));
    distinct(graph, blocks.into_iter().map(|b| Unit::of(graph, b)))
}

/// Names units that lie in the same module by their first and last layer.
fn distinct(graph: &Graph, units: impl Iterator<Item = Unit>) -> Vec<Unit> {
    let mut units: Vec<Unit> = units.collect();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for unit in &units {
        *seen.entry(unit.name.clone()).or_default() += 1;
    }
    for unit in units.iter_mut().filter(|unit| seen[&unit.name] > 1) {
        if let [first, .., last] = unit.layers.as_slice() {
            let name = |id: &NodeId| &graph.node(*id).name;
            unit.name = format!("{}..{}", name(first), name(last));
        }
    }
    units
}

/// Returns the operators between successive cuts.
fn segments(graph: &Graph) -> Vec<Range<usize>> {
    let mut left = graph.uses();
    let mut alive: HashSet<ValueId> = graph.inputs().iter().copied().collect();
    let mut segments = Vec::new();
    let mut start = 0;
    for (NodeId(position), node) in graph.nodes() {
        alive.insert(node.output);
        for value in &node.inputs {
            left[value.0] -= 1;
            if left[value.0] == 0 {
                alive.remove(value);
            }
        }
        if alive.len() == 1 {
            segments.push(start..position + 1);
            start = position + 1;
        }
    }
    if start < graph.nodes().len() {
        segments.push(start..graph.nodes().len());
    }
    segments
}

/// Cuts a chain into groups of at most [`CHAIN_LAYERS`] layers, each with what follows its layers; none if it has no layer.
fn groups(graph: &Graph, chain: &[NodeId]) -> Vec<Vec<NodeId>> {
    let mut groups: Vec<Vec<NodeId>> = vec![Vec::new()];
    let mut layers = 0;
    for id in chain {
        if prunable(graph, *id) {
            if layers == CHAIN_LAYERS {
                groups.push(Vec::new());
                layers = 0;
            }
            layers += 1;
        }
        groups.last_mut().expect("there is a group").push(*id);
    }
    groups.retain(|group| group.iter().any(|id| prunable(graph, *id)));
    groups
}

fn prunable(graph: &Graph, id: NodeId) -> bool {
    graph.node(id).op.prunable()
}

impl Unit {
    /// Makes a unit of `nodes`, given in order; the last one makes its output.
    fn of(graph: &Graph, nodes: Vec<NodeId>) -> Self {
        let made: HashSet<ValueId> = nodes.iter().map(|id| graph.node(*id).output).collect();
        let mut inputs = Vec::new();
        for value in nodes.iter().flat_map(|id| &graph.node(*id).inputs) {
            if !made.contains(value) && !inputs.contains(value) {
                inputs.push(*value);
            }
        }
        let last = nodes.last().expect("a unit has operators");
        let layers: Vec<NodeId> = nodes
            .iter()
            .copied()
            .filter(|id| prunable(graph, *id))
            .collect();
        let names: Vec<&str> = layers
            .iter()
            .map(|id| graph.node(*id).name.as_str())
            .collect();
        Self {
            name: common_module(&names),
            inputs,
            output: graph.node(*last).output,
            nodes,
            layers,
        }
    }
}

/// Returns the innermost module that holds all `names`, or `first..last` where there is none.
fn common_module(names: &[&str]) -> String {
    let [first, .., last] = names else {
        return names.join("");
    };
    let shared = first
        .split('.')
        .enumerate()
        .take_while(|(i, part)| names.iter().all(|n| n.split('.').nth(*i) == Some(part)))
        .map(|(_, part)| part)
        .collect::<Vec<_>>();
    // A bare container such as torchvision's `features` would name every chain alike.
    if shared.len() > 1 {
        shared.join(".")
    } else {
        format!("{first}..{last}")
    }
}
