//! Statistics files, as pytorch-fid has them: `NumPy` archives with `mu` `[d]` and `sigma` `[d, d]`.

use super::{Statistics, StatisticsError};
use candle_core::npy::NpzTensors;
use candle_core::{DType, Device, Result as CandleResult, Tensor};
use std::path::Path;

/// More features than any network has: what claims more is no statistics file, and is not read.
const MOST: usize = 1 << 14;

impl Statistics {
    /// Reads a statistics file.
    ///
    /// # Errors
    /// [`StatisticsError`] for a file that cannot be read, or holds something else.
    pub fn read(path: &Path) -> Result<Self, StatisticsError> {
        let failed = |source| StatisticsError::Npz {
            path: path.to_owned(),
            source,
        };
        let wrong = |why: String| StatisticsError::File {
            path: path.to_owned(),
            why,
        };
        let file = NpzTensors::new(path).map_err(failed)?;
        let names = file.names();
        if let Some(lacking) = ["mu", "sigma"]
            .into_iter()
            .find(|name| !names.iter().any(|n| n == name))
        {
            return Err(wrong(format!(
                "has no array `{lacking}`, expected `mu` and `sigma`"
            )));
        }
        let shape = |name| {
            let (shape, _) = file.get_shape_and_dtype(name).map_err(failed)?;
            Ok::<_, StatisticsError>(shape.into_dims())
        };
        let (mu, sigma) = (shape("mu")?, shape("sigma")?);
        let width = mu.first().copied().unwrap_or_default();
        if mu != [width] || sigma != [width, width] || width == 0 || width > MOST {
            let why = format!(
                "has `mu` of shape {mu:?} and `sigma` of shape {sigma:?}, expected [d] and [d, d]"
            );
            return Err(wrong(why));
        }
        let values = |name| {
            let tensor = file.get(name).map_err(failed)?;
            let tensor = tensor.ok_or_else(|| wrong(format!("has no array `{name}`")))?;
            let values: CandleResult<Vec<f64>> =
                (|| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1())();
            values.map_err(failed)
        };
        let statistics = Self {
            mean: values("mu")?,
            covariance: values("sigma")?,
        };
        let mut all = statistics.mean.iter().chain(&statistics.covariance);
        if all.any(|value| !value.is_finite()) {
            return Err(wrong("has values that are not finite".to_owned()));
        }
        Ok(statistics)
    }

    /// Writes a statistics file.
    ///
    /// # Errors
    /// [`StatisticsError::Npz`] where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), StatisticsError> {
        let written = || {
            let width = self.mean.len();
            let mean = Tensor::new(self.mean.as_slice(), &Device::Cpu)?;
            let covariance = Tensor::from_slice(&self.covariance, (width, width), &Device::Cpu)?;
            Tensor::write_npz(&[("mu", mean), ("sigma", covariance)], path)
        };
        written().map_err(|source| StatisticsError::Npz {
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("statistics.npz");
        let statistics = Statistics {
            mean: vec![0.1, -3.0],
            covariance: vec![1.0, 0.5, 0.5, 1e-300],
        };
        statistics.write(&path).unwrap();
        assert_eq!(Statistics::read(&path).unwrap(), statistics);
    }

    #[test]
    fn files_of_numpys_are_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
        let found = Statistics::read(&folder.join("statistics.npz")).unwrap();
        assert_eq!(found.mean, [1.0, 2.5]);
        assert_eq!(found.covariance, [4.0, 1.0, 1.0, 3.0]);
    }

    #[test]
    fn other_files_say_what_they_lack() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let nan = Tensor::new(&[f32::NAN], &Device::Cpu).unwrap();
        for (tensors, why) in [
            (vec![("mu", zeros(&[2]))], "has no array `sigma`"),
            (
                vec![("mu", zeros(&[2])), ("sigma", zeros(&[2, 3]))],
                "has `mu` of shape [2] and `sigma` of shape [2, 3], expected [d] and [d, d]",
            ),
            (
                vec![("mu", nan), ("sigma", zeros(&[1, 1]))],
                "has values that are not finite",
            ),
        ] {
            Tensor::write_npz(&tensors, &path).unwrap();
            let message = Statistics::read(&path).unwrap_err().to_string();
            assert!(message.contains(why), "{message}");
        }
        std::fs::write(&path, "no archive").unwrap();
        assert!(Statistics::read(&path).is_err());
    }
}
