//! A case as typed: names and numbers only.

use serde::{Deserialize, Deserializer, Serialize};
use std::num::NonZeroUsize;

/// One case, with everything its result depends on but the contents of files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseSpec {
    /// The suite that holds it.
    pub suite: String,
    /// The task's name.
    pub task: String,
    /// The data set's name.
    pub dataset: String,
    /// The model spec, for example `resnet20(num_classes=100)`.
    pub model: String,
    /// The weights spec.
    pub weights: String,
    /// The data spec.
    pub data: String,
    /// The weights spec of the network that looks at what is made of the data, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<String>,
    /// The network that makes pictures of what a generator draws, where these are latents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<DecoderSpec>,
    /// The allocator spec.
    pub allocator: String,
    /// The reconstruction spec.
    pub reconstruction: String,
    /// The share of prunable weights to be pruned, in `[0, 1)`.
    pub sparsity: f64,
    /// How much work to do.
    #[serde(flatten)]
    pub settings: Settings,
}

/// A decoder as typed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecoderSpec {
    /// The model spec, for example `vq_celebahq_256`.
    pub model: String,
    /// The weights spec.
    pub weights: String,
}

/// What a case does besides the techniques that its name tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Steps of gradient descent a unit.
    pub iterations: usize,
    /// Samples a step, at least one.
    #[serde(deserialize_with = "positive")]
    pub batch_size: usize,
    /// Calibration images, before augmentation; at least one.
    #[serde(deserialize_with = "positive")]
    pub calibration: usize,
    /// Label-free copies added to them, for example `flip`.
    pub augment: Vec<String>,
    /// When batch norms are folded.
    pub fold: Fold,
    /// The seed of everything random.
    pub seed: u64,
    /// Test images that are evaluated, at least one; all if absent.
    #[serde(deserialize_with = "positive_if_any")]
    pub limit: Option<usize>,
    /// Whether an image that cannot be read is an error; otherwise it is left out and reported.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

/// Whether allocation sees the weights before or after batch norms are folded into them. Masks and reconstruction always
/// see them folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Fold {
    /// Allocation sees folded weights, as masks do.
    #[default]
    BeforeAllocation,
    /// Allocation sees the weights of the checkpoint.
    AfterAllocation,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            iterations: 300,
            batch_size: 32,
            calibration: 256,
            augment: Vec::new(),
            fold: Fold::default(),
            seed: 0,
            limit: None,
            strict: false,
        }
    }
}

fn positive<'de, D: Deserializer<'de>>(number: D) -> Result<usize, D::Error> {
    NonZeroUsize::deserialize(number).map(NonZeroUsize::get)
}

fn positive_if_any<'de, D: Deserializer<'de>>(number: D) -> Result<Option<usize>, D::Error> {
    Option::<NonZeroUsize>::deserialize(number).map(|number| number.map(NonZeroUsize::get))
}

impl CaseSpec {
    /// Returns `<suite>::<task>/<dataset>/<model>/<allocator>/<reconstruction>@<sparsity>`, with at least two decimals.
    pub fn id(&self) -> String {
        let short = format!("{:.2}", self.sparsity);
        let exact = self.sparsity.to_string();
        let sparsity = if exact.len() > short.len() {
            exact
        } else {
            short
        };
        format!(
            "{}::{}/{}/{}/{}/{}@{sparsity}",
            self.suite, self.task, self.dataset, self.model, self.allocator, self.reconstruction
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_is_written_where_it_is_set_only() {
        let written = |strict| {
            let settings = Settings {
                strict,
                ..Settings::default()
            };
            serde_json::to_value(settings).unwrap()
        };
        assert_eq!(written(false).get("strict"), None);
        assert_eq!(written(true)["strict"], true);
        for strict in [false, true] {
            let read: Settings = serde_json::from_value(written(strict)).unwrap();
            assert_eq!(read.strict, strict);
        }
    }
}
