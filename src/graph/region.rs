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
/// the network, such as those of pyramids and U-Nets. What merely gates (squeeze and excitation) or conditions is none; what is made
/// for a condition inside a region, and for nothing else, is a part of the region.
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
        if matches!(motif, Motif::Gate | Motif::Condition | Motif::Collect) {
            return None;
        }
        let mut ways: BTreeSet<ValueId> = self.graph.node(merge).inputs.iter().copied().collect();
        if ways.len() < 2 {
            return None;
        }
        let mut nodes = BTreeSet::from([merge]);
        let mut conditions = Vec::new();
        // Values are numbered in the order in which they are made: the last one cannot be a way to any other.
        while ways.len() > 1 {
            let last = ways.pop_last().expect("more than one");
            let maker = *self.makers.get(&last)?;
            nodes.insert(maker);
            let node = self.graph.node(maker);
            if node.op.motif() == Motif::Condition {
                ways.insert(node.inputs[0]);
                conditions.extend(&node.inputs[1..]);
            } else {
                ways.extend(&node.inputs);
            }
        }
        let fork = ways.pop_last().expect("one is left");
        self.take_made_for(conditions, &mut nodes);
        let nodes = nodes.into_iter().collect();
        let region = Region { fork, nodes };
        (self.closed(&region) && self.has_layers(&region)).then_some(region)
    }

    /// Adds to `nodes` what makes `values` for them alone.
    fn take_made_for(&self, mut values: Vec<ValueId>, nodes: &mut BTreeSet<NodeId>) {
        while let Some(value) = values.pop() {
            let inside = self.takers[&value]
                .iter()
                .all(|taker| nodes.contains(taker));
            if let Some(maker) = self.makers.get(&value).filter(|_| inside) {
                nodes.insert(*maker);
                values.extend(&self.graph.node(*maker).inputs);
            }
        }
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
