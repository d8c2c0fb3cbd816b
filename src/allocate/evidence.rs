//! What rates were chosen by, for readers of a result.

use serde::{Deserialize, Serialize};

/// What an allocator saw, besides the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// What pruning each layer alone costs.
    Sensitivity(Sensitivity),
    /// How rates were learned.
    Learning(Learning),
}

/// The loss of the network's output where one layer alone is pruned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// The rates that were tried, ascending.
    pub rates: Vec<f64>,
    /// The layers in the order of the network.
    pub layers: Vec<LayerSensitivity>,
}

/// One layer of a [`Sensitivity`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerSensitivity {
    /// The layer.
    pub name: String,
    /// The loss at each rate, averaged over the calibration samples.
    pub losses: Vec<f64>,
}

/// The course of an allocation that was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learning {
    /// The layers whose rates the moments list.
    pub layers: Vec<String>,
    /// The distillation loss of each step's batch.
    pub losses: Vec<f64>,
    /// How far the global sparsity was from the target after each step.
    pub constraint: Vec<f64>,
    /// Rates and losses on the way.
    pub moments: Vec<Moment>,
}

/// A point on the way of a [`Learning`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// The steps taken before it.
    pub step: usize,
    /// The distillation loss, averaged over all calibration samples.
    pub loss: f64,
    /// The rate of each layer.
    pub rates: Vec<f64>,
}
