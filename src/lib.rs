//! A benchmark for post-training sparsity: given a pretrained network, a sparsity target and a few calibration images, which
//! way of allocating sparsity to layers and of reconstructing the network keeps it working?
//!
//! It implements PTSBench (arXiv 2412.07268). Data flows one way:
//!
//! ```text
//! suites/*.toml -> suite -> CaseSpec -> case -> Case -> pipeline -> Record -> golden      pass / fail
//!                                        |                            \----> record -> leaderboard -> reports/index.html
//!                 models > graph --------+
//!                 data, tasks, metrics --+      pipeline = allocate > mask > correct > reconstruct > evaluate
//! ```
//!
//! The extension points are tables: [`models::FAMILIES`], [`allocate::ALLOCATORS`], [`graph::GRANULARITIES`],
//! [`reconstruct::CORRECTIONS`], [`reconstruct::SOLVERS`], [`tasks::TASKS`], [`metrics::METRICS`], [`data::FORMATS`],
//! [`data::AUGMENTATIONS`]. The head of each module says how to add to it.

pub mod allocate;
mod atomic;
pub mod capture;
pub mod case;
mod chain;
pub mod cli;
pub mod data;
pub mod descent;
pub mod distill;
pub mod exit;
#[doc(hidden)]
pub mod fuzzing;
pub mod golden;
pub mod graph;
pub mod harness;
pub mod kernels;
pub mod leaderboard;
pub mod mask;
pub mod metrics;
pub mod models;
mod panics;
pub mod pipeline;
pub mod progress;
pub mod reconstruct;
pub mod record;
pub mod registry;
mod shared;
pub mod suite;
pub mod tasks;
pub mod weights;
