//! One case from start to end.

use super::machine::{environment, peak_rss};
use super::{Engine, Outcome, Subject};
use crate::allocate::Allocation;
use crate::case::{Case, CaseError, Stage};
use crate::graph::{ParamId, Weights};
use crate::mask::{Mask, masks};
use crate::progress::Progress;
use crate::reconstruct::{Job, Settings, UnitReport};
use crate::record::{Layer, Metric, Record, SCHEMA, Seconds, Sparsity, Unit};
use crate::tasks::{CalibrationRequest, Evaluation};
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

type Failure = Box<dyn Error + Send + Sync>;

/// Bytes of activations held before they are recomputed instead.
const MEMORY: usize = 2 << 30;

/// Runs the stages of `case` one after the other, and says which one failed.
pub(super) fn run(
    engine: &Engine,
    case: &Case,
    subject: &Subject,
    key: String,
    progress: &dyn Progress,
) -> Result<Outcome, CaseError> {
    let start = Instant::now();
    let id = case.spec.id();
    let settings = &case.spec.settings;
    let mut clock = Clock::default();
    let mut notes = Vec::new();

    let allocation = clock.time(
        |s| &mut s.allocate,
        || {
            engine.allocate(
                subject,
                case.allocator.as_ref(),
                case.spec.sparsity,
                settings.fold,
            )
        },
    );
    let allocation = allocation.map_err(|error| CaseError {
        case: id.clone(),
        ..error
    })?;

    let masked = clock.time(|s| &mut s.mask, || mask(subject, &allocation));
    let (masks, mut weights) = masked.map_err(CaseError::at(&id, Stage::Mask))?;

    let mut units = Vec::new();
    if !case.reconstruction.links().is_empty() {
        let inputs = calibration(engine, case, subject);
        let inputs = inputs.map_err(CaseError::at(&id, Stage::Reconstruct))?;
        let job = Job {
            graph: subject.graph(),
            dense: &subject.folded,
            masks: &mask_tensors(engine, subject, &masks)
                .map_err(CaseError::at(&id, Stage::Mask))?,
            inputs: &inputs,
            settings: Settings {
                iterations: settings.iterations,
                batch_size: settings.batch_size,
                seed: settings.seed,
                memory: MEMORY,
            },
        };
        for link in case.reconstruction.links() {
            let corrected = clock.time(
                |s| &mut s.correct,
                || job.correct(link, &mut weights, progress),
            );
            let skipped = corrected.map_err(CaseError::at(&id, Stage::Correct))?;
            notes.extend(without_bias(&skipped));
            let reports = clock.time(
                |s| &mut s.reconstruct,
                || job.reconstruct(link, &mut weights, progress),
            );
            units.extend(reports.map_err(CaseError::at(&id, Stage::Reconstruct))?);
        }
    }

    let data = subject.data.as_ref().map(|data| data.fingerprint());
    let data = data.transpose().map_err(CaseError::at(&id, Stage::Load))?;
    let dense = engine
        .baseline(case, subject, &data.unwrap_or_default(), progress)
        .map_err(CaseError::at(&id, Stage::Evaluate))?;
    let sparse = clock.time(
        |s| &mut s.evaluate,
        || engine.evaluate(subject, &weights, case.task, settings.limit, progress),
    );
    let sparse = sparse.map_err(CaseError::at(&id, Stage::Evaluate))?;
    let checkpoint = subject.checkpoint_of(&weights);
    clock.seconds.total = start.elapsed().as_secs_f64();
    Ok(Outcome {
        checkpoint: checkpoint.map_err(CaseError::at(&id, Stage::Evaluate))?,
        record: Record {
            schema: SCHEMA,
            key,
            case: id,
            suite: case.spec.suite.clone(),
            task: case.spec.task.clone(),
            dataset: case.spec.dataset.clone(),
            model: case.spec.model.clone(),
            allocator: case.spec.allocator.clone(),
            reconstruction: case.spec.reconstruction.clone(),
            sparsity: sparsity(&allocation),
            metrics: compared(&dense, &sparse),
            layers: masks.iter().map(layer).collect(),
            units: units.into_iter().map(unit).collect(),
            seconds: clock.seconds,
            peak_rss_bytes: peak_rss(),
            environment: environment(engine.device(), settings.seed),
            notes,
            spec: as_object(&case.spec),
        },
    })
}

/// Adds up where the time goes.
#[derive(Default)]
struct Clock {
    seconds: Seconds,
}

impl Clock {
    fn time<T>(&mut self, of: fn(&mut Seconds) -> &mut f64, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        *of(&mut self.seconds) += start.elapsed().as_secs_f64();
        result
    }
}

/// Makes the masks, and the dense weights with zeros where they prune.
fn mask(subject: &Subject, allocation: &Allocation) -> Result<(Vec<Mask>, Weights), Failure> {
    let masks = masks(&subject.folded_layers()?, allocation)?;
    let mut weights = subject.folded.clone();
    for (mask, (id, _)) in masks.iter().zip(subject.graph().prunable()) {
        let weight = subject.graph().weight_of(id);
        let dense = subject.folded.tensor(weight);
        let keep = mask
            .to_tensor(dense.device())?
            .to_dtype(candle_core::DType::U8)?;
        weights.set(weight, keep.where_cond(dense, &dense.zeros_like()?)?);
    }
    Ok((masks, weights))
}

fn mask_tensors(
    engine: &Engine,
    subject: &Subject,
    masks: &[Mask],
) -> candle_core::Result<BTreeMap<ParamId, Tensor>> {
    let layers = subject.graph().prunable();
    layers
        .zip(masks)
        .map(|((id, _), mask)| {
            Ok((
                subject.graph().weight_of(id),
                mask.to_tensor(engine.device())?,
            ))
        })
        .collect()
}

fn calibration(
    engine: &Engine,
    case: &Case,
    subject: &Subject,
) -> Result<Vec<Tensor>, crate::tasks::TaskError> {
    let source = subject.source().expect("a case has data");
    let request = CalibrationRequest {
        count: case.spec.settings.calibration,
        augment: &case.augment,
        seed: case.spec.settings.seed,
    };
    let network = engine.network(subject.graph(), &subject.folded);
    case.task.calibration(network, source, &request)
}

fn without_bias(layers: &[String]) -> Option<String> {
    (!layers.is_empty()).then(|| {
        format!(
            "bias correction skipped layers without a bias: {}",
            layers.join(", ")
        )
    })
}

fn sparsity(allocation: &Allocation) -> Sparsity {
    Sparsity {
        target: allocation.target,
        achieved: allocation.achieved(),
    }
}

fn compared(dense: &Evaluation, sparse: &Evaluation) -> crate::record::Ordered<Metric> {
    let pairs = dense.metrics.iter().zip(&sparse.metrics);
    pairs
        .map(|((metric, dense), (_, sparse))| {
            let value = Metric {
                dense: *dense,
                sparse: *sparse,
                relative: metric.relative(*dense, *sparse),
            };
            (metric.name, value)
        })
        .collect()
}

fn layer(mask: &Mask) -> Layer {
    let (numel, pruned) = (mask.kept().len(), mask.pruned());
    Layer {
        name: mask.layer.clone(),
        numel,
        pruned,
        sparsity: pruned as f64 / numel as f64,
    }
}

fn unit(report: UnitReport) -> Unit {
    Unit {
        name: report.name,
        layers: report.layers,
        loss_before: report.loss_before,
        loss_after: report.loss_after,
        iterations: report.iterations,
        seconds: report.seconds,
    }
}

fn as_object(spec: &crate::case::CaseSpec) -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_value(spec) {
        Ok(serde_json::Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    }
}
