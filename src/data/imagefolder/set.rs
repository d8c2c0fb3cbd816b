//! An open folder of images: the list of its files, each read when it is asked for.

use super::classes;
use super::layout::Layout;
use crate::data::files::{FileList, decode};
use crate::data::{DataError, Dataset, Image, Labels, Split};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The images of a folder.
#[derive(Debug)]
pub(super) struct ImageFolder {
    name: String,
    calibration: FileList,
    test: FileList,
    labels: Labels,
    classes: BTreeMap<u32, String>,
    fingerprint: OnceLock<String>,
}

impl ImageFolder {
    /// Lists the files of both splits.
    pub(super) fn open(name: String, layout: &Layout) -> Result<Self, DataError> {
        let folders = layout.class_folders()?;
        let classes = classes::of_folders(&folders);
        let calibration = layout.calibration_images()?;
        let images = in_turn(layout.test_images()?);
        let class_of = |path: &PathBuf| {
            let folder = path.iter().next().unwrap_or_default().to_string_lossy();
            let place = folders.binary_search_by(|known| known.as_str().cmp(&folder));
            classes[place.expect("an image in a class folder is in one of them")]
        };
        Ok(Self {
            name,
            labels: Labels::Classes(images.iter().map(class_of).collect()),
            calibration,
            test: FileList {
                root: layout.test.clone(),
                files: images,
            },
            classes: classes.iter().copied().zip(folders.clone()).collect(),
            fingerprint: OnceLock::new(),
        })
    }

    fn files(&self, split: Split) -> &FileList {
        match split {
            Split::Calibration => &self.calibration,
            Split::Test => &self.test,
        }
    }

    /// Hashes the path below the split's folder and the size of each file, and its label.
    fn hash(&self) -> String {
        let labels = self.labels.classes().unwrap_or_default();
        let mut hasher = blake3::Hasher::new();
        self.calibration.hash(&mut hasher, |_, _| ());
        self.test.hash(&mut hasher, |hasher, index| {
            hasher.update(&labels[index].to_le_bytes());
        });
        hasher.finalize().to_hex().to_string()
    }
}

/// Lets the class folders of `images`, which are sorted, take turns.
fn in_turn(images: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut turns: Vec<(usize, PathBuf)> = Vec::with_capacity(images.len());
    for image in images {
        let turn = match turns.last() {
            Some((turn, before)) if before.iter().next() == image.iter().next() => turn + 1,
            _ => 0,
        };
        turns.push((turn, image));
    }
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, image)| image).collect()
}

impl Dataset for ImageFolder {
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
        self.calibration.advice()
    }

    fn fingerprint(&self) -> Result<String, DataError> {
        Ok(self.fingerprint.get_or_init(|| self.hash()).clone())
    }
}
