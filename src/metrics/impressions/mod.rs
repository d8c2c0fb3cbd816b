//! What a classifier sees in a set of images: what generators are judged by.

mod inception_score;
mod kernel;

pub use inception_score::InceptionScore;

use super::{Moments, Statistics, StatisticsError};
use candle_core::Tensor;

/// The images whose features are kept for the kernel distance: so many at most, whatever the size of a set.
const KEPT: usize = 10_000;

/// What a classifier sees in a set of images.
#[derive(Debug, Clone)]
pub struct Impressions {
    /// Mean and covariance of the features.
    pub statistics: Statistics,
    /// The features of the first 10,000 images at most, `[n, d]`.
    pub features: Tensor,
    /// The Inception score, if the classifier is the one for it.
    pub inception_score: Option<f64>,
}

/// Impressions gathered batch by batch, in memory that does not grow with the set.
#[derive(Debug)]
pub struct Gathering {
    moments: Moments,
    kept: Vec<Tensor>,
    score: Option<InceptionScore>,
}

impl Gathering {
    /// Makes an empty one of `width` features; with a `score`, logits are gathered too.
    pub fn new(width: usize, score: Option<InceptionScore>) -> Self {
        Self {
            moments: Moments::new(width),
            kept: Vec::new(),
            score,
        }
    }

    /// Returns how many images were added.
    pub fn count(&self) -> usize {
        self.moments.count()
    }

    /// Adds the features of a batch `[n, d]`, and its logits `[n, classes]` if there are any.
    ///
    /// # Errors
    /// [`StatisticsError`] for features of another width, or that are not finite.
    pub fn push(
        &mut self,
        features: &Tensor,
        logits: Option<&Tensor>,
    ) -> Result<(), StatisticsError> {
        let left = KEPT.saturating_sub(self.count());
        self.moments.push(features)?;
        if left > 0 {
            let count = features.dim(0)?.min(left);
            self.kept.push(features.narrow(0, 0, count)?.copy()?);
        }
        if let (Some(score), Some(logits)) = (&mut self.score, logits) {
            score.push(logits)?;
        }
        Ok(())
    }

    /// Sums up what was added.
    ///
    /// # Errors
    /// [`StatisticsError::TooFew`] for less than two images.
    pub fn impressions(&self) -> Result<Impressions, StatisticsError> {
        Ok(Impressions {
            statistics: self.moments.statistics()?,
            features: Tensor::cat(&self.kept, 0)?,
            inception_score: self.score.as_ref().and_then(InceptionScore::value),
        })
    }
}

impl Impressions {
    /// Returns the squared maximum mean discrepancy between the features of two sets (Binkowski et al. 2018), with the kernel
    /// `(x . y / d + 1)^3`: the mean of the unbiased estimates over blocks of 1,000 images of each set.
    ///
    /// # Errors
    /// [`StatisticsError::Width`] where the two have not as many features.
    pub fn kernel_distance(&self, other: &Self) -> Result<Option<f64>, StatisticsError> {
        let (expected, found) = (self.features.dim(1)?, other.features.dim(1)?);
        if expected != found {
            return Err(StatisticsError::Width { expected, found });
        }
        Ok(kernel::distance(&self.features, &other.features)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Reference {
        features: [Vec<Vec<f64>>; 2],
        kernel_distance: f64,
        logits: Vec<Vec<f64>>,
        inception_score: f64,
    }

    fn reference() -> Reference {
        let text = include_str!("../../../tests/reference/impressions.json");
        serde_json::from_str(text).unwrap()
    }

    fn tensor(rows: &[Vec<f64>]) -> Tensor {
        let shape = (rows.len(), rows[0].len());
        Tensor::from_vec(rows.concat(), shape, &Device::Cpu).unwrap()
    }

    fn gathered(features: &[Vec<f64>], batch: usize) -> Impressions {
        let mut gathering = Gathering::new(features[0].len(), None);
        for rows in features.chunks(batch) {
            gathering.push(&tensor(rows), None).unwrap();
        }
        gathering.impressions().unwrap()
    }

    #[test]
    fn the_kernel_distance_equals_torch_fidelitys() {
        let Reference {
            features: [a, b],
            kernel_distance,
            ..
        } = reference();
        for batch in [1, 7, 100] {
            let found = gathered(&a, batch).kernel_distance(&gathered(&b, batch));
            let error = found.unwrap().unwrap() - kernel_distance;
            assert!(error.abs() < 1e-9 * kernel_distance, "off by {error}");
        }
    }

    #[test]
    fn the_kernel_distance_is_the_mean_over_blocks() {
        let Reference {
            features: [a, b], ..
        } = reference();
        let many = |rows: &[Vec<f64>], times: usize| {
            let block: Vec<Vec<f64>> = rows.iter().cycle().take(1000).cloned().collect();
            let all: Vec<Vec<f64>> = (0..times).flat_map(|_| block.clone()).collect();
            gathered(&all, 500)
        };
        let once = many(&a, 1).kernel_distance(&many(&b, 1)).unwrap().unwrap();
        let twice = many(&a, 2).kernel_distance(&many(&b, 3)).unwrap().unwrap();
        assert!((once - twice).abs() < 1e-9 * once.abs(), "{once}, {twice}");
        let narrow = gathered(&[vec![1.0], vec![2.0]], 2);
        let error = narrow.kernel_distance(&gathered(&a, 7)).unwrap_err();
        assert!(matches!(error, StatisticsError::Width { .. }), "{error}");
    }

    #[test]
    fn only_the_first_features_are_kept() {
        let rows: Vec<Vec<f64>> = (0..KEPT + 7).map(|i| vec![i as f64]).collect();
        let found = gathered(&rows, 4096);
        assert_eq!(found.features.dims(), [KEPT, 1]);
        let last: Vec<Vec<f64>> = found
            .features
            .narrow(0, KEPT - 1, 1)
            .unwrap()
            .to_vec2()
            .unwrap();
        assert_eq!(last, [[(KEPT - 1) as f64]]);
        assert_eq!(found.statistics.mean, [(KEPT + 6) as f64 / 2.0]);
    }

    #[test]
    fn the_inception_score_equals_torch_fidelitys() {
        let Reference {
            logits,
            inception_score,
            ..
        } = reference();
        for batch in [1, 5, 100] {
            let mut score = InceptionScore::new(logits.len());
            for rows in logits.chunks(batch) {
                score.push(&tensor(rows)).unwrap();
            }
            let error = score.value().unwrap() - inception_score;
            assert!(error.abs() < 1e-9, "off by {error}");
        }
    }

    #[test]
    fn inception_scores_lie_between_one_and_the_number_of_classes() {
        let score = |class: fn(usize) -> usize| {
            let mut score = InceptionScore::new(40);
            let row = |image| (0..4).map(move |c| if c == class(image) { 99.0 } else { 0.0 });
            let rows: Vec<Vec<f64>> = (0..40).map(|image| row(image).collect()).collect();
            score.push(&tensor(&rows)).unwrap();
            score.value().unwrap()
        };
        assert!((score(|image| image % 4) - 4.0).abs() < 1e-9);
        assert!((score(|_| 2) - 1.0).abs() < 1e-9);
        assert_eq!(InceptionScore::new(0).value(), None);
    }
}
