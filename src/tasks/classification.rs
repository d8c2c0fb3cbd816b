//! Image classification: one output of class scores, compared with the true class.

use super::images::TestImages;
use super::{Evaluation, EvaluationRequest, Network, Source, Task, TaskError};
use crate::data::Dataset;
use crate::distill::Objective;
use crate::graph::{Graph, ValueId};
use crate::metrics::{ClassScores, METRICS, Metric};
use crate::progress::Progress;
use crate::registry::{Technique, from_params};
use serde::Deserialize;

pub(super) const ENTRY: Technique<dyn Task> =
    Technique::new("classification", "the class of an image", |params| {
        Ok(Box::new(from_params::<Classification>(params)?))
    });

/// The task `classification`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classification {
    /// What is measured besides the metrics of [`METRICS`].
    #[serde(skip)]
    more: Vec<&'static Metric>,
}

/// Softens the classes of a distillation (Hinton et al. 2015 use 1 to 20).
const TEMPERATURE: f64 = 4.0;

impl Task for Classification {
    fn name(&self) -> &'static str {
        "classification"
    }

    fn objective(&self) -> Objective {
        Objective::KullbackLeibler {
            temperature: TEMPERATURE,
        }
    }

    fn evaluate(
        &self,
        network: Network<'_>,
        source: Source<'_>,
        request: EvaluationRequest<'_>,
        progress: &dyn Progress,
    ) -> Result<Evaluation, TaskError> {
        let output = self.scores_of(network.graph)?;
        let images = TestImages::new(network, source, request)?;
        let classes = network.graph.value(output).shape.numel();
        let labels = self.labels_below(classes, source.dataset, images.samples)?;
        let mut scores = ClassScores::new(classes);
        let skipped = images.run(&[output], progress, |batch, logits| {
            let labels: Vec<u32> = batch.indices.iter().map(|&i| labels[i]).collect();
            Ok(scores.push(&logits[0], &labels)?)
        })?;
        let all = METRICS.iter().chain(self.more.iter().copied());
        let metrics = all.filter_map(|metric| {
            let compute = metric.compute.classification()?;
            Some((metric, compute(&scores)))
        });
        Ok(images.evaluation(skipped, metrics.collect()))
    }
}

impl Classification {
    /// Measures a metric of class scores besides. A case calls such a task by another name than the plain one: dense baselines are kept by
    /// name.
    #[must_use]
    pub fn with(mut self, metric: &'static Metric) -> Self {
        self.more.push(metric);
        self
    }

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

    /// Returns the labels of the test images, if those of the first `samples` are below `classes`.
    fn labels_below<'a>(
        &self,
        classes: usize,
        dataset: &'a dyn Dataset,
        samples: usize,
    ) -> Result<&'a [u32], TaskError> {
        let labels = dataset.test_labels().classes();
        let labels = labels.ok_or_else(|| TaskError::Labels {
            task: self.name(),
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
}
