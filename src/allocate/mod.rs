//! Sparsity allocation: how much of a global target each layer bears (Track 1 of `PTSBench`, arXiv 2412.07268).
//!
//! An allocator gets the weights of all prunable layers and a target, and returns a rate for each layer. It sees no masks
//! and no graph. With `n_l` weights in layer `l`, the rates `r_l` satisfy `sum(r_l n_l) = s sum(n_l)`; the mask then prunes
//! `n_l - floor((1 - r_l) n_l)` whole weights ([`pruned_count`]), so that each layer is off by less than one weight. That
//! rounds every layer up, and 20 layers at a uniform 80 % can end 11 weights past the target. The counts together stay within
//! half a weight per layer of it: where rounding passes that, the layers furthest above their rates prune one weight less,
//! and no more of them than necessary.
//!
//! # Adding an allocator
//! Write `allocate/<name>.rs` with a struct of its parameters (serde, `default`, `deny_unknown_fields`) that implements
//! [`Allocator`], and an `ENTRY`; add the entry to [`ALLOCATORS`]. An allocator that ranks single weights against each other
//! returns its scores to `global::prune_least`; one that shares out density uses `density::share`.

mod context;
mod density;
mod er;
mod erk;
mod evidence;
mod fcpts;
mod global;
mod l1norm;
mod l2norm;
mod lamp;
mod magnitude;
mod sensitivity;
mod uniform;

pub use context::{Calibrate, Calibration, Context, LayerWeights, Made, Make};
pub use evidence::{Evidence, LayerSensitivity, Learning, Moment, Sensitivity};
pub(crate) use global::smallest;

use crate::capture::CaptureError;
use crate::graph::RunError;
use crate::progress::Cancelled;
use crate::registry::{Registry, SpecError, Technique};
use serde::Serialize;
use std::error::Error;
use std::fmt::Debug;

/// Every allocator by name.
pub static ALLOCATORS: Registry<Technique<dyn Allocator>> = Registry::new(
    "allocator",
    &[
        uniform::ENTRY,
        er::ENTRY,
        erk::ENTRY,
        magnitude::ENTRY,
        l1norm::ENTRY,
        l2norm::ENTRY,
        lamp::ENTRY,
        sensitivity::ENTRY,
        fcpts::ENTRY,
    ],
);

/// A way of sharing out a global target.
pub trait Allocator: Debug + Send + Sync {
    /// Returns the rate of each layer, in `[0, 1]`, in the order of the layers. The context has been checked.
    ///
    /// # Errors
    /// [`AllocateError`] where calibration data are needed and cannot be had, or the network fails on them.
    fn rates(&self, context: Context<'_>) -> Result<Rates, AllocateError>;

    /// Whether it looks at calibration data, without which it fails.
    fn needs_data(&self) -> bool {
        false
    }
}

/// What an allocator found.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// The rate of each layer.
    pub rates: Vec<f64>,
    /// What they were chosen by, where that is more than the weights.
    pub evidence: Option<Evidence>,
    /// What a reader of the result must know, one sentence each.
    pub notes: Vec<String>,
}

impl From<Vec<f64>> for Rates {
    fn from(rates: Vec<f64>) -> Self {
        Self {
            rates,
            evidence: None,
            notes: Vec::new(),
        }
    }
}

impl dyn Allocator + '_ {
    /// Allocates the target of `context`.
    ///
    /// # Errors
    /// [`AllocateError`] for a target outside `[0, 1)`, or weights that are not finite numbers.
    pub fn allocate(&self, context: Context<'_>) -> Result<Allocation, AllocateError> {
        context.check()?;
        let Rates {
            rates,
            evidence,
            notes,
        } = self.rates(context)?;
        let mut layers: Vec<LayerRate> = context
            .layers
            .iter()
            .zip(rates)
            .map(|(layer, rate)| LayerRate::new(layer, rate))
            .collect();
        give_back(&mut layers, context.target);
        Ok(Allocation {
            target: context.target,
            layers,
            evidence,
            notes,
        })
    }
}

/// The rate of every layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Allocation {
    /// The share of all weights that was to be pruned.
    pub target: f64,
    /// The layers in the order of the network.
    pub layers: Vec<LayerRate>,
    /// What the rates were chosen by, where that is more than the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What a reader of the result must know, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The rate of one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerRate {
    /// The name of the module.
    pub name: String,
    /// The shape of its weight.
    pub shape: Vec<usize>,
    /// The number of its weights.
    pub numel: usize,
    /// How many of them the mask prunes: [`pruned_count`] of its rate, or one less for the sake of the target.
    pub pruned: usize,
    /// The share of them to be pruned, before rounding to whole weights.
    pub sparsity: f64,
}

/// A target that cannot be allocated.
#[derive(Debug, thiserror::Error)]
pub enum AllocateError {
    /// The target is no share.
    #[error("the sparsity {0} is outside [0, 1)")]
    Target(f64),
    /// There is nothing to prune.
    #[error("the network has no prunable layers")]
    NoLayers,
    /// A layer has no weights.
    #[error("`{0}` has no weights")]
    Empty(String),
    /// A weight is NaN or infinite.
    #[error("`{0}` has a weight that is not a finite number")]
    NotFinite(String),
    /// The allocator looks at calibration data, and there are none.
    #[error("`{0}` looks at calibration images, name some data")]
    NoData(&'static str),
    /// The calibration data cannot be had.
    #[error("calibration images cannot be had")]
    Calibration(#[source] Box<dyn Error + Send + Sync>),
    /// Activations cannot be had.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The network fails.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Arithmetic fails.
    #[error("tensors cannot be computed")]
    Tensor(#[from] candle_core::Error),
    /// The allocator that starts this one is unknown or refuses its parameters.
    #[error(transparent)]
    Start(#[from] SpecError),
    /// What was kept of an earlier allocation cannot be read.
    #[error("the kept table cannot be read, remove the cache")]
    Kept(#[from] serde_json::Error),
    /// The network gives NaN or infinity.
    #[error("the outputs of the network are not finite numbers")]
    Diverged,
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl LayerRate {
    fn new(layer: &LayerWeights, rate: f64) -> Self {
        let numel = layer.weights.len();
        Self {
            name: layer.name.clone(),
            shape: layer.shape.clone(),
            numel,
            pruned: pruned_count(numel, rate),
            sparsity: rate,
        }
    }

    /// Returns how many weights more than its rate the layer prunes.
    fn excess(&self) -> f64 {
        self.pruned as f64 - self.sparsity * self.numel as f64
    }
}

/// Takes one weight each from the layers furthest above their rates (the first of equals first), until all together prune
/// at most half a weight per layer more than `target`.
fn give_back(layers: &mut [LayerRate], target: f64) {
    let pruned: usize = layers.iter().map(|l| l.pruned).sum();
    let numel: usize = layers.iter().map(|l| l.numel).sum();
    let most = target * numel as f64 + 0.5 * layers.len() as f64;
    let surplus = pruned.saturating_sub((most + ROUNDING * numel as f64).floor() as usize);
    let mut furthest: Vec<&mut LayerRate> = layers.iter_mut().collect();
    furthest.sort_by(|a, b| b.excess().total_cmp(&a.excess()));
    for layer in furthest.into_iter().take(surplus) {
        layer.pruned = layer.pruned.saturating_sub(1);
    }
}

impl Allocation {
    /// Returns the share of all weights that the masks will prune.
    pub fn achieved(&self) -> f64 {
        let pruned: usize = self.layers.iter().map(|l| l.pruned).sum();
        let numel: usize = self.layers.iter().map(|l| l.numel).sum();
        pruned as f64 / numel as f64
    }
}

/// A fraction of the weights so small that it can only come from rounding. Not larger, as it must stay well under one
/// weight for a network of 10^9.
const ROUNDING: f64 = 1e-12;

/// Returns how many of `numel` weights are pruned at `rate`: `numel - floor((1 - rate) numel)`.
///
/// A product that is a whole number but for rounding counts as that number: 80 % of 640 is 512, where the reference
/// implementation, which truncates `(1 - 0.8) * 640 = 127.99...`, prunes 513.
pub fn pruned_count(numel: usize, rate: f64) -> usize {
    let wanted = rate * numel as f64;
    let whole = wanted.round();
    let count = if (wanted - whole).abs() <= ROUNDING * numel as f64 {
        whole
    } else {
        wanted.ceil()
    };
    (count as usize).min(numel)
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
