//! What all cases of a process share.

use super::subject::{Allow, Subject};
use super::{key, run};
use crate::allocate::{Allocation, Allocator, Calibrate, Context, Made, Make};
use crate::atomic;
use crate::case::{Case, CaseError, Fold, Stage};
use crate::data::{DataSpec, Dataset};
use crate::graph::Weights;
use crate::kernels;
use crate::metrics::METRICS;
use crate::progress::Progress;
use crate::record::Record;
use crate::registry::Spec;
use crate::shared::Shared;
use crate::tasks::{
    Drawn, Evaluation, EvaluationRequest, Exhibit, Network, NetworkSpec, Task, TaskError,
};
use crate::weights::{Checkpoint, WeightsSpec};
use candle_core::{Device, Tensor};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// The device, and what is loaded or measured once.
#[derive(Debug)]
pub struct Engine {
    device: Device,
    cache: Option<PathBuf>,
    memory: usize,
    checkpoints: Shared<String, Arc<Checkpoint>>,
    datasets: Shared<String, Arc<dyn Dataset>>,
    subjects: Shared<(String, String, String, Allow), Arc<Subject>>,
    baselines: Shared<String, Evaluation>,
    tables: Shared<String, Value>,
}

/// What came of a case.
#[derive(Debug)]
pub struct Outcome {
    /// The result.
    pub record: Record,
    /// The sparse network under the names of the original checkpoint.
    pub checkpoint: Vec<(String, Tensor)>,
}

/// The metrics of a dense network, as cached.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Baseline {
    samples: usize,
    skipped: Vec<String>,
    metrics: Vec<(String, f64)>,
    exhibits: Vec<Exhibit>,
    drawn: Option<Drawn>,
}

impl Engine {
    /// The bytes that the activations of a case take at most, if nobody says otherwise.
    pub const MEMORY: usize = 4 << 30;

    /// Makes an engine that keeps dense baselines and tables of allocators in the folder `cache`, if given.
    pub fn new(device: Device, cache: Option<PathBuf>) -> Self {
        kernels::hold_back_briefly();
        Self {
            device,
            cache,
            memory: Self::MEMORY,
            checkpoints: Shared::default(),
            datasets: Shared::default(),
            subjects: Shared::default(),
            baselines: Shared::default(),
            tables: Shared::default(),
        }
    }

    /// Returns the same engine with this many bytes for the activations of calibration samples that a case keeps; more are computed again
    /// whenever they are asked for. Results do not depend on it. Weights, the calibration images themselves and what a batch needs while it
    /// runs come on top.
    #[must_use]
    pub fn with_memory(self, bytes: usize) -> Self {
        Self {
            memory: bytes,
            ..self
        }
    }

    /// Returns the bytes for the activations of a case, see [`Self::with_memory`].
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Returns the device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Returns the model with its weights and, if given, its data; loaded once.
    ///
    /// # Errors
    /// [`CaseError`] in [`Stage::Load`].
    pub fn subject(
        &self,
        model: &Spec,
        weights: &WeightsSpec,
        data: Option<&DataSpec>,
        allow: Allow,
    ) -> Result<Arc<Subject>, CaseError> {
        let data_text = data.map(ToString::to_string).unwrap_or_default();
        let texts = (model.to_string(), weights.to_string(), data_text, allow);
        let name = format!("{model} {weights}");
        self.subjects.get(texts, || {
            let checkpoint = self.checkpoint(weights)?;
            let data = data.map(|data| self.dataset(data)).transpose()?;
            let image = data.as_ref().and_then(|data| data.image_shape());
            let mut subject = Subject::bind(model, checkpoint, image, allow, &self.device)
                .map_err(CaseError::at(&name, Stage::Load))?;
            subject.data = data;
            Ok(Arc::new(subject))
        })
    }

    /// Returns the checkpoint of `weights`; read once.
    ///
    /// # Errors
    /// [`CaseError`] in [`Stage::Load`].
    pub fn checkpoint(&self, weights: &WeightsSpec) -> Result<Arc<Checkpoint>, CaseError> {
        let text = weights.to_string();
        self.checkpoints.get(text.clone(), || {
            let loaded = weights.load().map(Arc::new);
            loaded.map_err(CaseError::at(&text, Stage::Load))
        })
    }

    fn dataset(&self, data: &DataSpec) -> Result<Arc<dyn Dataset>, CaseError> {
        let text = data.to_string();
        self.datasets.get(text.clone(), || {
            data.open().map_err(CaseError::at(&text, Stage::Load))
        })
    }

    /// Returns the record of `case` as it is before anything has run: what it is, and its layers with nothing pruned.
    ///
    /// # Errors
    /// [`CaseError`] where the model and its checkpoint cannot be had.
    pub fn outline(&self, case: &Case) -> Result<Record, CaseError> {
        let subject = self.subject(&case.model, &case.weights, Some(&case.data), Allow::Nothing)?;
        Ok(run::outline(case, &subject))
    }

    /// Returns the hash of everything that the result of `case` depends on.
    ///
    /// # Errors
    /// [`CaseError`] where data or weights cannot be read.
    pub fn key(&self, case: &Case) -> Result<String, CaseError> {
        let checkpoint = self.checkpoint(&case.weights)?;
        let data = self.dataset(&case.data)?.fingerprint();
        let data = data.map_err(CaseError::at(&case.spec.id(), Stage::Load))?;
        let companions = self.companions(case)?;
        Ok(key::of_case(
            &case.spec,
            checkpoint.digest(),
            &data,
            &companions,
        ))
    }

    /// Returns the models of a case's companions and the hashes of their checkpoints.
    fn companions(&self, case: &Case) -> Result<Value, CaseError> {
        let companion = |(part, network): (&str, &NetworkSpec)| {
            let checkpoint = self.checkpoint(&network.weights)?;
            let value = json!({"model": network.model.to_string(), "weights": checkpoint.digest()});
            Ok((part.to_owned(), value))
        };
        let all: Result<_, CaseError> = case.companions.iter().map(companion).collect();
        all.map(Value::Object)
    }

    /// Runs `case`.
    ///
    /// # Errors
    /// [`CaseError`] naming the stage that failed.
    pub fn run(
        &self,
        case: &Case,
        allow: Allow,
        progress: &dyn Progress,
    ) -> Result<Outcome, CaseError> {
        let subject = self.subject(&case.model, &case.weights, Some(&case.data), allow)?;
        self.run_on(case, &subject, progress)
    }

    /// Runs `case` on a network and data of the caller's, in the place of those that it names. Its names are to differ from those of other
    /// cases: dense baselines are kept by them.
    ///
    /// # Errors
    /// [`CaseError`] naming the stage that failed.
    ///
    /// # Panics
    /// If the subject was made without data.
    pub fn run_on(
        &self,
        case: &Case,
        subject: &Subject,
        progress: &dyn Progress,
    ) -> Result<Outcome, CaseError> {
        let data = subject.data.as_ref().expect("a case has data");
        let data = data.fingerprint();
        let data = data.map_err(CaseError::at(&case.spec.id(), Stage::Load))?;
        let companions = self.companions(case)?;
        let weights = subject.checkpoint.digest();
        let key = key::of_case(&case.spec, weights, &data, &companions);
        run::run(self, case, subject, key, progress)
    }

    /// Shares out `sparsity` over the layers of `subject`; `data` is for allocators that ask for calibration data.
    ///
    /// # Errors
    /// [`CaseError`] in [`Stage::Allocate`].
    pub fn allocate(
        &self,
        subject: &Subject,
        allocator: &dyn Allocator,
        sparsity: f64,
        fold: Fold,
        data: Option<&dyn Calibrate>,
    ) -> Result<Allocation, CaseError> {
        let name = subject.checkpoint.name();
        let layers = match fold {
            Fold::BeforeAllocation => subject.folded_layers(),
            Fold::AfterAllocation => subject.layers(),
        };
        let layers = layers.map_err(CaseError::at(name, Stage::Allocate))?;
        let context = Context {
            layers: &layers,
            target: sparsity,
            data,
        };
        allocator
            .allocate(context)
            .map_err(CaseError::at(name, Stage::Allocate))
    }

    /// Measures a binding of the folded graph of `subject` on its data.
    ///
    /// # Errors
    /// [`TaskError`] where the network fails, or on request.
    ///
    /// # Panics
    /// If the subject was made without data.
    pub fn evaluate(
        &self,
        subject: &Subject,
        weights: &Weights,
        task: &dyn Task,
        request: EvaluationRequest<'_>,
        progress: &dyn Progress,
    ) -> Result<Evaluation, TaskError> {
        let source = subject.source().expect("an evaluation has data");
        let network = self.network(subject, weights);
        task.evaluate(network, source, request, progress)
    }

    /// Returns the folded network of `subject` with a binding of its weights.
    pub fn network<'a>(&'a self, subject: &'a Subject, weights: &'a Weights) -> Network<'a> {
        Network {
            graph: subject.graph(),
            head: &subject.model.head,
            weights,
            device: &self.device,
        }
    }

    /// Measures the dense network once a process and, with a cache, once for all.
    pub(super) fn baseline(
        &self,
        case: &Case,
        subject: &Subject,
        data: &str,
        request: EvaluationRequest<'_>,
        progress: &dyn Progress,
    ) -> Result<Evaluation, CaseError> {
        let hash = key::of(&json!({
            "model": case.spec.model,
            "task": case.spec.task,
            "weights": subject.checkpoint.digest(),
            "data": data,
            "companions": self.companions(case)?,
            "limit": request.limit,
            "device": format!("{:?}", self.device.location()),
        }));
        let baseline = self.baselines.get_watched(hash.clone(), progress, || {
            let cached = self.cached(&hash).and_then(Baseline::into_evaluation);
            if let Some(baseline) = cached {
                return Ok(baseline);
            }
            let measured = self.evaluate(
                subject,
                &subject.folded,
                case.task.as_ref(),
                request,
                progress,
            )?;
            let metrics = measured.metrics.iter();
            let baseline = Baseline {
                samples: measured.samples,
                skipped: measured.skipped.clone(),
                metrics: metrics.map(|(m, v)| (m.name.to_owned(), *v)).collect(),
                exhibits: measured.exhibits.clone(),
                drawn: measured.drawn.clone(),
            };
            self.remember(&hash, &baseline);
            Ok(measured)
        });
        baseline.map_err(CaseError::at::<TaskError>(&case.spec.id(), Stage::Evaluate))
    }

    /// Returns the table with this hash of all that it depends on, made once a process and, with a cache, once for all.
    pub(super) fn table(&self, hash: &str, progress: &dyn Progress, make: Make<'_>) -> Made {
        self.tables.get_watched(hash.to_owned(), progress, || {
            if let Some(table) = self.cached(hash) {
                return Ok(table);
            }
            let table = make()?;
            self.remember(hash, &table);
            Ok(table)
        })
    }

    fn cached<T: DeserializeOwned>(&self, hash: &str) -> Option<T> {
        let path = self.cache.as_ref()?.join(format!("{hash}.json"));
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Keeps a value for other processes. One that cannot be kept is made again, which harms nobody.
    fn remember(&self, hash: &str, value: &impl Serialize) {
        if let (Some(cache), Ok(text)) = (&self.cache, serde_json::to_vec(value)) {
            let path = cache.join(format!("{hash}.json"));
            let _ = atomic::write(&path, &text);
        }
    }
}

impl Baseline {
    /// Returns what was measured, if all of its metrics are known.
    fn into_evaluation(self) -> Option<Evaluation> {
        let known = |(name, value): (String, f64)| Some((METRICS.find(&name).ok()?, value));
        let metrics: Option<_> = self.metrics.into_iter().map(known).collect();
        Some(Evaluation {
            samples: self.samples,
            skipped: self.skipped,
            metrics: metrics?,
            exhibits: self.exhibits,
            drawn: self.drawn,
        })
    }
}
