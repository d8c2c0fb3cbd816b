//! One case from start to end.

use super::machine::{environment, peak_rss};
use super::samples::Samples;
use super::{Companions, Engine, Outcome, Subject};
use crate::allocate::Allocation;
use crate::case::{Case, CaseError, Stage};
use crate::graph::{ParamId, Weights};
use crate::mask::{Mask, masks};
use crate::progress::Progress;
use crate::reconstruct::{Job, Settings, Uncorrected, UnitReport};
use crate::record::{self, Environment, Layer, Metric, Record, SCHEMA, Seconds, Sparsity, Unit};
use crate::tasks::{Evaluation, EvaluationRequest, Exhibit};
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

type Failure = Box<dyn Error + Send + Sync>;

/// Runs the stages of `case` one after the other, and says which one failed.
pub(super) fn run(
    engine: &Engine,
    case: &Case,
    subject: &Subject,
    key: String,
    progress: &dyn Progress,
) -> Result<Outcome, CaseError> {
    let start = Instant::now();
    let companions = Companions::load(engine, &case.companions, &case.data)?;
    let run = Run {
        engine,
        case,
        subject,
        request: companions.join(engine, case.evaluation()),
        samples: Samples::new(engine, case, subject, progress),
        progress,
        id: case.spec.id(),
    };
    let mut clock = Clock::default();
    let allocation = clock.time(|s| &mut s.allocate, || run.allocate())?;
    let (masks, masked) = clock.time(|s| &mut s.mask, || run.mask(&allocation))?;
    let mut rebuilt = run.reconstruct(&masks, masked, &mut clock)?;
    rebuilt.notes.splice(..0, allocation.notes.iter().cloned());
    let dense = run.baseline()?;
    let sparse = clock.time(
        |s| &mut s.evaluate,
        || run.evaluate(&rebuilt.weights, &dense),
    )?;
    let left_out = "unreadable test images left out";
    rebuilt.notes.extend(listed(left_out, &sparse.skipped));
    let checkpoint = subject
        .checkpoint_of(&rebuilt.weights)
        .map_err(run.at(Stage::Evaluate))?;
    clock.seconds.total = start.elapsed().as_secs_f64();
    let record = Record {
        key,
        sparsity: Sparsity {
            target: allocation.target,
            achieved: allocation.achieved(),
        },
        metrics: compared(&dense, &sparse),
        layers: masks.iter().map(layer).collect(),
        evidence: allocation.evidence,
        exhibits: shown(dense.exhibits, sparse.exhibits),
        units: rebuilt.units,
        seconds: clock.seconds,
        peak_rss_bytes: peak_rss(),
        environment: environment(engine.device(), case.spec.settings.seed),
        notes: rebuilt.notes,
        ..outline(case, subject)
    };
    Ok(Outcome { record, checkpoint })
}

/// Returns the record of a case that has not run: what it is, and its layers with nothing pruned.
pub(super) fn outline(case: &Case, subject: &Subject) -> Record {
    let spec = &case.spec;
    let graph = subject.graph();
    let layers = graph.prunable().map(|(id, node)| Layer {
        name: node.name.clone(),
        numel: graph.param(graph.weight_of(id)).shape.iter().product(),
        pruned: 0,
        sparsity: 0.0,
    });
    Record {
        schema: SCHEMA,
        key: String::new(),
        case: spec.id(),
        suite: spec.suite.clone(),
        task: spec.task.clone(),
        dataset: spec.dataset.clone(),
        model: spec.model.clone(),
        allocator: spec.allocator.clone(),
        reconstruction: spec.reconstruction.clone(),
        sparsity: Sparsity {
            target: spec.sparsity,
            achieved: 0.0,
        },
        metrics: std::iter::empty::<(&str, Metric)>().collect(),
        layers: layers.collect(),
        evidence: None,
        exhibits: Vec::new(),
        units: Vec::new(),
        seconds: Seconds::UNKNOWN,
        peak_rss_bytes: None,
        environment: Environment::unknown(spec.settings.seed),
        notes: Vec::new(),
        spec: as_object(spec),
    }
}

/// A case under way.
struct Run<'a> {
    engine: &'a Engine,
    case: &'a Case,
    subject: &'a Subject,
    /// What is measured.
    request: EvaluationRequest<'a>,
    samples: Samples<'a>,
    progress: &'a dyn Progress,
    id: String,
}

/// What reconstruction leaves.
struct Rebuilt {
    weights: Weights,
    units: Vec<Unit>,
    notes: Vec<String>,
}

impl Run<'_> {
    fn at<E: Into<Failure>>(&self, stage: Stage) -> impl FnOnce(E) -> CaseError {
        CaseError::at(&self.id, stage)
    }

    fn allocate(&self) -> Result<Allocation, CaseError> {
        let spec = &self.case.spec;
        let allocator = self.case.allocator.as_ref();
        let allocation = self.engine.allocate(
            self.subject,
            allocator,
            spec.sparsity,
            spec.settings.fold,
            Some(&self.samples),
        );
        allocation.map_err(|error| CaseError {
            case: self.id.clone(),
            ..error
        })
    }

    fn mask(&self, allocation: &Allocation) -> Result<(Vec<Mask>, Weights), CaseError> {
        mask(self.subject, allocation).map_err(self.at(Stage::Mask))
    }

    /// Runs the techniques of the chain one after the other, starting from the masked weights.
    fn reconstruct(
        &self,
        masks: &[Mask],
        masked: Weights,
        clock: &mut Clock,
    ) -> Result<Rebuilt, CaseError> {
        let mut rebuilt = Rebuilt {
            weights: masked,
            units: Vec::new(),
            notes: Vec::new(),
        };
        if self.case.reconstruction.links().is_empty() {
            return Ok(rebuilt);
        }
        let settings = &self.case.spec.settings;
        let calibration = self.samples.get().map_err(self.at(Stage::Reconstruct))?;
        let replaced = "unreadable calibration images replaced by others";
        rebuilt.notes.extend(listed(replaced, &calibration.skipped));
        let masks = mask_tensors(self.engine, self.subject, masks).map_err(self.at(Stage::Mask))?;
        let job = Job {
            graph: self.subject.graph(),
            dense: &self.subject.folded,
            masks: &masks,
            inputs: &calibration.inputs,
            objective: self.case.task.objective(),
            settings: Settings {
                iterations: settings.iterations,
                batch_size: settings.batch_size,
                seed: settings.seed,
                memory: self.engine.memory(),
            },
        };
        for link in self.case.reconstruction.links() {
            let weights = &mut rebuilt.weights;
            let corrected = clock.time(
                |s| &mut s.correct,
                || job.correct(link, weights, self.progress),
            );
            let skipped = corrected.map_err(self.at(Stage::Correct))?;
            rebuilt.notes.extend(uncorrected(&skipped));
            let reports = clock.time(
                |s| &mut s.reconstruct,
                || job.reconstruct(link, weights, self.progress),
            );
            let reports = reports.map_err(self.at(Stage::Reconstruct))?;
            rebuilt.notes.extend(in_vain(&reports));
            rebuilt.units.extend(reports.into_iter().map(unit));
        }
        Ok(rebuilt)
    }

    fn baseline(&self) -> Result<Evaluation, CaseError> {
        let data = self.subject.data.as_ref().expect("a case has data");
        let data = data.fingerprint().map_err(self.at(Stage::Load))?;
        self.engine
            .baseline(self.case, self.subject, &data, self.request, self.progress)
    }

    fn evaluate(&self, weights: &Weights, dense: &Evaluation) -> Result<Evaluation, CaseError> {
        let request = EvaluationRequest {
            dense: Some(dense),
            ..self.request
        };
        self.engine
            .evaluate(
                self.subject,
                weights,
                self.case.task.as_ref(),
                request,
                self.progress,
            )
            .map_err(self.at(Stage::Evaluate))
    }
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

/// Says how many there are, and which ones the first few are.
fn listed(what: &str, all: &[String]) -> Option<String> {
    const NAMED: usize = 3;
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; ... and {more} more"),
    };
    let named = &all[..all.len().min(NAMED)];
    (!all.is_empty()).then(|| format!("{what}: {} ({}{more})", all.len(), named.join("; ")))
}

fn uncorrected(layers: &Uncorrected) -> impl Iterator<Item = String> {
    let why = [
        (
            "bias correction skipped layers without a bias",
            &layers.without_bias,
        ),
        (
            "correction skipped layers that it would have given NaN or infinity",
            &layers.not_finite,
        ),
    ];
    let notes = why
        .map(|(why, layers)| (!layers.is_empty()).then(|| format!("{why}: {}", layers.join(", "))));
    notes.into_iter().flatten()
}

/// Says which units a solver did no good: those where descent led to NaN or infinity, which had no loss to begin with, and which it left
/// as they were because nothing that it came by was better.
fn in_vain(reports: &[UnitReport]) -> impl Iterator<Item = String> {
    let told = |what: &str, tell: &dyn Fn(&UnitReport) -> Option<String>| {
        listed(what, &reports.iter().filter_map(tell).collect::<Vec<_>>())
    };
    let diverged = told(
        "units whose descent diverged, at their best until then",
        &|unit| {
            let step = || format!("{} at step {}", unit.name, unit.iterations);
            unit.diverged.then(step)
        },
    );
    let lossless = told("units without a finite loss, left as they were", &|unit| {
        (!unit.loss_before.is_finite()).then(|| unit.name.clone())
    });
    let no_better = told(
        "units left as they were, for the solver found nothing better",
        &|unit| {
            let tried = unit.iterations > 0 && !unit.diverged && unit.loss_before > 0.0;
            (tried && unit.loss_after >= unit.loss_before).then(|| unit.name.clone())
        },
    );
    [diverged, lossless, no_better].into_iter().flatten()
}

/// Puts what the dense and the sparse network see in the same samples together.
fn shown(dense: Vec<Exhibit>, sparse: Vec<Exhibit>) -> Vec<record::Exhibit> {
    let pairs = dense.into_iter().zip(sparse);
    let pairs = pairs.map(|(dense, sparse)| record::Exhibit {
        name: dense.name,
        sparse_picture: Some(sparse.picture).filter(|picture| *picture != dense.picture),
        picture: dense.picture,
        truth: dense.truth,
        dense: dense.seen,
        sparse: sparse.seen,
    });
    pairs.collect()
}

fn compared(dense: &Evaluation, sparse: &Evaluation) -> record::Ordered<Metric> {
    let same = |name: &str| {
        sparse
            .metrics
            .iter()
            .find(|(metric, _)| metric.name == name)
    };
    let metrics = dense.metrics.iter();
    metrics
        .filter_map(|(metric, dense)| {
            let (_, sparse) = same(metric.name)?;
            let value = Metric {
                dense: *dense,
                sparse: *sparse,
                relative: metric.relative(*dense, *sparse),
            };
            Some((metric.name, value))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_name_the_first_few() {
        let skipped = |count| (0..count).map(|i| format!("image {i}")).collect::<Vec<_>>();
        for (count, note) in [
            (0, None),
            (1, Some("left out: 1 (image 0)")),
            (3, Some("left out: 3 (image 0; image 1; image 2)")),
            (
                5,
                Some("left out: 5 (image 0; image 1; image 2; ... and 2 more)"),
            ),
        ] {
            assert_eq!(listed("left out", &skipped(count)).as_deref(), note);
        }
    }

    #[test]
    fn what_a_solver_does_in_vain_is_noted() {
        let report = |name: &str, loss_before, loss_after, diverged| UnitReport {
            name: name.to_owned(),
            layers: Vec::new(),
            loss_before,
            loss_after,
            iterations: 7,
            diverged,
            seconds: 0.0,
        };
        let reports = [
            report("a", 1.0, 0.5, false),
            report("b", 1.0, 1.0, true),
            report("c", f64::NAN, f64::NAN, false),
            report("d", 1.0, 1.0, false),
            report("e", 0.0, 0.0, false),
        ];
        let notes: Vec<String> = in_vain(&reports).collect();
        assert_eq!(
            notes,
            [
                "units whose descent diverged, at their best until then: 1 (b at step 7)",
                "units without a finite loss, left as they were: 1 (c)",
                "units left as they were, for the solver found nothing better: 1 (d)",
            ]
        );
        assert_eq!(in_vain(&reports[..1]).count(), 0);
    }
}
