//! The names that other publishers give to the parameters of the same network.
//!
//! A family builds its graphs with the names of one publisher. Where another publishes checkpoints of the same function, a [`Dialect`]
//! says what the parameters are called there: because the family can build the graph with those names too, or by a renaming.

use crate::graph::{BuildError, Graph};

/// What a publisher calls the parameters of an architecture.
#[derive(Debug)]
pub struct Dialect<A: 'static> {
    publisher: &'static str,
    names: Names<A>,
}

/// How names are found.
#[derive(Debug)]
enum Names<A: 'static> {
    /// They are those of a graph that is the same but for names.
    Twin(fn(&A) -> Result<Graph, BuildError>),
    /// Each comes of one of ours.
    Renamed(fn(&str) -> String),
}

/// Names of parameters in the order of a graph, as some publisher has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherNames {
    /// Who has these names.
    pub publisher: &'static str,
    /// A name for each parameter of the graph.
    pub names: Vec<String>,
}

impl<A> Dialect<A> {
    /// Makes a dialect whose names are those that `graph` gives to the same network.
    pub const fn twin(publisher: &'static str, graph: fn(&A) -> Result<Graph, BuildError>) -> Self {
        Self {
            publisher,
            names: Names::Twin(graph),
        }
    }

    /// Makes a dialect each of whose names comes of one of ours.
    pub const fn renamed(publisher: &'static str, rename: fn(&str) -> String) -> Self {
        Self {
            publisher,
            names: Names::Renamed(rename),
        }
    }

    /// Returns the names of the parameters of `graph`, which `architecture` built.
    pub(super) fn names(&self, architecture: &A, graph: &Graph) -> Result<OtherNames, BuildError> {
        let ours = graph.params().map(|(_, param)| &param.name);
        let names: Vec<String> = match self.names {
            Names::Twin(build) => {
                let twin = build(architecture)?;
                twin.params().map(|(_, param)| param.name.clone()).collect()
            }
            Names::Renamed(rename) => ours.map(|name| rename(name)).collect(),
        };
        assert_eq!(
            names.len(),
            graph.params().len(),
            "a network has as many parameters under other names"
        );
        Ok(OtherNames {
            publisher: self.publisher,
            names,
        })
    }
}
