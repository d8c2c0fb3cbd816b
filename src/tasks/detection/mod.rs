//! Object detection: boxes made of a network's outputs, compared with the things in each image.

mod candidates;
mod decode;
mod suppress;

pub use decode::{Decoder, Found};

use super::images::TestImages;
use super::{
    Evaluation, EvaluationRequest, Exhibit, Mark, Network, Picture, Source, Task, TaskError,
};
use crate::data::{Annotation, Batch, Dataset, Image, Placement, Preprocess, Rect, Split};
use crate::graph::{RunError, ValueId};
use crate::metrics::{Detection, Detections, METRICS, Scene};
use crate::progress::Progress;
use crate::registry::{Technique, from_params};
use candle_core::Tensor;
use rayon::prelude::*;
use serde::Deserialize;

/// How many images are shown.
const EXHIBITS: usize = 4;

/// What is shown of what a network sees: what it is at least so sure of, and the best so many of it.
const SHOWN: (f64, usize) = (0.3, 30);

pub(super) const ENTRY: Technique<dyn Task> =
    Technique::new("detection", "the things in an image", |params| {
        Ok(Box::new(from_params::<ObjectDetection>(params)?))
    });

/// The task `detection`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectDetection {}

impl Task for ObjectDetection {
    fn name(&self) -> &'static str {
        "detection"
    }

    fn evaluate(
        &self,
        network: Network<'_>,
        source: Source<'_>,
        request: EvaluationRequest<'_>,
        progress: &dyn Progress,
    ) -> Result<Evaluation, TaskError> {
        let detector = Detecting::new(network, source.preprocess)?;
        let images = TestImages::new(network, source, request)?;
        let truth = self.things_in(source.dataset, &detector, images.samples)?;
        let mut detections = Detections::new(classes(source.dataset));
        let mut exhibits = Vec::new();
        let skipped = images.run(&detector.outputs, progress, |batch, outputs| {
            let found = detector.found(batch, outputs)?;
            for (found, index) in found.into_iter().zip(&batch.indices) {
                let truth = truth[*index].clone();
                let scene = Scene { found, truth };
                if exhibits.len() < EXHIBITS {
                    exhibits.push(exhibit(source.dataset, *index, &scene)?);
                }
                detections.push(scene);
            }
            Ok(())
        })?;
        let metrics = METRICS.iter().filter_map(|metric| {
            let value = metric.compute.detection()?(&detections);
            // There may be nothing of a size to find.
            Some((metric, value)).filter(|_| !value.is_nan())
        });
        Ok(Evaluation {
            exhibits,
            ..images.evaluation(skipped, metrics.collect())
        })
    }
}

impl ObjectDetection {
    /// Returns what is in the test images, if the detector knows the classes of all of it.
    fn things_in<'a>(
        &self,
        dataset: &'a dyn Dataset,
        detector: &Detecting<'_>,
        samples: usize,
    ) -> Result<&'a [Vec<Annotation>], TaskError> {
        let things = dataset.test_labels().boxes();
        let things = things.ok_or_else(|| TaskError::Labels {
            task: self.name(),
            expected: "boxes in each image",
            dataset: dataset.name().to_owned(),
        })?;
        let known = &detector.decoder.detector().classes;
        let mut measured = things.iter().take(samples).flatten();
        match measured.find(|thing| !known.contains(&Some(thing.class))) {
            Some(thing) => Err(TaskError::Class {
                class: dataset.class_name(thing.class).unwrap_or_default().into(),
                found: thing.class,
                classes: known.iter().flatten().count(),
            }),
            None => Ok(things),
        }
    }
}

/// Shows a test image with what is there and what is found.
fn exhibit(dataset: &dyn Dataset, index: usize, scene: &Scene) -> Result<Exhibit, TaskError> {
    let image = dataset.image(Split::Test, index)?;
    let (picture, factor) = Picture::of(&image);
    let mark = |rect: &Rect, class: u32, score: Option<f64>| Mark {
        edges: rect.edges().map(|edge| (edge * factor) as f32),
        label: dataset.class_name(class).unwrap_or_default().to_owned(),
        score: score.map(|score| score as f32),
    };
    let (least, count) = SHOWN;
    let sure = scene.found.iter().filter(|found| found.score >= least);
    let seen = sure.map(|found| mark(&found.rect, found.class, Some(found.score)));
    let truth = scene.truth.iter();
    Ok(Exhibit {
        name: format!("test image {index}"),
        picture,
        truth: truth
            .map(|thing| mark(&thing.rect, thing.class, None))
            .collect(),
        seen: seen.take(count).collect(),
    })
}

/// Returns the number of classes of a data set.
fn classes(dataset: &dyn Dataset) -> usize {
    let mut numbers = 0..u32::MAX;
    let end = numbers.find(|class| dataset.class_name(*class).is_none());
    end.unwrap_or(u32::MAX) as usize
}

/// A detector, and how it takes images.
#[derive(Debug)]
pub struct Detecting<'a> {
    decoder: Decoder<'a>,
    preprocess: &'a Preprocess,
    outputs: Vec<ValueId>,
}

impl<'a> Detecting<'a> {
    /// Takes a network that gives boxes.
    ///
    /// # Errors
    /// [`TaskError`] for one that does not.
    pub fn new(network: Network<'a>, preprocess: &'a Preprocess) -> Result<Self, TaskError> {
        let detector = network.head.detector().ok_or(TaskError::NoDetector)?;
        let decoder = Decoder::new(detector);
        Ok(Self {
            outputs: decoder.outputs(network.graph)?,
            decoder,
            preprocess,
        })
    }

    /// Returns what is found in an image of any size, in its pixels, best first.
    ///
    /// # Errors
    /// [`TaskError`] where the image does not fit, or the network fails.
    pub fn image(&self, network: Network<'_>, image: &Image) -> Result<Vec<Detection>, TaskError> {
        let [_, height, width] = image.shape();
        let fitted = self.preprocess.fit(image.clone());
        let input = self
            .preprocess
            .apply(std::slice::from_ref(&fitted), network.device)?;
        let graph = network.graph;
        let plan = graph.plan(graph.inputs(), &self.outputs);
        let plan = plan.map_err(RunError::from)?;
        let batch = Batch {
            sizes: vec![[height, width]],
            images: vec![fitted],
            ..Batch::default()
        };
        let outputs = plan.run(graph, network.weights, &[input])?;
        Ok(self.found(&batch, &outputs)?.swap_remove(0))
    }

    /// Returns what is found in each image of a batch, in pixels of the original image.
    fn found(&self, batch: &Batch, outputs: &[Tensor]) -> Result<Vec<Vec<Detection>>, TaskError> {
        let samples = self.decoder.samples(outputs)?;
        let images = samples.par_iter().zip(&batch.sizes);
        let found = images.map(|(outputs, size)| {
            let placement = self.preprocess.placement(*size);
            let found = self.decoder.decode(outputs, placement.extent);
            found.iter().map(|f| original(f, &placement)).collect()
        });
        Ok(found.collect())
    }
}

/// Returns what was found in the input as it lies in the original image.
fn original(found: &Found, placement: &Placement) -> Detection {
    let edges = found.edges.map(f64::from);
    Detection {
        rect: placement.to_original(Rect::from_edges(edges)),
        class: found.class,
        score: f64::from(found.score),
    }
}
