//! The Inception score (Salimans et al. 2016): how sure a classifier is of each image, and how different it finds them.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::ops::softmax;

/// Parts of a set of images: the score is the mean over their scores, as published.
const PARTS: usize = 10;

/// The score of a set whose size is known, gathered batch by batch.
#[derive(Debug)]
pub struct InceptionScore {
    count: usize,
    seen: usize,
    parts: Vec<Part>,
}

/// The sums of a part of the set.
#[derive(Debug, Clone, Default)]
struct Part {
    count: usize,
    /// Of each class: its probabilities.
    probabilities: Vec<f64>,
    /// `p ln p` over all classes and images.
    certainty: f64,
}

impl InceptionScore {
    /// Makes an empty one for `count` images, which are taken in ten parts in their order.
    pub fn new(count: usize) -> Self {
        Self {
            count,
            seen: 0,
            parts: vec![Part::default(); PARTS.min(count)],
        }
    }

    /// Adds the logits of a batch, `[n, classes]`.
    ///
    /// # Errors
    /// A tensor of another shape.
    pub fn push(&mut self, logits: &Tensor) -> Result<()> {
        let rows = softmax(&logits.to_dtype(DType::F64)?, D::Minus1)?;
        for row in rows.to_vec2::<f64>()? {
            self.seen += 1;
            // Part p begins with image floor(p count / parts).
            let part = (self.seen * self.parts.len() - 1) / self.count;
            let last = self.parts.len() - 1;
            self.parts[part.min(last)].add(&row);
        }
        Ok(())
    }

    /// Returns the score, from 1 to the number of classes; `None` where nothing was added.
    pub fn value(&self) -> Option<f64> {
        let scores = self.parts.iter().filter_map(Part::score);
        let scores: Vec<f64> = scores.collect();
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
    }
}

impl Part {
    fn add(&mut self, probabilities: &[f64]) {
        self.count += 1;
        self.probabilities.resize(probabilities.len(), 0.0);
        for (sum, p) in self.probabilities.iter_mut().zip(probabilities) {
            *sum += p;
            self.certainty += entropy(*p);
        }
    }

    /// Returns the exponential of the mean divergence of an image's classes from all images'.
    fn score(&self) -> Option<f64> {
        let count = self.count as f64;
        let all = self.probabilities.iter().map(|sum| entropy(sum / count));
        (self.count > 0).then(|| (self.certainty / count - all.sum::<f64>()).exp())
    }
}

/// `p ln p`.
fn entropy(p: f64) -> f64 {
    if p > 0.0 { p * p.ln() } else { 0.0 }
}
