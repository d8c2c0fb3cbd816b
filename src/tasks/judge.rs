//! Networks that look at what others make.

use super::Network;
use crate::data::Preprocess;
use crate::registry::Spec;
use crate::weights::WeightsSpec;

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

/// Where a judge comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeSpec {
    /// Its model.
    pub model: Spec,
    /// Its checkpoint.
    pub weights: WeightsSpec,
}
