//! What a case leaves behind: the [`Record`], where records are kept ([`Store`]), how those of several runs come together
//! ([`Join`]), and how two sets of them differ ([`compare()`]).

mod compare;
mod id;
mod join;
mod number;
mod ordered;
mod runs;
mod scale;
mod statistics;
mod store;
mod summary;

pub use compare::{Change, Comparison, Verdict, compare};
pub use id::{CaseIdError, case_path};
pub use join::{Double, Fate, Gap, Join};
pub(crate) use number::Number;
pub use ordered::Ordered;
pub use runs::{load_runs, roots};
pub use scale::Scale;
pub(crate) use statistics::{deviation, mean};
pub use store::{Loaded, Store, StoreError, StoreErrorKind};
pub use summary::{Failed, Ignored, RunSummary};

use crate::allocate::Evidence;
use crate::tasks::{Mark, Picture};
use serde::{Deserialize, Serialize};

/// The version of the record format. A record of another version is computed anew.
///
/// # Changelog
/// - 1: first version.
/// - 2: `evidence`, what an allocation was chosen by.
/// - 3: `exhibits`, samples to look at.
pub const SCHEMA: u32 = 3;

/// The result of one case, with all that is needed to trust it and to make it again.
///
/// Numbers that may diverge are written as `"NaN"`, `"inf"` and `"-inf"` where they did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The format's version, [`SCHEMA`].
    pub schema: u32,
    /// The hash of everything that the result depends on; a record is reused only under the same key.
    pub key: String,
    /// The case id, `<suite>::<task>/<dataset>/<model>/<allocator>/<reconstruction>@<sparsity>`.
    pub case: String,
    /// The suite that holds the case.
    pub suite: String,
    /// The task, for example `classification`.
    pub task: String,
    /// The name of the data set.
    pub dataset: String,
    /// The name of the model.
    pub model: String,
    /// The allocator spec, for example `erk(power=0.5)`.
    pub allocator: String,
    /// The reconstruction spec, for example `block-sparse-weight+bias-sgd`.
    pub reconstruction: String,
    /// How many weights were to be pruned, and how many were.
    pub sparsity: Sparsity,
    /// What was measured; the first metric is the one by which cases are ranked.
    pub metrics: Ordered<Metric>,
    /// Every prunable layer, in the order of the network.
    pub layers: Vec<Layer>,
    /// What the rates of the layers were chosen by, where that is more than the weights: losses by layer and rate, or the
    /// course of learning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Some test samples with what the dense and the sparse network make of them, where the task has something to show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exhibits: Vec<Exhibit>,
    /// Every reconstructed unit, in the order of reconstruction; a chain of techniques lists those of each in turn.
    pub units: Vec<Unit>,
    /// Where the time went.
    pub seconds: Seconds,
    /// The most memory that the process held, where the system tells.
    pub peak_rss_bytes: Option<u64>,
    /// What it ran on.
    pub environment: Environment,
    /// What a reader of the numbers must know, one sentence each.
    pub notes: Vec<String>,
    /// The full specification of the case: iterations, batch size, calibration, weights, data and the like.
    pub spec: serde_json::Map<String, serde_json::Value>,
}

/// The share of prunable weights that are zero, in [0, 1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sparsity {
    /// What the case asks for.
    #[serde(with = "number")]
    pub target: f64,
    /// What the masks have, over all prunable layers.
    #[serde(with = "number")]
    pub achieved: f64,
}

/// One metric of the dense and of the sparse network, in the metric's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The value before pruning.
    #[serde(with = "number")]
    pub dense: f64,
    /// The value after pruning and reconstruction.
    #[serde(with = "number")]
    pub sparse: f64,
    /// The relative performance: sparse / dense where higher is better, dense / sparse where lower is; `None` where the
    /// quotient means nothing.
    #[serde(with = "number::optional")]
    pub relative: Option<f64>,
}

/// One prunable layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// The name of the layer's module, for example `layer1.0.conv1`.
    pub name: String,
    /// The number of its weights.
    pub numel: usize,
    /// How many of them are pruned.
    pub pruned: usize,
    /// `pruned / numel`.
    #[serde(with = "number")]
    pub sparsity: f64,
}

/// One unit of reconstruction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// The name of the unit.
    pub name: String,
    /// The prunable layers in it.
    pub layers: Vec<String>,
    /// The loss against the dense output before reconstruction.
    #[serde(with = "number")]
    pub loss_before: f64,
    /// The loss after it.
    #[serde(with = "number")]
    pub loss_after: f64,
    /// The number of solver iterations.
    pub iterations: usize,
    /// How long it took.
    #[serde(with = "number")]
    pub seconds: f64,
}

/// A sample to look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exhibit {
    /// What it is: `test image 3`.
    pub name: String,
    /// The picture; of drawings, what the dense network drew.
    pub picture: Picture,
    /// What the sparse network drew, if the sample is a drawing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sparse_picture: Option<Picture>,
    /// What is there.
    pub truth: Vec<Mark>,
    /// What the dense network sees.
    pub dense: Vec<Mark>,
    /// What the sparse network sees.
    pub sparse: Vec<Mark>,
}

/// Wall-clock seconds by stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Choosing the rates.
    #[serde(with = "number")]
    pub allocate: f64,
    /// Making the masks.
    #[serde(with = "number")]
    pub mask: f64,
    /// Error correction.
    #[serde(with = "number")]
    pub correct: f64,
    /// Reconstruction.
    #[serde(with = "number")]
    pub reconstruct: f64,
    /// Measuring the sparse network.
    #[serde(with = "number")]
    pub evaluate: f64,
    /// The whole case.
    #[serde(with = "number")]
    pub total: f64,
}

/// What a case ran on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Environment {
    /// The device, `cpu` or `cuda:N`.
    pub device: String,
    /// The number of threads.
    pub threads: usize,
    /// The processor's name.
    pub cpu: String,
    /// The version of this crate.
    pub version: String,
    /// The commit that it was built from, where known.
    pub commit: Option<String>,
    /// The seed of everything random.
    pub seed: u64,
}

impl Seconds {
    /// Those of a case whose times are not known.
    pub const UNKNOWN: Self = Self {
        allocate: f64::NAN,
        mask: f64::NAN,
        correct: f64::NAN,
        reconstruct: f64::NAN,
        evaluate: f64::NAN,
        total: f64::NAN,
    };
}

impl Environment {
    /// Returns what is known of a case that ran elsewhere: the seed.
    pub fn unknown(seed: u64) -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            device: unknown(),
            threads: 0,
            cpu: unknown(),
            version: unknown(),
            commit: None,
            seed,
        }
    }

    /// Whether more than the seed is known.
    pub fn is_known(&self) -> bool {
        self.threads > 0
    }
}

impl Record {
    /// Returns the relative performance by the first metric, where it is a finite number.
    pub fn relative(&self) -> Option<f64> {
        let (_, metric) = self.metrics.first()?;
        metric.relative.filter(|rho| rho.is_finite())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns a small record of `default::classification/fashion-mnist/<model>/<allocator>/<reconstruction>@<sparsity>`
    /// whose dense top-1 is 80.
    pub(crate) fn record(
        model: &str,
        allocator: &str,
        reconstruction: &str,
        sparsity: f64,
        top1: f64,
    ) -> Record {
        let metric = |dense, sparse| Metric {
            dense,
            sparse,
            relative: Some(sparse / dense),
        };
        Record {
            schema: SCHEMA,
            key: "k0".to_owned(),
            case: format!(
                "default::classification/fashion-mnist/{model}/{allocator}/{reconstruction}@{sparsity:.2}"
            ),
            suite: "default".to_owned(),
            task: "classification".to_owned(),
            dataset: "fashion-mnist".to_owned(),
            model: model.to_owned(),
            allocator: allocator.to_owned(),
            reconstruction: reconstruction.to_owned(),
            sparsity: Sparsity {
                target: sparsity,
                achieved: sparsity,
            },
            metrics: [("top1", metric(80.0, top1)), ("top5", metric(99.0, 98.0))]
                .into_iter()
                .collect(),
            layers: vec![layer("conv1", 1_000, 500), layer("fc", 9_000, 8_500)],
            evidence: None,
            exhibits: Vec::new(),
            units: vec![Unit {
                name: "layer1.0".to_owned(),
                layers: vec!["conv1".to_owned()],
                loss_before: 0.5,
                loss_after: 0.125,
                iterations: 300,
                seconds: 1.5,
            }],
            seconds: Seconds {
                total: 2.0,
                ..Seconds::default()
            },
            peak_rss_bytes: Some(1 << 30),
            environment: Environment {
                device: "cpu".to_owned(),
                threads: 2,
                cpu: "a processor".to_owned(),
                version: "0.1.0".to_owned(),
                commit: Some("0123abc".to_owned()),
                seed: 0,
            },
            notes: Vec::new(),
            spec: serde_json::Map::from_iter([("iterations".to_owned(), 300.into())]),
        }
    }

    pub(crate) fn layer(name: &str, numel: usize, pruned: usize) -> Layer {
        Layer {
            name: name.to_owned(),
            numel,
            pruned,
            sparsity: pruned as f64 / numel as f64,
        }
    }

    #[test]
    fn a_diverged_record_survives_json() {
        let mut diverged = record("resnet20", "erk", "none", 0.8, f64::NAN);
        diverged.units[0].loss_after = f64::INFINITY;
        let text = serde_json::to_string(&diverged).unwrap();
        assert!(!text.contains("null"), "{text}");
        let back: Record = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
        assert!(back.metrics.get("top1").unwrap().sparse.is_nan());
        assert_eq!(back.relative(), None);
    }

    #[test]
    fn the_fields_are_those_of_the_contract() {
        let value = serde_json::to_value(record("resnet20", "erk", "none", 0.8, 40.0)).unwrap();
        let names: Vec<&str> = value
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            names.join(" "),
            "schema key case suite task dataset model allocator reconstruction sparsity metrics layers units seconds \
             peak_rss_bytes environment notes spec"
        );
        assert_eq!(value["metrics"]["top1"]["relative"], 0.5);
        assert_eq!(value["sparsity"]["achieved"], 0.8);
        assert_eq!(value["layers"][1]["pruned"], 8_500);
        assert_eq!(value["units"][0]["loss_after"], 0.125);
    }
}
