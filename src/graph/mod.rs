//! The network as an explicit graph of operators over named values: the counterpart of torch.fx.
//!
//! - [`Graph`] owns names, shapes and edges; [`Builder`] makes one, checking every shape as it goes.
//! - [`Weights`] is one binding of tensors to a graph's parameters. A sparse network is a second binding over the same graph.
//! - [`Graph::plan`] finds what must run between any values and any others, so that a tap is an extra output and a
//!   reconstruction unit is a pair of value lists: replaying a [`Unit`] and running the network are the same call.
//! - [`Plan::trace`] and [`Plan::gradients`] are how parameters learn.
//! - [`GRANULARITIES`] finds units from the structure alone.
//! - Edits are named: [`BatchNormFolding`], [`Relocation`].
//!
//! Operators are structs in [`ops`]; nothing outside that folder matches on what an operator is, it asks ([`Operator`]).
//! An operator is added by a file in `ops/` and a line in the list of `op.rs`.

mod binding;
mod block;
mod builder;
mod dump;
mod gather;
mod gradient;
mod node;
mod op;
pub mod ops;
mod patch;
mod plan;
mod region;
mod relocation;
mod run;
mod shape;
#[cfg(test)]
pub(crate) mod testing;
mod unit;

pub use binding::{Weights, WeightsError};
pub use builder::{BuildError, Builder};
pub use dump::Description;
pub use gather::{gathered, parts};
pub use gradient::{Call, Gradients, Trace};
pub use node::{Graph, Node, NodeId, Param, ParamId, Role, Value, ValueId};
pub use op::{Motif, Op, OpError, Operator, ParamDecl};
pub use patch::BatchNormFolding;
pub use plan::{Plan, PlanError};
pub use relocation::Relocation;
pub use run::RunError;
pub use shape::Shape;
pub use unit::{GRANULARITIES, Granularity, Unit};
