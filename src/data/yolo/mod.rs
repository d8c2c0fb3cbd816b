//! Folders of images with YOLO's labels: `yolo:<dir>`.
//!
//! | in `<dir>` | what it is |
//! | --- | --- |
//! | `images/val/` | the test images, anywhere below |
//! | `labels/val/` | `<name>.txt` for `<name>.jpg` and the like; an image without has nothing in it |
//! | `images/train/` | the calibration images; their labels are not read |
//! | `classes.txt` | the names of the classes, one a line |
//! | `data.yaml` | without `classes.txt`: its `names`, as a list or numbered from zero |
//!
//! A line of a label is `class cx cy w h`: the index of the class, the centre and the size of the box in parts of the image's width
//! and height, which are read from the header of the image.

pub(super) mod labels;
pub(super) mod names;
#[cfg(test)]
mod tests;

use super::files::{BoxedFiles, FileList, FolderFormat, Parts, hash_bytes, read};
use super::{DataError, Dataset};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The format `yolo`.
pub(super) static YOLO: FolderFormat = FolderFormat {
    name: "yolo",
    check: |dir| Layout::locate(dir).map(|_| ()),
    open,
};

/// The folders of a data set.
#[derive(Debug)]
struct Layout {
    test: PathBuf,
    labels: PathBuf,
    calibration: PathBuf,
    classes: PathBuf,
}

impl Layout {
    fn locate(dir: &Path) -> Result<Self, DataError> {
        const EXPECTED: &str = "images in `images/val` with YOLO's labels in `labels/val`";
        if !dir.is_dir() {
            return Err(DataError::NoFolder {
                path: dir.to_owned(),
                expected: EXPECTED,
            });
        }
        for folder in ["images/val", "labels/val"] {
            if !dir.join(folder).is_dir() {
                return Err(DataError::NoFile {
                    path: dir.to_owned(),
                    file: folder,
                    expected: EXPECTED,
                });
            }
        }
        let mut names = ["classes.txt", "data.yaml"]
            .iter()
            .map(|file| dir.join(file));
        let classes = names.find(|path| path.is_file());
        Ok(Self {
            test: dir.join("images/val"),
            labels: dir.join("labels/val"),
            calibration: dir.join("images/train"),
            classes: classes.ok_or_else(|| DataError::NoClassNames {
                path: dir.to_owned(),
            })?,
        })
    }
}

fn open(name: String, dir: &Path) -> Result<Arc<dyn Dataset>, DataError> {
    let layout = Layout::locate(dir)?;
    let listed = read(&layout.classes)?;
    let classes = names::parse(&layout.classes, &listed).ok_or_else(|| {
        let path = dir.to_owned();
        DataError::NoClassNames { path }
    })?;
    let test = FileList::below(layout.test)?;
    if test.files.is_empty() {
        return Err(DataError::NoTestImages {
            path: test.root,
            expected: "files that end as images do: .jpg, .png",
        });
    }
    let mut hasher = blake3::Hasher::new();
    hash_bytes(&mut hasher, Some(&listed));
    let truth = test.files.iter().map(|file| {
        let label = layout.labels.join(file).with_extension("txt");
        labels::read(&test.root.join(file), label, classes.len(), &mut hasher)
    });
    Ok(Arc::new(BoxedFiles::new(Parts {
        name,
        calibration: FileList::below(layout.calibration)?,
        truth: truth.collect(),
        classes,
        test,
        annotations: hasher.finalize(),
    })))
}
