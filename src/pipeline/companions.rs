//! The networks that take part in measuring a case's.

use super::{Allow, Engine, Subject};
use crate::case::CaseError;
use crate::data::DataSpec;
use crate::tasks::{self, Decoder, EvaluationRequest, Judge};
use std::sync::Arc;

/// Companions with their weights.
#[derive(Debug)]
pub struct Companions {
    judge: Option<Arc<Subject>>,
    decoder: Option<Arc<Subject>>,
}

impl Companions {
    /// Loads what a task wants for `data`, each network once.
    ///
    /// # Errors
    /// [`CaseError`] in [`crate::case::Stage::Load`].
    pub fn load(
        engine: &Engine,
        wanted: &tasks::Companions,
        data: &DataSpec,
    ) -> Result<Self, CaseError> {
        let load = |spec: &tasks::NetworkSpec, data| {
            engine.subject(&spec.model, &spec.weights, data, Allow::Nothing)
        };
        let judge = wanted.judge.as_ref();
        let decoder = wanted.decoder.as_ref();
        Ok(Self {
            judge: judge.map(|spec| load(spec, Some(data))).transpose()?,
            decoder: decoder.map(|spec| load(spec, None)).transpose()?,
        })
    }

    /// Adds them to what is asked for.
    pub fn join<'a>(
        &'a self,
        engine: &'a Engine,
        request: EvaluationRequest<'a>,
    ) -> EvaluationRequest<'a> {
        EvaluationRequest {
            judge: self.judge.as_deref().map(|judge| engine.judge(judge)),
            decoder: self.decoder.as_deref().map(|it| engine.decoder(it)),
            ..request
        }
    }
}

impl Engine {
    /// Returns `subject`, a classifier, as one that looks at what others make.
    pub fn judge<'a>(&'a self, subject: &'a Subject) -> Judge<'a> {
        Judge {
            model: subject.model.name,
            network: self.network(subject, &subject.folded),
            preprocess: &subject.preprocess,
            digest: subject.checkpoint.digest(),
        }
    }

    /// Returns `subject` as what makes pictures of latents.
    pub fn decoder<'a>(&'a self, subject: &'a Subject) -> Decoder<'a> {
        Decoder {
            network: self.network(subject, &subject.folded),
            preprocess: &subject.preprocess,
        }
    }
}
