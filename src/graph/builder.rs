//! Making graphs.

use super::node::{Node, Param, Value};
use super::{Graph, Op, OpError, Shape, ValueId};
use std::collections::HashSet;

/// Makes a [`Graph`], operator by operator, inferring shapes on the way.
#[derive(Debug, Default)]
pub struct Builder {
    graph: Graph,
    names: HashSet<String>,
}

/// A graph that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// An operator refuses its inputs.
    #[error("`{node}` does not take its inputs")]
    Operator {
        /// The operator's name.
        node: String,
        /// Why.
        source: OpError,
    },
    /// A name is used twice.
    #[error("the name `{0}` is used twice")]
    Duplicate(String),
    /// Parameters are to be shared with an operator that is not there.
    #[error("there is no `{0}` to share parameters with")]
    Absent(String),
}

impl Builder {
    /// Starts an empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value that the network takes.
    ///
    /// # Errors
    /// [`BuildError::Duplicate`] for a name in use.
    pub fn input(&mut self, name: &str, shape: impl Into<Shape>) -> Result<ValueId, BuildError> {
        self.claim(name)?;
        let id = self.value(name, shape.into());
        self.graph.inputs.push(id);
        Ok(id)
    }

    /// Adds an operator with its parameters, and returns the value that it makes.
    ///
    /// # Errors
    /// [`BuildError`] where the operator refuses its inputs, or the name is in use.
    pub fn add(
        &mut self,
        name: &str,
        op: impl Into<Op>,
        inputs: &[ValueId],
    ) -> Result<ValueId, BuildError> {
        let op = op.into();
        let first = self.graph.params.len();
        let declared = op.params();
        let params = first..first + declared.len();
        let output = self.node(name, op, inputs, params.map(super::ParamId).collect())?;
        let named = declared.into_iter().map(|decl| Param {
            name: match decl.suffix {
                "" => name.to_owned(),
                suffix => format!("{name}.{suffix}"),
            },
            shape: decl.shape,
            role: decl.role,
        });
        self.graph.params.extend(named);
        Ok(output)
    }

    /// Adds an operator with the attributes and parameters of the one called `of`, on other inputs: a head that looks at several
    /// levels of a pyramid is a head that is called several times.
    ///
    /// # Errors
    /// [`BuildError`] where the operator refuses its inputs, there is none called `of`, or `name` is in use.
    pub fn share(
        &mut self,
        name: &str,
        of: &str,
        inputs: &[ValueId],
    ) -> Result<ValueId, BuildError> {
        let id = self.graph.find_node(of);
        let id = id.ok_or_else(|| BuildError::Absent(of.to_owned()))?;
        let Node { op, params, .. } = self.graph.node(id).clone();
        let output = self.node(name, op, inputs, params)?;
        let node = self.graph.nodes.last_mut().expect("one was added");
        // What takes no parameters has none to share.
        node.shared = !node.params.is_empty();
        Ok(output)
    }

    /// Ends the graph, which gives `outputs`.
    pub fn finish(mut self, outputs: &[ValueId]) -> Graph {
        self.graph.outputs = outputs.to_vec();
        self.graph
    }

    /// Returns the shape of a value made so far.
    pub fn shape(&self, value: ValueId) -> &Shape {
        &self.graph.value(value).shape
    }

    fn node(
        &mut self,
        name: &str,
        op: Op,
        inputs: &[ValueId],
        params: Vec<super::ParamId>,
    ) -> Result<ValueId, BuildError> {
        self.claim(name)?;
        let shapes: Vec<&Shape> = inputs.iter().map(|v| &self.graph.value(*v).shape).collect();
        let shape = op.shape(&shapes).map_err(|source| BuildError::Operator {
            node: name.to_owned(),
            source,
        })?;
        let output = self.value(name, shape);
        self.graph.nodes.push(Node {
            name: name.to_owned(),
            op,
            inputs: inputs.to_vec(),
            params,
            shared: false,
            output,
        });
        Ok(output)
    }

    fn value(&mut self, name: &str, shape: Shape) -> ValueId {
        self.graph.values.push(Value {
            name: name.to_owned(),
            shape,
        });
        ValueId(self.graph.values.len() - 1)
    }

    fn claim(&mut self, name: &str) -> Result<(), BuildError> {
        if self.names.insert(name.to_owned()) {
            Ok(())
        } else {
            Err(BuildError::Duplicate(name.to_owned()))
        }
    }
}
