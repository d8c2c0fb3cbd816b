//! Features of images, summed up by their mean and covariance: what two sets of images are compared by.

mod frechet;
pub(crate) mod npy;
mod npz;

use candle_core::{DType, Tensor};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use std::path::PathBuf;

/// Mean and covariance of the features of images.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Of each feature.
    pub mean: Vec<f64>,
    /// One row a feature, one after the other; symmetric.
    pub covariance: Vec<f64>,
}

/// Statistics that cannot be had or compared.
#[derive(Debug, thiserror::Error)]
pub enum StatisticsError {
    /// A covariance needs two images.
    #[error("{found} images, expected at least 2 for a covariance")]
    TooFew {
        /// How many there are.
        found: usize,
    },
    /// They come of different networks.
    #[error("{found} features, expected {expected}: the statistics come of different networks")]
    Width {
        /// The number of features on one side.
        expected: usize,
        /// The number on the other.
        found: usize,
    },
    /// A network gave NaN or infinity, or a file has it.
    #[error("the features are not finite numbers")]
    NotFinite,
    /// A file that is no statistics file.
    #[error("`{}` {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file that the system does not let be read.
    #[error("statistics `{}` cannot be read", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// candle cannot write.
    #[error("statistics `{}` cannot be written", path.display())]
    Npz {
        /// The file.
        path: PathBuf,
        /// Why.
        source: candle_core::Error,
    },
    /// Features cannot be read.
    #[error("the features cannot be read")]
    Tensor(#[from] candle_core::Error),
}

/// The first and second moments of features, gathered batch by batch in memory that does not grow.
#[derive(Debug, Clone)]
pub struct Moments {
    count: usize,
    /// The mean of the first batch, from which all is measured so that sums of squares stay small.
    origin: Vec<f64>,
    sum: Vec<f64>,
    products: Mat<f64>,
}

impl Moments {
    /// Makes an empty collection of `width` features.
    pub fn new(width: usize) -> Self {
        Self {
            count: 0,
            origin: vec![0.0; width],
            sum: vec![0.0; width],
            products: Mat::zeros(width, width),
        }
    }

    /// Returns how many images were added.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds the features of a batch, `[n, width]`.
    ///
    /// # Errors
    /// [`StatisticsError`] for features of another width, or that are not finite; nothing is added then.
    pub fn push(&mut self, features: &Tensor) -> Result<(), StatisticsError> {
        let rows = features.to_dtype(DType::F64)?.to_vec2::<f64>()?;
        let expected = self.sum.len();
        if let Some(found) = rows.iter().map(Vec::len).find(|found| *found != expected) {
            return Err(StatisticsError::Width { expected, found });
        }
        if rows.iter().flatten().any(|value| !value.is_finite()) {
            return Err(StatisticsError::NotFinite);
        }
        if self.count == 0 {
            for row in &rows {
                for (origin, value) in self.origin.iter_mut().zip(row) {
                    *origin += value / rows.len() as f64;
                }
            }
        }
        let centred = Mat::from_fn(rows.len(), expected, |r, c| rows[r][c] - self.origin[c]);
        for (feature, sum) in self.sum.iter_mut().enumerate() {
            *sum += centred.col(feature).iter().sum::<f64>();
        }
        let (left, right) = (centred.transpose(), centred.as_ref());
        let products = self.products.as_mut();
        matmul(products, Accum::Add, left, right, 1.0, Par::Seq);
        self.count += rows.len();
        Ok(())
    }

    /// Returns mean and covariance, the latter with one degree of freedom less than images, as in `numpy.cov`.
    ///
    /// # Errors
    /// [`StatisticsError::TooFew`] for less than two images.
    pub fn statistics(&self) -> Result<Statistics, StatisticsError> {
        if self.count < 2 {
            return Err(StatisticsError::TooFew { found: self.count });
        }
        let (width, count) = (self.sum.len(), self.count as f64);
        let covariance = |index: usize| {
            let (a, b) = (index / width, index % width);
            // Rounding must not make it lopsided.
            let products = 0.5 * (self.products[(a, b)] + self.products[(b, a)]);
            (products - self.sum[a] * self.sum[b] / count) / (count - 1.0)
        };
        let mean = self.origin.iter().zip(&self.sum);
        Ok(Statistics {
            mean: mean.map(|(origin, sum)| origin + sum / count).collect(),
            covariance: (0..width * width).map(covariance).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn noise(count: usize, width: usize) -> Vec<Vec<f64>> {
        let value = |i: usize| ((i * 2_654_435_761) % 1013) as f64 / 506.5 + 1000.0;
        let row = |r: usize| {
            (0..width)
                .map(|c| value(r * width + c) * (c + 1) as f64)
                .collect()
        };
        (0..count).map(row).collect()
    }

    fn tensor(rows: &[Vec<f64>]) -> Tensor {
        let width = rows[0].len();
        Tensor::from_vec(rows.concat(), (rows.len(), width), &Device::Cpu).unwrap()
    }

    #[test]
    fn they_are_those_of_the_definition_in_any_batches() {
        let rows = noise(23, 4);
        for size in [23, 7, 1] {
            let mut moments = Moments::new(4);
            for batch in rows.chunks(size) {
                moments.push(&tensor(batch)).unwrap();
            }
            let found = moments.statistics().unwrap();
            let mean = |c: usize| rows.iter().map(|row| row[c]).sum::<f64>() / 23.0;
            for a in 0..4 {
                assert!((found.mean[a] - mean(a)).abs() < 1e-9);
                for b in 0..4 {
                    let products = rows
                        .iter()
                        .map(|row| (row[a] - mean(a)) * (row[b] - mean(b)));
                    let expected = products.sum::<f64>() / 22.0;
                    assert!((found.covariance[4 * a + b] - expected).abs() < 1e-9);
                }
            }
        }
    }

    #[test]
    fn what_has_no_covariance_says_why() {
        let mut moments = Moments::new(3);
        moments.push(&tensor(&noise(1, 3))).unwrap();
        let message = moments.statistics().unwrap_err().to_string();
        assert_eq!(message, "1 images, expected at least 2 for a covariance");
        let message = moments.push(&tensor(&noise(2, 4))).unwrap_err().to_string();
        assert!(message.starts_with("4 features, expected 3"), "{message}");
        let nan = tensor(&[vec![0.0, f64::NAN, 1.0]]);
        assert!(matches!(
            moments.push(&nan),
            Err(StatisticsError::NotFinite)
        ));
        assert_eq!(moments.count(), 1);
    }
}
