//! The work of one case: allocate, mask, correct, reconstruct, evaluate.
//!
//! An [`Engine`] holds what cases share: each checkpoint, data set and dense baseline is loaded or measured once. A [`Subject`]
//! is a network with its weights and data; the stages on it pass plain values to each other.

mod companions;
mod engine;
mod key;
mod machine;
mod run;
mod samples;
mod subject;

pub use companions::Companions;
pub use engine::{Engine, Outcome};
pub use machine::environment;
pub use samples::Samples;
pub use subject::{Allow, Subject, SubjectError};

pub use crate::progress::Progress;
