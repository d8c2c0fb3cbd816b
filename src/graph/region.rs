//! Regions from a fork to its merge, wherever in a graph they are.

use super::{Graph, Motif, NodeId, ValueId};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Operators between a value and the operator that merges what was made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Region {
    /// The value where ways part.
    pub(super) fork: ValueId,
    /// The operators, the merge last.
    pub(super) nodes: Vec<NodeId>,
}

impl Region {
    fn merge(&self) -> NodeId {
        *self.nodes.last().expect("a region has a merge")
    }
}

/// What a graph's regions are found with.
struct Finder<'a> {
    graph: &'a Graph,
    makers: HashMap<ValueId, NodeId>,
    takers: HashMap<ValueId, Vec<NodeId>>,
}

/// Returns the largest regions of `graph` that hold layers and no two regions in a row: what spans those is a skip across a part of
/// the network, such as those of pyramids and U-Nets. What merely gates (squeeze and excitation) is none.
pub(super) fn regions(graph: &Graph) -> Vec<Region> {
    let finder = Finder::new(graph);
    let all: Vec<Region> = graph
        .nodes()
        .filter_map(|(id, _)| finder.region(id))
        .collect();
    let blocks: Vec<&Region> = all.iter().filter(|r| !finder.spans(r, &all)).collect();
    let inside = |small: &Region, large: &Region| {
        small != large && small.nodes.iter().all(|id| large.nodes.contains(id))
    };
    let largest = |region: &&&Region| !blocks.iter().any(|other| inside(region, other));
    blocks
        .iter()
        .filter(largest)
        .map(|r| (*r).clone())
        .collect()
}

impl<'a> Finder<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut takers: HashMap<ValueId, Vec<NodeId>> = HashMap::new();
        for (id, node) in graph.nodes() {
            for value in &node.inputs {
                takers.entry(*value).or_default().push(id);
            }
        }
        Self {
            graph,
            makers: graph.nodes().map(|(id, n)| (n.output, id)).collect(),
            takers,
        }
    }

    /// Returns the region that `merge` ends, if it ends one that holds layers and that nothing leaves elsewhere.
    fn region(&self, merge: NodeId) -> Option<Region> {
        let motif = self.graph.node(merge).op.motif();
        if matches!(motif, Motif::Gate | Motif::Collect) {
            return None;
        }
        let mut ways: BTreeSet<ValueId> = self.graph.node(merge).inputs.iter().copied().collect();
        if ways.len() < 2 {
            return None;
        }
        let mut nodes = vec![merge];
        // Values are numbered in the order in which they are made: the last one cannot be a way to any other.
        while ways.len() > 1 {
            let last = ways.pop_last().expect("more than one");
            let maker = *self.makers.get(&last)?;
            nodes.push(maker);
            ways.extend(&self.graph.node(maker).inputs);
        }
        nodes.reverse();
        let fork = ways.pop_last().expect("one is left");
        let region = Region { fork, nodes };
        (self.closed(&region) && self.has_layers(&region)).then_some(region)
    }

    /// Whether nothing outside takes what is made inside, but for what the merge makes.
    fn closed(&self, region: &Region) -> bool {
        let inside: HashSet<NodeId> = region.nodes.iter().copied().collect();
        let (_, before) = region.nodes.split_last().expect("a region has a merge");
        let takers = before.iter().flat_map(|id| {
            let takers = self.takers.get(&self.graph.node(*id).output);
            takers.into_iter().flatten()
        });
        takers.into_iter().all(|taker| inside.contains(taker))
    }

    fn has_layers(&self, region: &Region) -> bool {
        let mut ops = region.nodes.iter().map(|id| &self.graph.node(*id).op);
        ops.any(|op| op.prunable())
    }

    /// Whether two of `others` lie in a row inside `region`.
    fn spans(&self, region: &Region, others: &[Region]) -> bool {
        let nodes: HashSet<NodeId> = region.nodes.iter().copied().collect();
        let strictly_inside = |other: &&Region| {
            let held = other.nodes.iter().all(|id| nodes.contains(id));
            held && other.merge() != region.merge()
        };
        let inside: Vec<&Region> = others.iter().filter(strictly_inside).collect();
        let mut pairs = inside
            .iter()
            .flat_map(|first| inside.iter().map(move |second| (first, second)));
        pairs.any(|(first, second)| self.leads(first.merge(), second.fork))
    }

    /// Whether `value` depends on `node`.
    fn leads(&self, node: NodeId, value: ValueId) -> bool {
        let mut open = vec![value];
        let mut seen = HashSet::new();
        while let Some(value) = open.pop() {
            match self.makers.get(&value) {
                Some(maker) if *maker == node => return true,
                Some(maker) if *maker > node && seen.insert(*maker) => {
                    open.extend(&self.graph.node(*maker).inputs);
                }
                _ => {}
            }
        }
        false
    }
}
