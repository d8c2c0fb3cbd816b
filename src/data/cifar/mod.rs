//! CIFAR-10 and CIFAR-100 in their binary version (Krizhevsky 2009, <https://www.cs.toronto.edu/~kriz/cifar.html>):
//! `cifar10:<dir>`, `cifar100:<dir>`.
//!
//! A file is a sequence of records: one byte a label (CIFAR-100 has two, the coarse class and the fine one; only the fine
//! one counts), then 3,072 pixels, the red, green and blue planes of 32x32.

mod cifar10;
mod cifar100;

pub(super) use cifar10::CIFAR10;
pub(super) use cifar100::CIFAR100;

use super::files;
use super::memory::MemoryDataset;
use super::{DataError, Dataset, Format, Labels};
use crate::registry::Named;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The shape of an image, `[c, h, w]`.
const SHAPE: [usize; 3] = [3, 32, 32];

/// What tells one CIFAR from the other.
#[derive(Debug)]
pub(super) struct Cifar {
    /// The name of the format and of the data set.
    name: &'static str,
    /// What the files are called in messages.
    distribution: &'static str,
    /// The folder inside the official archive.
    folder: &'static str,
    /// The files of training images; some of them are enough.
    calibration: &'static [&'static str],
    /// The file of test images.
    test: &'static str,
    /// Labels of a record, one byte each, of which the last one counts.
    labels: usize,
    /// The names of the classes, in the order of their labels.
    classes: &'static [&'static str],
}

/// The content of one or more files.
#[derive(Debug, Default)]
struct Records {
    classes: Vec<u32>,
    pixels: Vec<u8>,
}

/// The files of a data set that are there.
struct Files {
    calibration: Vec<PathBuf>,
    test: PathBuf,
}

impl Cifar {
    /// Finds the files in `dir`, or in the folder of the official archive inside it.
    fn locate(&self, dir: &Path) -> Result<Files, DataError> {
        if !dir.is_dir() {
            return Err(DataError::NoFolder {
                path: dir.to_owned(),
                expected: self.distribution,
            });
        }
        let inner = dir.join(self.folder);
        let dir = if inner.is_dir() { &inner } else { dir };
        let find = |file: &str| Some(dir.join(file)).filter(|path| path.is_file());
        let missing = |file| DataError::NoFile {
            path: dir.to_owned(),
            file,
            expected: self.distribution,
        };
        let test = find(self.test).ok_or_else(|| missing(self.test))?;
        let calibration: Vec<PathBuf> = self.calibration.iter().copied().filter_map(find).collect();
        if calibration.is_empty() {
            return Err(missing(self.calibration[0]));
        }
        Ok(Files { calibration, test })
    }

    /// Appends the records of a file to `records`.
    fn read(&self, path: &Path, records: Records) -> Result<Records, DataError> {
        self.append(path, &files::read(path)?, records)
    }

    /// Appends the records in the bytes of a file; `path` names it in messages.
    fn append(
        &self,
        path: &Path,
        bytes: &[u8],
        mut records: Records,
    ) -> Result<Records, DataError> {
        let record = self.labels + SHAPE.iter().product::<usize>();
        if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
            return Err(DataError::Records {
                path: path.to_owned(),
                found: bytes.len(),
                record,
            });
        }
        for (index, record) in bytes.chunks_exact(record).enumerate() {
            let (labels, pixels) = record.split_at(self.labels);
            let class = u32::from(labels[self.labels - 1]);
            if class as usize >= self.classes.len() {
                return Err(DataError::Label {
                    path: path.to_owned(),
                    index,
                    found: class,
                    classes: self.classes.len(),
                });
            }
            records.classes.push(class);
            records.pixels.extend_from_slice(pixels);
        }
        Ok(records)
    }
}

/// Reads the bytes of a file as records of either data set; what is wrong with them is dropped.
pub(super) fn read_bytes(path: &Path, bytes: &[u8]) {
    for cifar in [&CIFAR10, &CIFAR100] {
        if let Ok(records) = cifar.append(path, bytes, Records::default()) {
            assert_eq!(records.pixels.len(), records.classes.len() * 3072);
        }
    }
}

impl Named for Cifar {
    fn name(&self) -> &str {
        self.name
    }
}

impl Format for Cifar {
    fn argument(&self) -> &'static str {
        "<dir>"
    }

    fn dataset_name(&self, _argument: &str) -> Result<String, DataError> {
        Ok(self.name.to_owned())
    }

    fn availability(&self, argument: &str) -> Result<(), DataError> {
        self.locate(Path::new(argument)).map(|_| ())
    }

    fn open(&self, argument: &str) -> Result<Arc<dyn Dataset>, DataError> {
        let files = self.locate(Path::new(argument))?;
        let calibration = files
            .calibration
            .iter()
            .try_fold(Records::default(), |records, path| self.read(path, records))?;
        let test = self.read(&files.test, Records::default())?;
        Ok(Arc::new(
            MemoryDataset::new(self.name, SHAPE, self.classes)
                .with_calibration(calibration.pixels)
                .with_test(test.pixels, Labels::Classes(test.classes)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataSpec, Image, Split};
    use std::fs;
    use tempfile::TempDir;

    /// A record of `labels` whose image starts with `first`, continues with zeros and ends with `last`.
    fn record(labels: &[u8], first: u8, last: u8) -> Vec<u8> {
        let mut image = vec![0; 3072];
        (image[0], image[3071]) = (first, last);
        [labels, &image].concat()
    }

    /// A folder of `files`, a file whose name has a slash in a folder of its own.
    fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
        let dir = TempDir::new().unwrap();
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }

    fn spec(format: &str, dir: &Path) -> DataSpec {
        format!("{format}:{}", dir.display()).parse().unwrap()
    }

    fn ends(image: &Image) -> (u8, u8) {
        (image.pixels()[0], image.pixels()[3071])
    }

    #[test]
    fn batches_are_read_in_order() {
        let dir = folder(&[
            ("data_batch_3.bin", record(&[9], 5, 6)),
            (
                "data_batch_1.bin",
                [record(&[0], 1, 2), record(&[1], 3, 4)].concat(),
            ),
            (
                "test_batch.bin",
                [record(&[3], 7, 8), record(&[9], 9, 10)].concat(),
            ),
        ]);
        let spec = spec("cifar10", dir.path());
        spec.availability().unwrap();
        let data = spec.open().unwrap();
        assert_eq!(data.name(), "cifar10");
        assert_eq!(data.image_shape(), Some([3, 32, 32]));
        assert_eq!(data.class_name(9), Some("truck"));
        assert_eq!(data.test_labels(), &Labels::Classes(vec![3, 9]));
        let images = data.images(Split::Calibration, &[0, 1, 2]).unwrap();
        let found: Vec<_> = images.iter().map(ends).collect();
        assert_eq!(found, [(1, 2), (3, 4), (5, 6)]);
        let images = data.images(Split::Test, &[1]).unwrap();
        assert_eq!(ends(&images[0]), (9, 10));
        assert_eq!(data.count(Split::Test), 2);
    }

    #[test]
    fn fine_labels_count_and_the_archive_folder_is_found() {
        let dir = folder(&[
            ("cifar-100-binary/train.bin", record(&[19, 0], 1, 2)),
            ("cifar-100-binary/test.bin", record(&[4, 99], 3, 4)),
        ]);
        let data = spec("cifar100", dir.path()).open().unwrap();
        assert_eq!(data.name(), "cifar100");
        assert_eq!(data.test_labels(), &Labels::Classes(vec![99]));
        assert_eq!(data.class_name(99), Some("worm"));
        let images = data.images(Split::Calibration, &[0]).unwrap();
        assert_eq!(ends(&images[0]), (1, 2));
    }

    #[test]
    fn the_fingerprint_ignores_how_images_are_cut_into_files() {
        let [a, b] = [record(&[0], 1, 2), record(&[1], 3, 4)];
        let test = ("test_batch.bin", record(&[3], 7, 8));
        let one = folder(&[("data_batch_1.bin", [&a[..], &b].concat()), test.clone()]);
        let two = folder(&[("data_batch_1.bin", a), ("data_batch_2.bin", b), test]);
        let fingerprint = |dir: &TempDir| {
            let data = spec("cifar10", dir.path()).open().unwrap();
            data.fingerprint().unwrap()
        };
        assert_eq!(fingerprint(&one), fingerprint(&two));
    }

    #[test]
    fn malformed_files_say_why() {
        let train = ("data_batch_1.bin", record(&[0], 1, 2));
        let cut = record(&[0], 1, 2)[..3000].to_vec();
        let two_labels = record(&[4, 99], 3, 4);
        let wrong = [record(&[0], 1, 2), record(&[10], 1, 2)].concat();
        for (bytes, message) in [
            (
                cut,
                "has 3000 bytes, expected a positive multiple of 3073 (the size of a record)",
            ),
            (
                two_labels,
                "has 3074 bytes, expected a positive multiple of 3073 (the size of a record)",
            ),
            (
                Vec::new(),
                "has 0 bytes, expected a positive multiple of 3073 (the size of a record)",
            ),
            (wrong, "has label 10, expected 0 to 9"),
        ] {
            let dir = folder(&[train.clone(), ("test_batch.bin", bytes)]);
            let spec = spec("cifar10", dir.path());
            spec.availability().unwrap();
            let found = spec.open().unwrap_err().to_string();
            assert!(found.ends_with(message), "{found}");
            let path = dir.path().join("test_batch.bin").display().to_string();
            assert!(found.contains(&path), "{found}");
        }
    }

    #[test]
    fn missing_files_say_which() {
        let test = ("test_batch.bin", record(&[3], 7, 8));
        let expected = "expected the binary version of CIFAR-10 (`cifar-10-binary.tar.gz`)";
        for (files, missing) in [(&[][..], "test_batch.bin"), (&[test], "data_batch_1.bin")] {
            let dir = folder(files);
            let spec = spec("cifar10", dir.path());
            let message = format!(
                "`{}` has no file `{missing}`, {expected}",
                dir.path().display()
            );
            assert_eq!(spec.availability().unwrap_err().to_string(), message);
            assert_eq!(spec.open().unwrap_err().to_string(), message);
        }
        assert_eq!(
            spec("cifar10", Path::new("/no/such"))
                .availability()
                .unwrap_err()
                .to_string(),
            "`/no/such` is not a folder, expected the one that holds the binary version of CIFAR-10 (`cifar-10-binary.tar.gz`)"
        );
    }
}
