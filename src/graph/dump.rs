//! A graph in words, for `ptsbench describe` and for review.

use super::{GRANULARITIES, Graph, Node, Shape, Unit};
use crate::registry::Named;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Everything there is to say about a graph without running it.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// Trained parameters.
    pub parameters: usize,
    /// Multiply-accumulates for one sample.
    pub macs: u64,
    /// The operators in order.
    pub nodes: Vec<NodeLine>,
    /// The prunable layers in order.
    pub prunable: Vec<LayerLine>,
    /// The reconstruction units of each granularity.
    pub units: BTreeMap<String, Vec<UnitLine>>,
}

/// One operator of a [`Description`].
#[derive(Debug, Clone, Serialize)]
pub struct NodeLine {
    /// Its name.
    pub name: String,
    /// Its kind and attributes.
    pub op: serde_json::Map<String, serde_json::Value>,
    /// The names of the values it takes.
    pub inputs: Vec<String>,
    /// The shape it makes, for one sample.
    pub shape: Shape,
    /// Its trained parameters.
    pub parameters: usize,
    /// Its multiply-accumulates for one sample.
    pub macs: u64,
}

/// One prunable layer of a [`Description`].
#[derive(Debug, Clone, Serialize)]
pub struct LayerLine {
    /// Its name.
    pub name: String,
    /// The shape of its weight.
    pub shape: Vec<usize>,
    /// The number of its weights.
    pub numel: usize,
}

/// One unit of a [`Description`].
#[derive(Debug, Clone, Serialize)]
pub struct UnitLine {
    /// Its name.
    pub name: String,
    /// The names of its layers.
    pub layers: Vec<String>,
    /// The names of the values it takes.
    pub inputs: Vec<String>,
    /// The names of the values it makes.
    pub outputs: Vec<String>,
}

impl Description {
    /// Describes `graph`.
    pub fn of(graph: &Graph) -> Self {
        Self {
            parameters: graph.parameter_count(),
            macs: graph.macs(),
            nodes: graph.nodes().map(|(_, n)| NodeLine::of(graph, n)).collect(),
            prunable: graph
                .prunable()
                .map(|(id, node)| {
                    let weight = graph.param(graph.weight_of(id));
                    LayerLine {
                        name: node.name.clone(),
                        shape: weight.shape.clone(),
                        numel: weight.numel(),
                    }
                })
                .collect(),
            units: GRANULARITIES
                .iter()
                .map(|granularity| {
                    let units = granularity.units(graph);
                    let lines = units.iter().map(|unit| UnitLine::of(graph, unit));
                    (granularity.name().to_owned(), lines.collect())
                })
                .collect(),
        }
    }
}

impl NodeLine {
    fn of(graph: &Graph, node: &Node) -> Self {
        let trained = node
            .params
            .iter()
            .map(|id| graph.param(*id))
            .filter(|p| p.role != super::Role::Buffer && !node.shared);
        Self {
            name: node.name.clone(),
            op: node.op.attributes(),
            inputs: value_names(graph, &node.inputs),
            shape: graph.value(node.output).shape.clone(),
            parameters: trained.map(super::Param::numel).sum(),
            macs: graph.macs_of(node),
        }
    }
}

impl UnitLine {
    fn of(graph: &Graph, unit: &Unit) -> Self {
        let name = |id: &super::NodeId| graph.node(*id).name.clone();
        Self {
            name: unit.name.clone(),
            layers: unit.layers.iter().map(name).collect(),
            inputs: value_names(graph, &unit.inputs),
            outputs: value_names(graph, &unit.outputs),
        }
    }
}

fn value_names(graph: &Graph, values: &[super::ValueId]) -> Vec<String> {
    values
        .iter()
        .map(|id| graph.value(*id).name.clone())
        .collect()
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} parameters, {} multiply-accumulates a sample, {} prunable layers\n",
            self.parameters,
            self.macs,
            self.prunable.len()
        )?;
        let width = self.nodes.iter().map(|n| n.name.len()).max().unwrap_or(0);
        for node in &self.nodes {
            let kind = node.op.get("kind").and_then(|k| k.as_str()).unwrap_or("");
            let shape = node.shape.to_string();
            writeln!(
                f,
                "{:width$}  {kind:18} {shape:16} {:>9} parameters {:>12} macs  <- {}",
                node.name,
                node.parameters,
                node.macs,
                node.inputs.join(", ")
            )?;
        }
        for (granularity, units) in &self.units {
            writeln!(f, "\n{granularity}: {} units", units.len())?;
            for unit in units {
                let (name, inputs, outputs) =
                    (&unit.name, unit.inputs.join(", "), unit.outputs.join(", "));
                writeln!(
                    f,
                    "  {name}: {inputs} -> {outputs}  [{}]",
                    unit.layers.join(", ")
                )?;
            }
        }
        Ok(())
    }
}
