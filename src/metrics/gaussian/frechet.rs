//! The distance of Frechet between Gaussians (Dowson and Landau 1982), by which Heusel et al. (2017) compare sets of images.
//!
//! `|m_1 - m_2|^2 + tr(S_1) + tr(S_2) - 2 tr((S_1 S_2)^(1/2))`. The last trace is the sum of the singular values of `S_1^(1/2) S_2^(1/2)`, whose
//! roots come of eigendecompositions of symmetric matrices. Unlike the root of the product, which need not be symmetric, these exist for
//! covariances of any rank; eigenvalues that rounding made negative count as zero. Taking singular values and not roots of the
//! eigenvalues of `S_1^(1/2) S_2 S_1^(1/2)` keeps the error of what is zero at machine precision, not at its root.

use super::{Statistics, StatisticsError};
use faer::{Mat, Side};

impl Statistics {
    /// Returns the squared distance of Frechet to `other`, both taken for Gaussians.
    ///
    /// # Errors
    /// [`StatisticsError`] where the two have not as many features, or are not finite.
    pub fn frechet(&self, other: &Self) -> Result<f64, StatisticsError> {
        let (expected, found) = (self.mean.len(), other.mean.len());
        if expected != found {
            return Err(StatisticsError::Width { expected, found });
        }
        let gaps = self
            .mean
            .iter()
            .zip(&other.mean)
            .map(|(a, b)| (a - b).powi(2));
        let roots = self.root()? * other.root()?;
        let values = roots
            .singular_values()
            .map_err(|_| StatisticsError::NotFinite)?;
        let common: f64 = values.into_iter().sum();
        Ok(gaps.sum::<f64>() + self.spread() + other.spread() - 2.0 * common)
    }

    /// Returns the sum of all variances.
    fn spread(&self) -> f64 {
        let width = self.mean.len();
        self.covariance.iter().step_by(width + 1).sum()
    }

    /// Returns the symmetric root of the covariance.
    fn root(&self) -> Result<Mat<f64>, StatisticsError> {
        let width = self.mean.len();
        if !self.covariance.iter().all(|value| value.is_finite()) {
            return Err(StatisticsError::NotFinite);
        }
        let covariance = Mat::from_fn(width, width, |r, c| self.covariance[r * width + c]);
        let parts = covariance.self_adjoint_eigen(Side::Lower);
        let parts = parts.map_err(|_| StatisticsError::NotFinite)?;
        let (vectors, values) = (parts.U(), parts.S().column_vector());
        let scaled = Mat::from_fn(width, width, |r, c| {
            vectors[(r, c)] * values[c].max(0.0).sqrt()
        });
        Ok(scaled * vectors.transpose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Reference {
        cases: Vec<Peer>,
    }

    #[derive(Deserialize)]
    struct Peer {
        name: String,
        means: [Vec<f64>; 2],
        covariances: [Vec<f64>; 2],
        distance: f64,
    }

    #[test]
    fn distances_equal_scipys() {
        let text = include_str!("../../../tests/reference/frechet.json");
        for peer in serde_json::from_str::<Reference>(text).unwrap().cases {
            let [first, second] = [0, 1].map(|side| Statistics {
                mean: peer.means[side].clone(),
                covariance: peer.covariances[side].clone(),
            });
            let scale = first.spread() + second.spread();
            for found in [first.frechet(&second), second.frechet(&first)] {
                let error = (found.unwrap() - peer.distance).abs();
                assert!(error < 1e-8 * scale, "{}: off by {error}", peer.name);
            }
            let itself = first.frechet(&first).unwrap();
            assert!(itself.abs() < 1e-12 * scale, "{}: {itself}", peer.name);
        }
    }

    #[test]
    fn independent_features_have_a_closed_form() {
        let of = |mean: [f64; 3], variances: [f64; 3]| {
            let at = |i: usize| {
                if i.is_multiple_of(4) {
                    variances[i / 4]
                } else {
                    0.0
                }
            };
            Statistics {
                mean: mean.to_vec(),
                covariance: (0..9).map(at).collect(),
            }
        };
        let (first, second) = (
            of([0.0, 1.0, 2.0], [4.0, 0.0, 9.0]),
            of([3.0, 1.0, 0.0], [1.0, 16.0, 0.0]),
        );
        // 9 + 4, and the squared differences of the deviations: 1, 16 and 9.
        assert!((first.frechet(&second).unwrap() - 39.0).abs() < 1e-12);
        let narrow = Statistics {
            mean: vec![0.0],
            covariance: vec![1.0],
        };
        let message = first.frechet(&narrow).unwrap_err().to_string();
        assert!(message.starts_with("1 features, expected 3"), "{message}");
    }
}
