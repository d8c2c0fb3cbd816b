//! What tasks on images have in common: drawing calibration images, and running a network over test images.

use super::{
    Calibration, CalibrationRequest, Evaluation, EvaluationRequest, Network, Source, TaskError,
};
use crate::data::{Batch, DataError, Split, augment};
use crate::graph::{Graph, RunError, ValueId};
use crate::metrics::Metric;
use crate::progress::Progress;
use candle_core::Tensor;
use std::ops::RangeInclusive;

/// The elements of the images that are run at once, for their activations to stay in the cache.
const ELEMENTS: usize = 1 << 17;

/// The fewest and the most images that are.
const BATCH: RangeInclusive<usize> = 8..=32;

/// Draws calibration images, adds label-free copies, and normalises them.
pub(super) fn calibration(
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

/// The test images that a network is to be run over.
#[derive(Debug)]
pub struct TestImages<'a> {
    network: Network<'a>,
    source: Source<'a>,
    strict: bool,
    /// How many they are.
    pub samples: usize,
}

impl<'a> TestImages<'a> {
    /// Takes as many as `request` asks for.
    ///
    /// # Errors
    /// [`TaskError::NoSamples`] where that is none.
    pub fn new(
        network: Network<'a>,
        source: Source<'a>,
        request: EvaluationRequest<'_>,
    ) -> Result<Self, TaskError> {
        let available = source.dataset.count(Split::Test);
        let limit = request.limit.unwrap_or(available);
        match limit.min(available) {
            0 => Err(TaskError::NoSamples),
            samples => Ok(Self {
                network,
                source,
                strict: request.strict,
                samples,
            }),
        }
    }

    /// Calls `take` with each batch of images that can be read and what the network makes of them in `outputs`; returns what was wrong
    /// with each image that cannot.
    ///
    /// # Errors
    /// [`TaskError`] where no image can be read, the network or `take` fails, or on request.
    pub fn run(
        &self,
        outputs: &[ValueId],
        progress: &dyn Progress,
        mut take: impl FnMut(&Batch, &[Tensor]) -> Result<(), TaskError>,
    ) -> Result<Vec<String>, TaskError> {
        let Network { graph, weights, .. } = self.network;
        let plan = graph.plan(graph.inputs(), outputs);
        let plan = plan.map_err(RunError::from)?;
        let batch = batch_size(graph);
        progress.stage("evaluate", self.samples.div_ceil(batch));
        let mut skipped = Vec::new();
        let reader = self.source.reader(self.strict);
        reader.test(self.samples, batch, |batches| {
            for batch in batches {
                progress.check()?;
                let mut batch = batch?;
                skipped.append(&mut batch.skipped);
                if !batch.images.is_empty() {
                    let preprocess = self.source.preprocess;
                    let input = preprocess.apply(&batch.images, self.network.device)?;
                    take(&batch, &plan.run(graph, weights, &[input])?)?;
                }
                progress.step("batch");
            }
            Ok::<_, TaskError>(())
        })?;
        self.some_were_read(skipped)
    }

    fn some_were_read(&self, mut skipped: Vec<String>) -> Result<Vec<String>, TaskError> {
        if skipped.len() < self.samples {
            return Ok(skipped);
        }
        let count = skipped.len();
        let first = skipped.swap_remove(0);
        Err(DataError::NoneReadable { count, first }.into())
    }

    /// Says what was measured.
    pub fn evaluation(
        &self,
        skipped: Vec<String>,
        metrics: Vec<(&'static Metric, f64)>,
    ) -> Evaluation {
        Evaluation {
            samples: self.samples - skipped.len(),
            skipped,
            metrics,
            exhibits: Vec::new(),
            drawn: None,
        }
    }
}

/// Returns how many images are run at once.
pub(super) fn batch_size(graph: &Graph) -> usize {
    let image = graph.value(graph.inputs()[0]).shape.numel();
    (ELEMENTS / image).clamp(*BATCH.start(), *BATCH.end())
}
