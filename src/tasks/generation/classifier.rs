//! The embedded classifier, and what it sees in the real images of its data set.

use super::features::Features;
use crate::data::{Dataset, Image, Preprocess, Split};
use crate::graph::Weights;
use crate::metrics::{Moments, Statistics};
use crate::models::{self, Head, Model};
use crate::progress::Progress;
use crate::shared::Shared;
use crate::tasks::{Network, TaskError};
use crate::weights::EMBEDDED;
use candle_core::{DType, Device};
use std::sync::LazyLock;

/// Images looked at at once.
const BATCH: usize = 32;

/// What is seen in the real images of a data set, by its fingerprint: looked at once a process.
static REAL: LazyLock<Shared<String, Statistics>> = LazyLock::new(Shared::default);

/// A classifier that was trained on a data set.
#[derive(Debug)]
pub(super) struct Classifier {
    model: Model,
    weights: Weights,
    preprocess: Preprocess,
}

impl Classifier {
    /// Returns the embedded classifier for a data set, if there is one.
    pub(super) fn of(dataset: &dyn Dataset) -> Option<Self> {
        let checkpoint = EMBEDDED
            .find(&format!("resnet20-{}", dataset.name()))
            .ok()?;
        let [in_chans, img_size, _] = dataset.image_shape()?;
        let spec = format!(
            "{}(in_chans={in_chans},img_size={img_size})",
            checkpoint.model()
        );
        let model = models::build(&spec.parse().ok()?).ok()?;
        let file = checkpoint.load().ok()?;
        let params = model.graph.params();
        let tensor = |name: &String| file.tensors().get(name)?.to_dtype(DType::F32).ok();
        let tensors = params.map(|(_, param)| tensor(&param.name));
        let weights = Weights::new(&model.graph, tensors.collect::<Option<Vec<_>>>()?).ok()?;
        let preprocess = serde_json::from_str(file.metadata().get("preprocess")?).ok()?;
        Some(Self {
            model,
            weights,
            preprocess,
        })
    }

    /// Returns what it sees in images, looked at batch by batch.
    pub(super) fn seen(&self, images: &[Image]) -> Result<Statistics, TaskError> {
        let features = self.features()?;
        let mut moments = Moments::new(features.width());
        for batch in images.chunks(BATCH) {
            moments.push(&features.of(batch)?)?;
        }
        Ok(moments.statistics()?)
    }

    /// Returns what it sees in the test images of a data set.
    pub(super) fn seen_in(
        &self,
        dataset: &dyn Dataset,
        progress: &dyn Progress,
    ) -> Result<Statistics, TaskError> {
        REAL.get(dataset.fingerprint()?, || {
            let features = self.features()?;
            let mut moments = Moments::new(features.width());
            let indices: Vec<usize> = (0..dataset.count(Split::Test)).collect();
            progress.stage("look at real images", indices.len().div_ceil(BATCH));
            for batch in indices.chunks(BATCH) {
                progress.check()?;
                let images = dataset.images(Split::Test, batch)?;
                moments.push(&features.of(&images)?)?;
                progress.step("batch");
            }
            Ok(moments.statistics()?)
        })
    }

    fn features(&self) -> Result<Features<'_>, TaskError> {
        let network = Network {
            graph: &self.model.graph,
            head: &Head::Classes,
            weights: &self.weights,
            device: &Device::Cpu,
        };
        Features::new(network, &self.preprocess)
    }
}
