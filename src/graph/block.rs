//! Blocks: what papers call a residual block, an inverted residual, an inception, fire or dense module, a transformer sub-block.
//!
//! The building bricks are *cuts*: values that alone are alive at their point of the order, so that all that follows
//! depends on nothing else. What lies between two cuts is one operator of a chain, or a region from a fork to its merge.
//!
//! - A region with layers is a block, with the activation that follows it. It takes along what stands directly before it and
//!   belongs to it: the squeeze of a fire module, which is a pointwise convolution before branches that are concatenated; and a
//!   region without layers, such as `PoolFormer`'s pooling.
//! - A region that ends in a gate (squeeze and excitation) is a part of the chain that it stands in.
//! - In a chain, a depthwise convolution makes a block with the pointwise ones around it: an inverted residual without
//!   shortcut, or a depthwise separable convolution. A pointwise convolution between two depthwise ones belongs to the first.
//! - What remains of a chain is cut in groups of at most three layers.
//!
//! Skips across a part of the network (pyramids, U-Nets) and heads on several values leave no cuts. There the network is a number of
//! strands: regions ([`regions`]) and other operators in a row, each of which is all that takes what the one before it makes. A strand is
//! walked like a network of its own. What gathers the outputs of heads belongs to no block, and layers that are called several times
//! make blocks of all their calls.

use super::region::{Region, regions};
use super::{Graph, Motif, NodeId, ParamId, ValueId};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The most layers of a chain that make one block.
const CHAIN_LAYERS: usize = 3;

/// Operators between two cuts, in order.
type Segment = Vec<NodeId>;

/// Returns the operators of each block, in the order of their first operators.
pub(super) fn blocks(graph: &Graph) -> Vec<Vec<NodeId>> {
    let regions = regions(graph);
    let mut blocks = Vec::new();
    let mut chain = Vec::new();
    let (segments, open) = segments(graph);
    for segment in segments {
        if is_long(&segment, &regions) {
            blocks.extend(walked(graph, std::mem::take(&mut chain)));
            blocks.extend(unravelled(graph, &segment, &regions));
        } else {
            chain.push(segment);
        }
    }
    blocks.extend(walked(graph, chain));
    blocks.extend(unravelled(graph, &open, &regions));
    joined(graph, blocks)
}

/// Whether a segment is more than a region with what rides along.
fn is_long(nodes: &Segment, regions: &[Region]) -> bool {
    let within = |region: &&Region| region.nodes.iter().all(|id| nodes.contains(id));
    let mut forks = regions.iter().filter(within).map(|region| region.fork);
    let first = forks.next();
    forks.any(|fork| Some(fork) != first)
}

/// Returns the blocks of segments in a row.
fn walked(graph: &Graph, segments: Vec<Segment>) -> Vec<Vec<NodeId>> {
    let mut walk = Walk {
        graph,
        blocks: Vec::new(),
        chain: Vec::new(),
        after_region: false,
    };
    for segment in segments {
        walk.take(segment);
    }
    walk.end_chain();
    walk.blocks
}

/// Returns the blocks of a part of the network without cuts.
fn unravelled(graph: &Graph, nodes: &Segment, regions: &[Region]) -> Vec<Vec<NodeId>> {
    let strands = strands(graph, nodes, regions).into_iter();
    strands.flat_map(|strand| walked(graph, strand)).collect()
}

/// Puts blocks of the same layers together, which are calls of one block, and sorts them. What only repeats layers of others is none.
fn joined(graph: &Graph, blocks: Vec<Vec<NodeId>>) -> Vec<Vec<NodeId>> {
    let mut calls: BTreeMap<Vec<ParamId>, Vec<NodeId>> = BTreeMap::new();
    for block in blocks {
        let layers = block.iter().filter(|id| graph.node(**id).op.prunable());
        let weights = layers.map(|id| graph.weight_of(*id)).collect();
        calls.entry(weights).or_default().extend(block);
    }
    let mut blocks: Vec<Vec<NodeId>> = calls.into_values().collect();
    for block in &mut blocks {
        block.sort_unstable();
    }
    let owns = |id: &NodeId| graph.node(*id).op.prunable() && !graph.node(*id).shared;
    blocks.retain(|block| block.iter().any(owns));
    blocks.sort_unstable_by_key(|block| block[0]);
    blocks
}

/// Returns the strands of a part of the network.
fn strands(graph: &Graph, nodes: &Segment, regions: &[Region]) -> Vec<Vec<Segment>> {
    let elements = elements(graph, nodes, regions);
    let owner: HashMap<NodeId, usize> = elements
        .iter()
        .enumerate()
        .flat_map(|(index, element)| element.nodes.iter().map(move |id| (*id, index)))
        .collect();
    let mut takers: HashMap<ValueId, HashSet<Option<&usize>>> = HashMap::new();
    for (id, node) in graph
        .nodes()
        .filter(|(_, node)| node.op.motif() != Motif::Collect)
    {
        for value in &node.inputs {
            takers.entry(*value).or_default().insert(owner.get(&id));
        }
    }
    let mut strands: Vec<Vec<Segment>> = Vec::new();
    let mut ends: HashMap<ValueId, usize> = HashMap::new();
    for Region { fork, nodes } in elements {
        let last = *nodes.last().expect("an element has operators");
        let mut inputs = graph.node(last).inputs.iter();
        let lone = nodes.len() > 1 || inputs.all(|value| *value == fork);
        let alone = lone && takers[&fork].len() == 1;
        let strand = ends.remove(&fork).filter(|_| alone);
        let strand = strand.unwrap_or_else(|| {
            strands.push(Vec::new());
            strands.len() - 1
        });
        ends.insert(graph.node(last).output, strand);
        strands[strand].push(nodes);
    }
    strands
}

/// Returns the regions of a part of the network and its other operators, each with the value that it takes, in order.
fn elements(graph: &Graph, nodes: &Segment, regions: &[Region]) -> Vec<Region> {
    let within = |region: &&Region| region.nodes.iter().all(|id| nodes.contains(id));
    let mut elements: Vec<Region> = regions.iter().filter(within).cloned().collect();
    let taken: HashSet<NodeId> = elements.iter().flat_map(|r| r.nodes.clone()).collect();
    let others = nodes.iter().filter(|id| !taken.contains(id));
    elements.extend(others.map(|id| Region {
        fork: graph.node(*id).inputs[0],
        nodes: vec![*id],
    }));
    elements.sort_by_key(|element| element.nodes[0]);
    elements
}

/// Blocks in the making.
struct Walk<'a> {
    graph: &'a Graph,
    blocks: Vec<Vec<NodeId>>,
    /// The segments since the last region.
    chain: Vec<Segment>,
    after_region: bool,
}

impl Walk<'_> {
    fn take(&mut self, segment: Segment) {
        let motif = self.motif(&segment);
        let gate = motif == Motif::Gate && self.chain.iter().any(|s| self.has_layers(s));
        let region = segment.len() > 1 && self.has_layers(&segment) && !gate;
        if region {
            let mut block = self.split_off_head(motif);
            block.extend(segment);
            self.end_chain();
            self.blocks.push(block);
        } else if self.after_region && motif == Motif::Activation {
            let block = self.blocks.last_mut().expect("a region came before");
            block.extend(segment);
        } else {
            self.chain.push(segment);
        }
        self.after_region = region;
    }

    /// Takes from the end of the chain what belongs to a region that ends in `merge`.
    fn split_off_head(&mut self, merge: Motif) -> Vec<NodeId> {
        let mut start = self.chain.len();
        if merge == Motif::Concat {
            start = self.squeeze().unwrap_or(start);
        }
        while start > 0
            && self.chain[start - 1].len() > 1
            && !self.has_layers(&self.chain[start - 1])
        {
            start -= 1;
        }
        self.chain.split_off(start).concat()
    }

    /// Returns where the pointwise convolution stands that ends the chain, if one does.
    fn squeeze(&self) -> Option<usize> {
        let follows = |s: &Segment| matches!(self.motif(s), Motif::Activation | Motif::Norm);
        let last = self.chain.iter().rposition(|s| !follows(s))?;
        (self.motif(&self.chain[last]) == Motif::Pointwise).then_some(last)
    }

    /// Cuts the chain into blocks; what has no layers at all belongs to none.
    fn end_chain(&mut self) {
        let chain = std::mem::take(&mut self.chain);
        let runs = self.runs(chain);
        let mut rest = runs.as_slice();
        let mut group: Vec<NodeId> = Vec::new();
        let mut layers = 0;
        while let Some((run, after)) = rest.split_first() {
            let bottleneck = bottleneck(rest);
            if bottleneck > 0 || layers == CHAIN_LAYERS {
                self.blocks.extend(take_filled(&mut group));
                layers = 0;
            }
            if bottleneck > 0 {
                let (block, after) = rest.split_at(bottleneck);
                let nodes = block.iter().flat_map(|run| run.nodes.clone());
                self.blocks.push(nodes.collect());
                rest = after;
            } else {
                group.extend(&run.nodes);
                layers += 1;
                rest = after;
            }
        }
        self.blocks.extend(take_filled(&mut group));
    }

    /// Puts each layer of a chain together with what follows it; what comes before the first goes with that one.
    fn runs(&self, chain: Vec<Segment>) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut before: Vec<NodeId> = Vec::new();
        for segment in chain {
            let starts = segment.len() == 1 && self.has_layers(&segment);
            match runs.last_mut() {
                _ if starts => {
                    let motif = self.motif(&segment);
                    let mut nodes = std::mem::take(&mut before);
                    nodes.extend(segment);
                    runs.push(Run { motif, nodes });
                }
                Some(run) => run.nodes.extend(segment),
                None => before.extend(segment),
            }
        }
        runs
    }

    fn has_layers(&self, segment: &Segment) -> bool {
        let mut ops = segment.iter().map(|id| &self.graph.node(*id).op);
        ops.any(|op| op.prunable())
    }

    /// Returns what the last operator of a segment is.
    fn motif(&self, segment: &Segment) -> Motif {
        let last = segment.last().expect("a segment has operators");
        self.graph.node(*last).op.motif()
    }
}

/// A layer of a chain with what follows it up to the next one.
struct Run {
    /// What the layer is.
    motif: Motif,
    nodes: Vec<NodeId>,
}

/// Returns how many of `runs`, from the first on, are a depthwise convolution with the pointwise ones around it.
fn bottleneck(runs: &[Run]) -> usize {
    let motifs: Vec<Motif> = runs.iter().take(3).map(|run| run.motif).collect();
    match motifs.as_slice() {
        [Motif::Pointwise, Motif::Depthwise, Motif::Pointwise] => 3,
        [Motif::Depthwise, Motif::Pointwise, ..] => 2,
        _ => 0,
    }
}

fn take_filled(group: &mut Vec<NodeId>) -> Option<Vec<NodeId>> {
    Some(std::mem::take(group)).filter(|group| !group.is_empty())
}

/// Returns the operators between successive cuts, and those after the last. Where heads look at several values, there are no cuts to
/// speak of.
fn segments(graph: &Graph) -> (Vec<Segment>, Segment) {
    let (gathering, nodes): (Vec<_>, Vec<_>) = graph
        .nodes()
        .partition(|(_, node)| node.op.motif() == Motif::Collect);
    if !gathering.is_empty() {
        return (Vec::new(), nodes.into_iter().map(|(id, _)| id).collect());
    }
    let mut left = graph.uses();
    let mut alive: HashSet<ValueId> = graph.inputs().iter().copied().collect();
    let mut segments = Vec::new();
    let mut open = Segment::new();
    for (id, node) in nodes {
        open.push(id);
        alive.insert(node.output);
        for value in &node.inputs {
            left[value.0] -= 1;
            if left[value.0] == 0 {
                alive.remove(value);
            }
        }
        if alive.len() == 1 {
            segments.push(std::mem::take(&mut open));
        }
    }
    (segments, open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::ops::{Activation, Add, Concat, Conv2d};
    use crate::graph::{Builder, GRANULARITIES};

    fn conv(builder: &mut Builder, name: &str, input: ValueId) -> ValueId {
        let channels = builder.shape(input).channels();
        let conv = Conv2d::same(channels, 4, 3);
        builder.add(name, conv, &[input]).unwrap()
    }

    /// Adds a residual block.
    fn residual(builder: &mut Builder, name: &str, input: ValueId) -> ValueId {
        let part = |part: &str| format!("{name}.{part}");
        let x = conv(builder, &part("conv1"), input);
        let relu = builder.add(&part("relu"), Activation::Relu, &[x]).unwrap();
        let x = conv(builder, &part("conv2"), relu);
        builder.add(&part("add"), Add {}, &[x, input]).unwrap()
    }

    /// Returns the layers of each block.
    fn layers(graph: &Graph) -> Vec<Vec<&str>> {
        let units = GRANULARITIES.find("block").unwrap().units(graph);
        let names = |layers: &[NodeId]| {
            let names = layers.iter().map(|id| graph.node(*id).name.as_str());
            names.collect()
        };
        units.iter().map(|unit| names(&unit.layers)).collect()
    }

    #[test]
    fn a_pyramid_has_blocks_in_its_trunk_its_neck_and_its_heads() {
        let mut builder = Builder::new();
        let input = builder.input("input", [4, 6, 6]).unwrap();
        let c2 = residual(&mut builder, "a", input);
        let x = residual(&mut builder, "b", c2);
        let c3 = residual(&mut builder, "c", x);
        let inner3 = conv(&mut builder, "inner3", c3);
        let inner2 = conv(&mut builder, "inner2", c2);
        let p2 = builder.add("merge", Add {}, &[inner2, inner3]).unwrap();
        let p2 = conv(&mut builder, "outer2", p2);
        let p3 = conv(&mut builder, "outer3", inner3);
        let mut levels = [p2, p3];
        for name in ["tower.0", "tower.1", "tower.2", "scores"] {
            levels[0] = conv(&mut builder, name, levels[0]);
            let second = format!("{name}@1");
            levels[1] = builder.share(&second, name, &[levels[1]]).unwrap();
        }
        let graph = builder.finish(&levels);
        let expected: [&[&str]; 7] = [
            &["a.conv1", "a.conv2"],
            &["b.conv1", "b.conv2"],
            &["c.conv1", "c.conv2"],
            &["inner3"],
            &["inner2"],
            &["outer2", "tower.0", "tower.1"],
            &["outer3"],
        ];
        assert_eq!(layers(&graph)[..7], expected);
    }

    #[test]
    fn the_skip_of_a_u_net_is_no_block() {
        let mut builder = Builder::new();
        let input = builder.input("input", [4, 6, 6]).unwrap();
        let skip = residual(&mut builder, "down", input);
        let x = residual(&mut builder, "mid.0", skip);
        let x = residual(&mut builder, "mid.1", x);
        let x = builder.add("cat", Concat {}, &[x, skip]).unwrap();
        let x = conv(&mut builder, "up", x);
        let x = residual(&mut builder, "out", x);
        let graph = builder.finish(&[x]);
        let expected: [&[&str]; 5] = [
            &["down.conv1", "down.conv2"],
            &["mid.0.conv1", "mid.0.conv2"],
            &["mid.1.conv1", "mid.1.conv2"],
            &["up"],
            &["out.conv1", "out.conv2"],
        ];
        assert_eq!(layers(&graph), expected);
    }
}
