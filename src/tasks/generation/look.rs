//! A classifier that looks at images, and what it sees in the real ones of a data set.

use super::features::Features;
use crate::data::{Image, Preprocess, Split};
use crate::metrics::{Gathering, Impressions, InceptionScore};
use crate::models::FID_INCEPTION;
use crate::progress::Progress;
use crate::shared::Shared;
use crate::tasks::{Judge, Source, TaskError};
use candle_core::Tensor;
use std::sync::{Arc, LazyLock};

/// Images looked at at once.
const BATCH: usize = 32;

/// What judges see in the real images of data sets: looked at once a process.
static REAL: LazyLock<Shared<String, Arc<Impressions>>> = LazyLock::new(Shared::default);

/// A set of images being looked at.
#[derive(Debug)]
pub struct Look<'a> {
    features: Features<'a>,
    /// The weights of the last layer, `[classes, d]`, if its classes count.
    classes: Option<Tensor>,
    gathering: Gathering,
}

impl<'a> Look<'a> {
    /// Starts looking at `count` images.
    ///
    /// # Errors
    /// [`TaskError::NoFeatures`] where the judge ends in no layer on one vector an image.
    pub fn new(judge: Judge<'a>, count: usize) -> Result<Self, TaskError> {
        let features = Features::new(judge.network, judge.preprocess)?;
        // The published score leaves the bias of the last layer out.
        let classes = is_inception(judge).then(|| features.last_weight().clone());
        let score = classes.as_ref().map(|_| InceptionScore::new(count));
        Ok(Self {
            gathering: Gathering::new(features.width(), score),
            features,
            classes,
        })
    }

    /// Returns how many images were looked at.
    pub fn count(&self) -> usize {
        self.gathering.count()
    }

    /// Looks at a batch.
    ///
    /// # Errors
    /// [`TaskError`] where images do not fit the judge.
    pub fn push(&mut self, images: &[Image]) -> Result<(), TaskError> {
        let features = self.features.of(images)?;
        let logits = |weight: &Tensor| features.matmul(&weight.t()?);
        let logits = self.classes.as_ref().map(logits).transpose()?;
        Ok(self.gathering.push(&features, logits.as_ref())?)
    }

    /// Returns what was seen.
    ///
    /// # Errors
    /// [`TaskError::Statistics`] for less than two images.
    pub fn impressions(&self) -> Result<Impressions, TaskError> {
        Ok(self.gathering.impressions()?)
    }
}

pub(super) fn is_inception(judge: Judge<'_>) -> bool {
    judge.model == FID_INCEPTION
}

/// Looks at all test images of a data set, fitted as the generator's preprocessing has it to the shape of what is drawn.
pub(super) fn at_real_images(
    judge: Judge<'_>,
    source: Source<'_>,
    [_, side, _]: [usize; 3],
    progress: &dyn Progress,
) -> Result<Arc<Impressions>, TaskError> {
    let dataset = source.dataset;
    let geometry = source.preprocess.geometry;
    let preprocess = Preprocess {
        geometry: geometry.map(|geometry| geometry.with_side(side)),
        ..source.preprocess.clone()
    };
    let fingerprint = dataset.fingerprint()?;
    let key = format!("{} {fingerprint} {:?}", judge.digest, preprocess.geometry);
    REAL.get(key, || {
        let indices: Vec<usize> = (0..dataset.count(Split::Test)).collect();
        let mut look = Look::new(judge, indices.len())?;
        progress.stage("look at real images", indices.len().div_ceil(BATCH));
        for batch in indices.chunks(BATCH) {
            progress.check()?;
            let images = dataset.images(Split::Test, batch)?;
            let images: Vec<Image> = images.into_iter().map(|i| preprocess.fit(i)).collect();
            look.push(&images)?;
            progress.step("batch");
        }
        Ok(Arc::new(look.impressions()?))
    })
}
