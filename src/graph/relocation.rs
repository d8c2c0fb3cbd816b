//! A named edit of a graph: features that lose their places.

use super::ops::{Motion, Relocate};
use super::patch::{copied, rebuilt};
use super::{GRANULARITIES, Graph, Motif, ValueId};
use serde::Deserialize;
use std::collections::HashSet;

/// Moves the features between the stages of a network, to see what depends on where they are.
///
/// What each stage hands on, to the next or to heads, is moved as [`Relocate`] says. Parameters and their names stay, so that checkpoints
/// fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relocation {
    /// How features move.
    pub relocate: Motion,
    /// How far, in pixels of the features.
    pub reach: usize,
}

impl Relocation {
    /// Returns `graph` with the edit made.
    pub fn of(self, graph: &Graph) -> Graph {
        let moved = handed_on(graph);
        let op = Relocate {
            motion: self.relocate,
            reach: self.reach,
        };
        rebuilt(graph, |builder, id, inputs| {
            let value = copied(builder, graph, id, inputs);
            let node = graph.node(id);
            if !moved.contains(&node.output) {
                return value;
            }
            let added = builder.add(&format!("{}.relocate", node.name), op, &[value]);
            added.expect("an image may be moved")
        })
    }
}

/// Returns the images that stages hand on, but for those that only go to the network's outputs.
fn handed_on(graph: &Graph) -> HashSet<ValueId> {
    let takers = graph
        .nodes()
        .filter(|(_, n)| n.op.motif() != Motif::Collect);
    let taken: HashSet<ValueId> = takers.flat_map(|(_, n)| n.inputs.clone()).collect();
    let stage = GRANULARITIES.find("stage").expect("stage is registered");
    let is_image =
        |value: &ValueId| matches!(graph.value(*value).shape.dims(), [_, h, w] if h * w > 1);
    let units = stage.units(graph).into_iter();
    let handed = units.flat_map(|unit| unit.outputs);
    handed
        .filter(|v| is_image(v) && taken.contains(v))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Builder;
    use crate::graph::ops::{Conv2d, GlobalAvgPool};

    #[test]
    fn what_stages_hand_on_is_moved_and_parameters_stay() {
        let mut builder = Builder::new();
        let mut x = builder.input("input", [3, 8, 8]).unwrap();
        for (name, stride) in [("a", 1), ("b", 1), ("c", 2), ("d", 2)] {
            let channels = builder.shape(x).channels();
            let conv = Conv2d::same(channels, 4, 3).stride(stride);
            x = builder.add(name, conv, &[x]).unwrap();
            let again = Conv2d::same(4, 4, 3);
            x = builder.add(&format!("{name}2"), again, &[x]).unwrap();
            x = builder.add(&format!("{name}3"), again, &[x]).unwrap();
        }
        let x = builder.add("pool", GlobalAvgPool {}, &[x]).unwrap();
        let graph = builder.finish(&[x]);
        let relocation = Relocation {
            relocate: Motion::Shift,
            reach: 1,
        };
        let moved = relocation.of(&graph);
        let names = |graph: &Graph| {
            let names = graph.params().map(|(_, p)| p.name.clone());
            names.collect::<Vec<String>>()
        };
        assert_eq!(names(&graph), names(&moved));
        let added = moved.nodes().filter(|(_, n)| n.name.ends_with(".relocate"));
        let places = added.map(|(_, n)| n.name.as_str());
        let places: Vec<&str> = places.collect();
        // The last stage ends with the mean over all places.
        assert_eq!(places, ["b3.relocate", "c3.relocate"]);
    }
}
