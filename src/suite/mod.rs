//! What to run: suites are files, cases are what they come to.

mod spec;

pub use spec::{CaseSpec, Fold, Settings};
