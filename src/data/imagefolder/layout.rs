//! Which folders and files there are.

use crate::data::DataError;
use crate::data::files::{EXTENSIONS, FileList, images, is_hidden};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The folders of images to calibrate with; the second is the one to make.
const CALIBRATION: [&str; 2] = ["calibration", "train"];

/// The folders of images to measure on.
const TEST: [&str; 3] = ["val", "validation", "test"];

/// Where the images of each split are.
#[derive(Debug)]
pub(super) struct Layout {
    /// The folder of calibration images, which may not be there.
    pub(super) calibration: PathBuf,
    /// The folder of the class folders of test images.
    pub(super) test: PathBuf,
}

impl Layout {
    /// Finds the folders in `dir`.
    pub(super) fn locate(dir: &Path) -> Result<Self, DataError> {
        if !dir.is_dir() {
            return Err(DataError::NoFolder {
                path: dir.to_owned(),
                expected: "images as `val/<class>/<image>`",
            });
        }
        let find = |names: &[&str]| {
            let mut paths = names.iter().map(|name| dir.join(name));
            paths.find(|path| path.is_dir())
        };
        let calibration = find(&CALIBRATION);
        let test = find(&TEST);
        if calibration.is_some() && test.is_none() {
            return Err(DataError::NoTest {
                path: dir.to_owned(),
                expected: &TEST,
            });
        }
        Ok(Self {
            calibration: calibration.unwrap_or_else(|| dir.join(CALIBRATION[1])),
            test: test.unwrap_or_else(|| dir.to_owned()),
        })
    }

    /// Returns the names of the class folders, sorted; there is one at least.
    pub(super) fn class_folders(&self) -> Result<Vec<String>, DataError> {
        let top = WalkDir::new(&self.test).min_depth(1).max_depth(1);
        let mut folders = Vec::new();
        for entry in top.follow_links(true).sort_by_file_name() {
            // A link to nowhere is no folder.
            let Ok(entry) = entry else { continue };
            if entry.file_type().is_dir() && !is_hidden(&entry) {
                folders.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        if folders.is_empty() {
            return Err(DataError::NoClasses {
                path: self.test.clone(),
            });
        }
        Ok(folders)
    }

    /// Returns the calibration images, sorted.
    pub(super) fn calibration_images(&self) -> Result<FileList, DataError> {
        FileList::below(self.calibration.clone())
    }

    /// Returns the paths of the images in class folders, sorted; there is one at least.
    pub(super) fn test_images(&self) -> Result<Vec<PathBuf>, DataError> {
        let mut images = images(&self.test)?;
        images.retain(|path| path.components().count() > 1);
        if images.is_empty() {
            return Err(DataError::NoImages {
                path: self.test.clone(),
                place: "in its class folders",
                extensions: &EXTENSIONS,
            });
        }
        Ok(images)
    }
}
