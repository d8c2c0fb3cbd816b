//! Images in files of their own, of each of which the class is known, or nothing.

use super::{FileList, decode};
use crate::data::{DataError, Dataset, Image, Labels, Split};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The images of a folder, each read when it is asked for.
#[derive(Debug)]
pub(in crate::data) struct PlainFiles {
    name: String,
    /// The test images too, if absent.
    calibration: Option<FileList>,
    test: FileList,
    labels: Labels,
    classes: BTreeMap<u32, String>,
    fingerprint: OnceLock<String>,
}

impl PlainFiles {
    /// Takes images of which nothing is known, for both splits.
    pub(in crate::data) fn new(name: String, images: FileList) -> Self {
        Self {
            name,
            calibration: None,
            labels: Labels::Unknown(images.files.len()),
            test: images,
            classes: BTreeMap::new(),
            fingerprint: OnceLock::new(),
        }
    }

    /// Sets the calibration images.
    pub(in crate::data) fn with_calibration(mut self, images: FileList) -> Self {
        self.calibration = Some(images);
        self
    }

    /// Sets the class of each test image, and the names of classes.
    pub(in crate::data) fn with_classes(
        mut self,
        labels: Vec<u32>,
        classes: BTreeMap<u32, String>,
    ) -> Self {
        debug_assert_eq!(labels.len(), self.test.files.len());
        self.labels = Labels::Classes(labels);
        self.classes = classes;
        self
    }

    fn files(&self, split: Split) -> &FileList {
        match (split, &self.calibration) {
            (Split::Calibration, Some(images)) => images,
            _ => &self.test,
        }
    }

    /// Hashes the path below the split's folder and the size of each file, and its label if there is one.
    fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        if let Some(images) = &self.calibration {
            images.hash(&mut hasher, |_, _| ());
        }
        self.test.hash(&mut hasher, |hasher, index| {
            if let Some(labels) = self.labels.classes() {
                hasher.update(&labels[index].to_le_bytes());
            }
        });
        hasher.finalize().to_hex().to_string()
    }
}

impl Dataset for PlainFiles {
    fn name(&self) -> &str {
        &self.name
    }

    fn image_shape(&self) -> Option<[usize; 3]> {
        None
    }

    fn class_name(&self, class: u32) -> Option<&str> {
        self.classes.get(&class).map(String::as_str)
    }

    fn count(&self, split: Split) -> usize {
        self.files(split).files.len()
    }

    fn image(&self, split: Split, index: usize) -> Result<Image, DataError> {
        decode(&self.files(split).path(split, index)?)
    }

    fn test_labels(&self) -> &Labels {
        &self.labels
    }

    fn calibration_advice(&self) -> String {
        self.files(Split::Calibration).advice()
    }

    fn fingerprint(&self) -> Result<String, DataError> {
        Ok(self.fingerprint.get_or_init(|| self.hash()).clone())
    }
}
