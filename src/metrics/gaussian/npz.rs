//! Statistics files, as pytorch-fid has them: `NumPy` archives with `mu` `[d]` and `sigma` `[d, d]`.

use super::npy::{Array, Header};
use super::{Statistics, StatisticsError};
use candle_core::{Device, Tensor};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use zip::ZipArchive;
use zip::read::ZipFile;

/// More features than networks have: what claims more is no statistics file, and is not read.
const MOST: usize = 1 << 12;

impl Statistics {
    /// Reads a statistics file.
    ///
    /// # Errors
    /// [`StatisticsError`] for a file that cannot be read, or holds something else.
    pub fn read(path: &Path) -> Result<Self, StatisticsError> {
        let file = File::open(path).map_err(|source| StatisticsError::Open {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(BufReader::new(file)).map_err(|why| StatisticsError::File {
            path: path.to_owned(),
            why,
        })
    }

    /// Reads the bytes of a statistics file. Both headers are read before any values are, and no more values than these tell of.
    ///
    /// The error says what is wrong with it.
    pub(crate) fn parse(bytes: impl Read + Seek) -> Result<Self, String> {
        let archive = ZipArchive::new(bytes);
        let mut archive = archive.map_err(|error| format!("is no archive of NumPy's: {error}"))?;
        let headers = [header(&mut archive, "mu")?, header(&mut archive, "sigma")?];
        let [mu, sigma] = [&headers[0].shape, &headers[1].shape];
        let width = mu.first().copied().unwrap_or_default();
        if *mu != [width] || *sigma != [width, width] || width == 0 {
            return Err(format!(
                "has `mu` of shape {mu:?} and `sigma` of shape {sigma:?}, expected [d] and [d, d]"
            ));
        }
        if width > MOST {
            return Err(format!("has {width} features, expected at most {MOST}"));
        }
        let statistics = Self {
            mean: values(&mut archive, "mu")?,
            covariance: values(&mut archive, "sigma")?,
        };
        let [means, products] = [&statistics.mean, &statistics.covariance].map(Vec::len);
        if means != width || products != width * width {
            return Err("has two headers for one array".to_owned());
        }
        let mut all = statistics.mean.iter().chain(&statistics.covariance);
        if all.any(|value| !value.is_finite()) {
            return Err("has values that are not finite".to_owned());
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

/// Returns the header of an array, which tells of as many bytes as the archive does.
fn header(archive: &mut ZipArchive<impl Read + Seek>, name: &str) -> Result<Header, String> {
    entry(archive, name, |entry| {
        let header = Header::read(entry)?;
        header.holds(entry.size())?;
        Ok(header)
    })
}

fn values(archive: &mut ZipArchive<impl Read + Seek>, name: &str) -> Result<Vec<f64>, String> {
    entry(archive, name, |entry| Ok(Array::read(entry)?.values))
}

/// Reads an array with `read`.
fn entry<R: Read + Seek, T>(
    archive: &mut ZipArchive<R>,
    name: &str,
    read: impl FnOnce(&mut ZipFile<'_, R>) -> Result<T, String>,
) -> Result<T, String> {
    let place = archive.index_for_name(&format!("{name}.npy"));
    let place = place.ok_or_else(|| format!("has no array `{name}`, expected `mu` and `sigma`"))?;
    let entry = archive.by_index(place).map_err(|error| error.to_string());
    let read = entry.and_then(|mut entry| read(&mut entry));
    read.map_err(|why| format!("has an array `{name}` that cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

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
