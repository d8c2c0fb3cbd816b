//! Image classification: one output of class scores, compared with the true class.

use super::{
    Calibration, CalibrationRequest, Evaluation, EvaluationRequest, Network, Source, Task,
    TaskError,
};
use crate::data::{DataError, Dataset, Split, augment};
use crate::distill::Objective;
use crate::graph::{Graph, ValueId};
use crate::metrics::{ClassScores, METRICS, Metric};
use crate::progress::Progress;
use std::ops::RangeInclusive;

/// The task `classification`.
#[derive(Debug)]
pub(super) struct Classification;

/// The elements of the images that are run at once, for their activations to stay in the cache.
const ELEMENTS: usize = 1 << 17;

/// The fewest and the most images that are.
const BATCH: RangeInclusive<usize> = 8..=32;

/// Softens the classes of a distillation (Hinton et al. 2015 use 1 to 20).
const TEMPERATURE: f64 = 4.0;

impl Task for Classification {
    fn name(&self) -> &'static str {
        "classification"
    }

    fn metrics(&self) -> Vec<&'static Metric> {
        let ours = |metric: &&Metric| metric.compute.classification().is_some();
        METRICS.iter().filter(ours).collect()
    }

    fn objective(&self) -> Objective {
        Objective::KullbackLeibler {
            temperature: TEMPERATURE,
        }
    }

    fn calibration(
        &self,
        network: Network<'_>,
        source: Source<'_>,
        request: &CalibrationRequest<'_>,
    ) -> Result<Calibration, TaskError> {
        let reader = source.reader(request.strict);
        let drawn = reader.calibration(request.count, request.seed)?;
        let images = augment(drawn.images, request.augment, request.seed)?;
        Ok(Calibration {
            inputs: vec![source.preprocess.apply(&images, network.device)?],
            skipped: drawn.skipped,
        })
    }

    fn evaluate(
        &self,
        network: Network<'_>,
        source: Source<'_>,
        request: EvaluationRequest,
        progress: &dyn Progress,
    ) -> Result<Evaluation, TaskError> {
        let output = self.scores_of(network.graph)?;
        let available = source.dataset.count(Split::Test);
        let samples = request
            .limit
            .map_or(available, |limit| limit.min(available));
        if samples == 0 {
            return Err(TaskError::NoSamples);
        }
        let classes = network.graph.value(output).shape.numel();
        let labels = labels_below(classes, source.dataset, samples)?;
        let mut scores = ClassScores::new(classes);
        let mut skipped = Vec::new();
        let plan = network.graph.plan(network.graph.inputs(), &[output]);
        let plan = plan.map_err(crate::graph::RunError::from)?;
        let batch = batch_size(network.graph);
        progress.stage("evaluate", samples.div_ceil(batch));
        source
            .reader(request.strict)
            .test(samples, batch, |batches| {
                for batch in batches {
                    progress.check()?;
                    let batch = batch?;
                    skipped.extend(batch.skipped);
                    if !batch.images.is_empty() {
                        let input = source.preprocess.apply(&batch.images, network.device)?;
                        let logits = plan.run(network.graph, network.weights, &[input])?;
                        let labels: Vec<u32> = batch.indices.iter().map(|&i| labels[i]).collect();
                        scores.push(&logits[0], &labels)?;
                    }
                    progress.step("batch");
                }
                Ok::<_, TaskError>(())
            })?;
        if scores.count() == 0 {
            let count = skipped.len();
            let first = skipped.swap_remove(0);
            return Err(DataError::NoneReadable { count, first }.into());
        }
        let metrics = METRICS.iter().filter_map(|metric| {
            let compute = metric.compute.classification()?;
            Some((metric, compute(&scores)))
        });
        Ok(Evaluation {
            samples: scores.count(),
            skipped,
            metrics: metrics.collect(),
        })
    }
}

impl Classification {
    /// Returns the only output.
    fn scores_of(&self, graph: &Graph) -> Result<ValueId, TaskError> {
        match graph.outputs() {
            [output] => Ok(*output),
            many => Err(TaskError::Outputs {
                task: self.name(),
                expected: 1,
                found: many.len(),
            }),
        }
    }
}

/// Returns how many images are run at once.
fn batch_size(graph: &Graph) -> usize {
    let image = graph.value(graph.inputs()[0]).shape.numel();
    (ELEMENTS / image).clamp(*BATCH.start(), *BATCH.end())
}

/// Returns the labels of the test images, if those of the first `samples` are below `classes`.
fn labels_below(
    classes: usize,
    dataset: &dyn Dataset,
    samples: usize,
) -> Result<&[u32], TaskError> {
    let labels = dataset.test_labels().classes();
    let labels = labels.ok_or_else(|| TaskError::Labels {
        task: Classification.name(),
        expected: "a class for each image",
        dataset: dataset.name().to_owned(),
    })?;
    let measured = labels.iter().take(samples);
    match measured.copied().find(|&label| label as usize >= classes) {
        Some(found) => Err(TaskError::Class {
            class: dataset.class_name(found).unwrap_or_default().to_owned(),
            found,
            classes,
        }),
        None => Ok(labels),
    }
}
