//! What a classifier said of each image, beside what is true.

use candle_core::{DType, Tensor};

/// The logits of a network and the true class of each image, collected batch by batch.
///
/// With another network's predictions in place of the truth, top-1 is the agreement of the two.
#[derive(Debug, Clone)]
pub struct ClassScores {
    classes: usize,
    logits: Vec<f32>,
    labels: Vec<u32>,
}

/// Logits and labels that do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum ScoresError {
    /// The logits are not one row of scores an image.
    #[error("logits have shape {found:?}, expected {expected:?} (`[images, classes]`)")]
    Shape {
        /// The shape of the logits.
        found: Vec<usize>,
        /// The number of labels, and of classes.
        expected: [usize; 2],
    },
    /// A label is none of the network's classes.
    #[error(
        "an image has class {found}, expected below {classes}: the network was made for other data"
    )]
    Label {
        /// The label.
        found: u32,
        /// The number of classes that the network tells apart.
        classes: usize,
    },
    /// candle cannot give the values.
    #[error("cannot read logits")]
    Tensor(#[from] candle_core::Error),
}

impl ClassScores {
    /// Makes an empty collection for a network that tells `classes` classes apart.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            logits: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// Appends a batch: `logits` `[n, classes]`, and the true class of each of the `n` images.
    ///
    /// # Errors
    /// Logits of another shape, or a label that is no class; nothing is appended then.
    pub fn push(&mut self, logits: &Tensor, labels: &[u32]) -> Result<(), ScoresError> {
        let expected = [labels.len(), self.classes];
        if logits.dims() != expected {
            return Err(ScoresError::Shape {
                found: logits.dims().to_vec(),
                expected,
            });
        }
        if let Some(&found) = labels.iter().find(|&&l| l as usize >= self.classes) {
            return Err(ScoresError::Label {
                found,
                classes: self.classes,
            });
        }
        let logits = logits.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?;
        self.logits.extend_from_slice(&logits);
        self.labels.extend_from_slice(labels);
        Ok(())
    }

    /// Returns the number of images.
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// Returns the logits of each image, `classes` values, with its true class.
    pub fn iter(&self) -> impl Iterator<Item = (&[f32], u32)> {
        let rows = self.logits.chunks_exact(self.classes.max(1));
        rows.zip(self.labels.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn logits<const N: usize>(values: &[[f32; 3]; N]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap()
    }

    #[test]
    fn batches_are_kept_in_order() {
        let mut scores = ClassScores::new(3);
        let batch = logits(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        scores.push(&batch, &[2, 0]).unwrap();
        scores.push(&logits(&[[7.0, 8.0, 9.0]]), &[1]).unwrap();
        let rows: Vec<_> = scores.iter().collect();
        let expected: [(&[f32], u32); 3] = [
            (&[1.0, 2.0, 3.0], 2),
            (&[4.0, 5.0, 6.0], 0),
            (&[7.0, 8.0, 9.0], 1),
        ];
        assert_eq!(rows, expected);
        assert_eq!(scores.count(), 3);
    }

    #[test]
    fn what_does_not_fit_is_refused_whole() {
        let mut scores = ClassScores::new(3);
        let batch = logits(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        for (labels, message) in [
            (
                &[0][..],
                "logits have shape [2, 3], expected [1, 3] (`[images, classes]`)",
            ),
            (
                &[0, 3],
                "an image has class 3, expected below 3: the network was made for other data",
            ),
        ] {
            let error = scores.push(&batch, labels).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(scores.count(), 0);
        }
    }
}
