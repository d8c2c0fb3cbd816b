//! One combination of a network, its data and the techniques on it: as typed ([`CaseSpec`]), and what it means ([`Case`]).

mod spec;

pub use spec::{CaseSpec, DecoderSpec, Fold, Settings};

use crate::allocate::{ALLOCATORS, Allocator};
use crate::data::{AUGMENTATIONS, DataSpec};
use crate::reconstruct::Reconstruction;
use crate::registry::{Spec, SpecError};
use crate::tasks::{Companions, EvaluationRequest, NetworkSpec, TASKS, Task};
use crate::weights::{EMBEDDED, WeightsSpec};
use std::error::Error;
use std::fmt;

/// A resolved case. Nothing is loaded yet.
#[derive(Debug)]
pub struct Case {
    /// What was typed.
    pub spec: CaseSpec,
    /// The model, with overridden parameters.
    pub model: Spec,
    /// Where the weights come from.
    pub weights: WeightsSpec,
    /// Where the data come from.
    pub data: DataSpec,
    /// The allocator.
    pub allocator: Box<dyn Allocator>,
    /// The reconstruction.
    pub reconstruction: Reconstruction,
    /// The augmentations of calibration images.
    pub augment: Vec<Spec>,
    /// The task.
    pub task: Box<dyn Task>,
    /// The networks that take part in measuring.
    pub companions: Companions,
}

/// A part of a case's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Finding what names stand for.
    Resolve,
    /// Reading weights and data.
    Load,
    /// Choosing the rates.
    Allocate,
    /// Making the masks.
    Mask,
    /// Correcting errors in closed form.
    Correct,
    /// Reconstructing units.
    Reconstruct,
    /// Measuring.
    Evaluate,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolving names",
            Self::Load => "loading",
            Self::Allocate => "allocation",
            Self::Mask => "masking",
            Self::Correct => "error correction",
            Self::Reconstruct => "reconstruction",
            Self::Evaluate => "evaluation",
        })
    }
}

/// A case that failed.
#[derive(Debug, thiserror::Error)]
#[error("`{case}` failed in {stage}")]
pub struct CaseError {
    /// The case's id, or what stands for it on the command line.
    pub case: String,
    /// Where it failed.
    pub stage: Stage,
    /// Why.
    pub source: Box<dyn Error + Send + Sync>,
}

impl CaseError {
    /// Returns a function that says where an error occurred, for `map_err`.
    pub fn at<E: Into<Box<dyn Error + Send + Sync>>>(
        case: &str,
        stage: Stage,
    ) -> impl FnOnce(E) -> Self {
        let case = case.to_owned();
        move |source| Self {
            case,
            stage,
            source: source.into(),
        }
    }
}

impl Case {
    /// Finds what the names of `spec` stand for.
    ///
    /// # Errors
    /// [`CaseError`] for the first name or parameter that is unknown.
    pub fn resolve(spec: CaseSpec) -> Result<Self, CaseError> {
        let id = spec.id();
        Self::parts(spec).map_err(CaseError::at(&id, Stage::Resolve))
    }

    /// Checks that data and weights are there, without reading them.
    ///
    /// # Errors
    /// The reason why the case cannot run here.
    pub fn availability(&self) -> Result<(), String> {
        self.data.availability().map_err(|e| e.to_string())?;
        let companions = self.companions.iter().map(|(_, network)| &network.weights);
        let mut weights = std::iter::once(&self.weights).chain(companions);
        weights.try_for_each(|weights| weights.availability().map_err(|e| e.to_string()))
    }

    /// Returns what is to be measured.
    pub fn evaluation(&self) -> EvaluationRequest<'static> {
        EvaluationRequest {
            limit: self.spec.settings.limit,
            strict: self.spec.settings.strict,
            ..EvaluationRequest::default()
        }
    }

    fn parts(spec: CaseSpec) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let data: DataSpec = spec.data.parse()?;
        let task = TASKS.build(&spec.task.parse()?)?;
        let judge = spec.judge.as_deref().map(weights).transpose()?;
        let decoder = spec.decoder.as_ref().map(DecoderSpec::parse).transpose()?;
        Ok(Self {
            companions: task.companions(judge, decoder, data.dataset_name())?,
            model: spec.model.parse()?,
            weights: weights(&spec.weights)?,
            data,
            allocator: ALLOCATORS.build(&spec.allocator.parse()?)?,
            reconstruction: spec.reconstruction.parse()?,
            augment: augmentations(&spec.settings.augment)?,
            task,
            spec,
        })
    }
}

impl DecoderSpec {
    fn parse(&self) -> Result<NetworkSpec, Box<dyn Error + Send + Sync>> {
        Ok(NetworkSpec {
            model: self.model.parse()?,
            weights: weights(&self.weights)?,
        })
    }
}

/// Reads where weights come from, and checks that the binary has them if they are embedded.
fn weights(text: &str) -> Result<WeightsSpec, Box<dyn Error + Send + Sync>> {
    let weights = text.parse()?;
    if let WeightsSpec::Embedded(name) = &weights {
        EMBEDDED.find(name)?;
    }
    Ok(weights)
}

/// Reads augmentations, and checks that they can be made.
fn augmentations(texts: &[String]) -> Result<Vec<Spec>, SpecError> {
    let checked = |text: &String| {
        let spec: Spec = text.parse()?;
        AUGMENTATIONS.build(&spec).map(|_| spec)
    };
    texts.iter().map(checked).collect()
}
