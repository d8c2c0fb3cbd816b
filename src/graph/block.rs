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

use super::{Graph, Motif, NodeId, ValueId};
use std::collections::HashSet;

/// The most layers of a chain that make one block.
const CHAIN_LAYERS: usize = 3;

/// Operators between two cuts, in order.
type Segment = Vec<NodeId>;

/// Returns the operators of each block, in order.
pub(super) fn blocks(graph: &Graph) -> Vec<Vec<NodeId>> {
    let mut walk = Walk {
        graph,
        blocks: Vec::new(),
        chain: Vec::new(),
        after_region: false,
    };
    for segment in segments(graph) {
        walk.take(segment);
    }
    walk.end_chain();
    walk.blocks
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

/// Returns the operators between successive cuts.
fn segments(graph: &Graph) -> Vec<Segment> {
    let mut left = graph.uses();
    let mut alive: HashSet<ValueId> = graph.inputs().iter().copied().collect();
    let mut segments = Vec::new();
    let mut open = Segment::new();
    for (id, node) in graph.nodes() {
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
    if !open.is_empty() {
        segments.push(open);
    }
    segments
}
