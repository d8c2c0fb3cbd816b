//! Networks that take part in measuring another one.

use super::Network;
use crate::data::Preprocess;
use crate::registry::Spec;
use crate::weights::WeightsSpec;

/// Where a network comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkSpec {
    /// Its model.
    pub model: Spec,
    /// Its checkpoint.
    pub weights: WeightsSpec,
}

/// The networks that a task wants beside the one that is measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Companions {
    /// The one that looks at what is made.
    pub judge: Option<NetworkSpec>,
    /// The one that makes pictures of latents.
    pub decoder: Option<NetworkSpec>,
}

/// A classifier by whose features images are compared.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The name of its model.
    pub model: &'a str,
    /// The classifier.
    pub network: Network<'a>,
    /// How it expects images.
    pub preprocess: &'a Preprocess,
    /// The hash of its checkpoint.
    pub digest: &'a str,
}

/// What makes pictures of the latents that a generator draws.
#[derive(Debug, Clone, Copy)]
pub struct Decoder<'a> {
    /// It takes latents, and gives images.
    pub network: Network<'a>,
    /// How its images become pictures.
    pub preprocess: &'a Preprocess,
}

impl Companions {
    /// Returns them, each with the name of its part.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &NetworkSpec)> {
        let judge = self.judge.iter().map(|judge| ("judge", judge));
        let decoder = self.decoder.iter().map(|decoder| ("decoder", decoder));
        judge.chain(decoder)
    }
}
