//! The calibration samples of a case, for its allocator and its reconstruction: read once, when somebody asks.

use super::{Engine, Subject, key};
use crate::allocate::{AllocateError, Calibrate, Calibration, Made, Make};
use crate::case::{Case, Fold};
use crate::progress::Progress;
use crate::tasks::{self, CalibrationRequest, TaskError};
use serde_json::json;
use std::cell::OnceCell;
use std::error::Error;
use std::fmt;

/// The calibration samples of a case.
pub struct Samples<'a> {
    engine: &'a Engine,
    case: &'a Case,
    subject: &'a Subject,
    progress: &'a dyn Progress,
    read: OnceCell<tasks::Calibration>,
}

impl fmt::Debug for Samples<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Samples");
        debug.field("case", &self.case.spec).finish_non_exhaustive()
    }
}

impl<'a> Samples<'a> {
    /// Reads nothing yet. `subject` is that of `case`, with its data.
    pub fn new(
        engine: &'a Engine,
        case: &'a Case,
        subject: &'a Subject,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            engine,
            case,
            subject,
            progress,
            read: OnceCell::new(),
        }
    }

    /// Returns the inputs of the network.
    ///
    /// # Errors
    /// [`TaskError`] where there are not as many images as the case asks for, or they do not fit the network.
    pub(super) fn get(&self) -> Result<&tasks::Calibration, TaskError> {
        if let Some(read) = self.read.get() {
            return Ok(read);
        }
        let read = self.read()?;
        Ok(self.read.get_or_init(|| read))
    }

    fn read(&self) -> Result<tasks::Calibration, TaskError> {
        let source = self.subject.source().expect("a case has data");
        let settings = &self.case.spec.settings;
        let request = CalibrationRequest {
            count: settings.calibration,
            augment: &self.case.augment,
            seed: settings.seed,
            strict: settings.strict,
        };
        let dense = &self.subject.folded;
        let network = self.engine.network(self.subject, dense);
        self.case.task.calibration(network, source, &request)
    }

    /// Returns the hash of all that a value called `name` depends on.
    fn key(&self, name: &str) -> Result<String, AllocateError> {
        let data = self.subject.data.as_ref().expect("a case has data");
        let data = data.fingerprint();
        let data = data.map_err(|error| AllocateError::Calibration(Box::new(error)))?;
        let settings = &self.case.spec.settings;
        Ok(key::of(&json!({
            "name": name,
            "task": self.case.spec.task,
            "model": self.case.spec.model,
            "weights": self.subject.checkpoint.digest(),
            "data": data,
            "calibration": settings.calibration,
            "batch_size": settings.batch_size,
            "augment": settings.augment,
            "seed": settings.seed,
            "fold": settings.fold,
            "device": format!("{:?}", self.engine.device().location()),
        })))
    }
}

impl Calibrate for Samples<'_> {
    fn calibration(&self) -> Result<Calibration<'_>, Box<dyn Error + Send + Sync>> {
        let settings = &self.case.spec.settings;
        let (graph, weights) = match settings.fold {
            Fold::BeforeAllocation => (self.subject.graph(), &self.subject.folded),
            Fold::AfterAllocation => (&self.subject.model.graph, &self.subject.weights),
        };
        Ok(Calibration {
            graph,
            weights,
            inputs: self.get()?.inputs.clone(),
            objective: self.case.task.objective(),
            batch_size: settings.batch_size,
            seed: settings.seed,
            memory: self.engine.memory(),
            progress: self.progress,
        })
    }

    fn once(&self, name: &str, make: Make<'_>) -> Made {
        self.engine.table(&self.key(name)?, self.progress, make)
    }
}
