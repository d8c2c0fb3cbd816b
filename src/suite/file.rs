//! A suite as typed.

use crate::case::{CaseError, DecoderSpec};
use crate::registry::UnknownName;
use serde::Deserialize;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// The content of a suite's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SuiteFile {
    pub(super) description: String,
    #[serde(default)]
    pub(super) settings: toml::Table,
    pub(super) subjects: Vec<SubjectTable>,
    pub(super) sections: Vec<Section>,
}

/// A network with its data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubjectTable {
    pub(super) model: String,
    pub(super) weights: String,
    pub(super) data: String,
    /// The model's task, with parameters.
    pub(super) task: Option<String>,
    /// The weights of the network that looks at what a generator draws.
    pub(super) judge: Option<String>,
    /// What makes pictures of what a generator draws, where these are latents.
    pub(super) decoder: Option<DecoderSpec>,
}

/// A product of techniques.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    pub(super) name: String,
    #[serde(default)]
    pub(super) models: Vec<String>,
    pub(super) allocators: Vec<String>,
    pub(super) reconstructions: Vec<String>,
    pub(super) sparsities: Vec<f64>,
    #[serde(default)]
    pub(super) settings: toml::Table,
}

/// A suite that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("suite `{}` cannot be used", path.display())]
pub struct SuiteError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub kind: Box<SuiteErrorKind>,
}

/// What is wrong with a suite.
#[derive(Debug, thiserror::Error)]
pub enum SuiteErrorKind {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Io(#[from] std::io::Error),
    /// The file is no TOML, or has unknown or ill-typed fields.
    #[error("{}", .0.to_string().trim_end())]
    Toml(#[from] toml::de::Error),
    /// Settings are unknown or ill-typed.
    #[error("bad settings in {place}: {}", source.message())]
    Settings {
        /// The section, or the suite.
        place: String,
        /// Which setting, and why.
        source: Box<toml::de::Error>,
    },
    /// The names or parameters of a subject are wrong.
    #[error("subject `{model}` cannot be used")]
    Subject {
        /// Its model.
        model: String,
        /// Which name, and why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A section names a model that no subject has.
    #[error("section `{section}` cannot pick its models")]
    NoSubject {
        /// The section.
        section: String,
        /// The model, and those that there are.
        source: Box<UnknownName>,
    },
    /// A section has an empty list.
    #[error(
        "section `{section}` has no cases, expected an allocator, a reconstruction and a sparsity at least"
    )]
    NoCases {
        /// The section.
        section: String,
    },
    /// The products of the lists are beyond all measure.
    #[error(
        "the suite has more than {most} cases up to section `{section}`, expected shorter lists"
    )]
    TooManyCases {
        /// The section that is too much.
        section: String,
        /// How many a suite may have.
        most: usize,
    },
    /// A rate is no share.
    #[error("section `{section}` has sparsity {value}, expected a number in [0, 1)")]
    Sparsity {
        /// The section.
        section: String,
        /// The rate.
        value: f64,
    },
    /// A name stands for nothing.
    #[error("section `{section}` has a case that cannot be resolved")]
    Case {
        /// The section.
        section: String,
        /// Which name, and why.
        source: CaseError,
    },
    /// Two cases of the same id.
    #[error(
        "case `{case}` is in section `{first}` and in section `{second}` with other settings, weights or data"
    )]
    Conflict {
        /// The case id.
        case: String,
        /// The section that has it first.
        first: String,
        /// The section that has it again.
        second: String,
    },
    /// Two files stand for suites of the same name.
    #[error("its name `{name}` is that of another suite of the same run, rename one of them")]
    Twin {
        /// The name.
        name: String,
    },
}

/// All suites that cannot be used, or the name of one that does not exist.
#[derive(Debug)]
pub struct SuiteErrors(pub Vec<Box<dyn Error + Send + Sync>>);

impl Error for SuiteErrors {}

impl fmt::Display for SuiteErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
            let mut cause = error.source();
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}
