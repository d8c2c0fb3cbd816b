//! Image classification: one output of class scores, compared with the true class.

use super::{CalibrationRequest, Evaluation, Network, Source, Task, TaskError};
use crate::data::{Labels, Split, augment, draw_calibration};
use crate::metrics::{ClassScores, Compute, METRICS, Metric};
use crate::progress::Progress;
use candle_core::Tensor;
use std::ops::RangeInclusive;

/// The task `classification`.
#[derive(Debug)]
pub(super) struct Classification;

/// The elements of the images that are run at once, for their activations to stay in the cache.
const ELEMENTS: usize = 1 << 17;

/// The fewest and the most images that are.
const BATCH: RangeInclusive<usize> = 8..=32;

impl Task for Classification {
    fn name(&self) -> &'static str {
        "classification"
    }

    fn metrics(&self) -> Vec<&'static Metric> {
        let ours = |metric: &&Metric| matches!(metric.compute, Compute::Classification(_));
        METRICS.iter().filter(ours).collect()
    }

    fn calibration(
        &self,
        network: Network<'_>,
        source: Source<'_>,
        request: &CalibrationRequest<'_>,
    ) -> Result<Vec<Tensor>, TaskError> {
        let available = source.dataset.count(Split::Calibration);
        let indices = draw_calibration(available, request.count, request.seed)?;
        let images = source.dataset.images(Split::Calibration, &indices)?;
        let images = augment(images, request.augment, request.seed)?;
        Ok(vec![source.preprocess.apply(&images, network.device)?])
    }

    fn evaluate(
        &self,
        network: Network<'_>,
        source: Source<'_>,
        limit: Option<usize>,
        progress: &dyn Progress,
    ) -> Result<Evaluation, TaskError> {
        let [output] = network.graph.outputs() else {
            return Err(TaskError::Outputs {
                task: self.name(),
                expected: 1,
                found: network.graph.outputs().len(),
            });
        };
        let available = source.dataset.count(Split::Test);
        let samples = limit.map_or(available, |limit| limit.min(available));
        if samples == 0 {
            return Err(TaskError::NoSamples);
        }
        let Labels::Classes(labels) = source.dataset.test_labels();
        let mut scores = ClassScores::new(network.graph.value(*output).shape.numel());
        let plan = network.graph.plan(network.graph.inputs(), &[*output]);
        let plan = plan.map_err(crate::graph::RunError::from)?;
        let image = network.graph.value(network.graph.inputs()[0]).shape.numel();
        let batch = (ELEMENTS / image).clamp(*BATCH.start(), *BATCH.end());
        progress.stage("evaluate", samples.div_ceil(batch));
        for start in (0..samples).step_by(batch) {
            progress.check()?;
            let indices: Vec<usize> = (start..samples.min(start + batch)).collect();
            let images = source.dataset.images(Split::Test, &indices)?;
            let input = source.preprocess.apply(&images, network.device)?;
            let logits = plan.run(network.graph, network.weights, &[input])?;
            scores.push(&logits[0], &labels[start..start + indices.len()])?;
            progress.step("batch");
        }
        let metrics = self.metrics().into_iter().map(|metric| {
            let Compute::Classification(compute) = metric.compute;
            (metric, compute(&scores))
        });
        Ok(Evaluation {
            samples,
            metrics: metrics.collect(),
        })
    }
}
