//! Making graphs.

use super::node::{Node, Param, Value};
use super::{Graph, Op, OpError, Shape, ValueId};
use std::collections::HashSet;

/// The most operators of a graph.
const MOST_OPERATORS: usize = 1 << 14;

/// The most elements of a value of one sample, or of a parameter: a gibibyte of f32 and four.
const MOST_ELEMENTS: [usize; 2] = [1 << 28, 1 << 30];

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
    /// There are too many operators, as where a depth was mistyped.
    #[error("the network has more than {MOST_OPERATORS} operators")]
    Operators,
    /// A value or a parameter is too large, as where a width was mistyped.
    #[error("`{name}` is of shape {shape}, expected at most {most} elements")]
    Elements {
        /// The value or the parameter.
        name: String,
        /// Its shape.
        shape: Shape,
        /// How many elements it may have.
        most: usize,
    },
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
        let id = self.value(name, shape.into())?;
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
        for Param { name, shape, .. } in &self.graph.params[first..] {
            held(name, &shape.as_slice().into(), MOST_ELEMENTS[1])?;
        }
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
        if self.graph.nodes.len() >= MOST_OPERATORS {
            return Err(BuildError::Operators);
        }
        self.claim(name)?;
        let shapes: Vec<&Shape> = inputs.iter().map(|v| &self.graph.value(*v).shape).collect();
        let shape = op.shape(&shapes).map_err(|source| BuildError::Operator {
            node: name.to_owned(),
            source,
        })?;
        let output = self.value(name, shape)?;
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

    fn value(&mut self, name: &str, shape: Shape) -> Result<ValueId, BuildError> {
        held(name, &shape, MOST_ELEMENTS[0])?;
        self.graph.values.push(Value {
            name: name.to_owned(),
            shape,
        });
        Ok(ValueId(self.graph.values.len() - 1))
    }

    fn claim(&mut self, name: &str) -> Result<(), BuildError> {
        if self.names.insert(name.to_owned()) {
            Ok(())
        } else {
            Err(BuildError::Duplicate(name.to_owned()))
        }
    }
}

/// Checks that a value or a parameter has no more elements than it may have.
fn held(name: &str, shape: &Shape, most: usize) -> Result<(), BuildError> {
    let dims = shape.dims().iter();
    let elements = dims.copied().try_fold(1, usize::checked_mul);
    if elements.is_some_and(|elements| elements <= most) {
        return Ok(());
    }
    Err(BuildError::Elements {
        name: name.to_owned(),
        shape: shape.clone(),
        most,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_memory_holds_is_refused() {
        let mut builder = Builder::new();
        let wide = builder.input("x", [1 << 20, 1 << 20]);
        let message = "`x` is of shape [1048576, 1048576], expected at most 268435456 elements";
        assert_eq!(wide.unwrap_err().to_string(), message);
        let overflown = builder.input("y", [1 << 40, 1 << 40]);
        assert!(matches!(overflown, Err(BuildError::Elements { .. })));
    }
}
