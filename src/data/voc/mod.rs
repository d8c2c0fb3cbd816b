//! PASCAL VOC (Everingham et al. 2010) as its archives have it: `voc:<dir>`.
//!
//! | in `<dir>`, `<dir>/VOC2007`, `<dir>/VOC2012` or these in `<dir>/VOCdevkit` | what it is |
//! | --- | --- |
//! | `ImageSets/Main/test.txt`, otherwise `val.txt` | the names of the test images, one a line |
//! | `ImageSets/Main/train.txt`, or `trainval.txt` where there is a `test.txt` | those of the calibration images |
//! | `JPEGImages/<name>.jpg` | the images |
//! | `Annotations/<name>.xml` | what is in them; read for the test images only |
//!
//! The edges of boxes are taken as they are written, as torchvision's references do, though VOC counts pixels from one. What
//! is `difficult` need not be found.

#[cfg(test)]
mod tests;
pub(super) mod xml;

use super::files::{
    BoxedFiles, FileList, FolderFormat, Parts, Truth, check_name, hash_bytes, read,
};
use super::{AnnotationError, AnnotationErrorKind, DataError, Dataset};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The classes, in the order in which networks have them.
const CLASSES: [&str; 20] = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

/// The folder of the lists of images.
const LISTS: &str = "ImageSets/Main";

/// Where the archives put the folder of a year.
const YEARS: [&str; 5] = [
    "",
    "VOC2007",
    "VOC2012",
    "VOCdevkit/VOC2007",
    "VOCdevkit/VOC2012",
];

/// The format `voc`.
pub(super) static VOC: FolderFormat = FolderFormat {
    name: "voc",
    check: |dir| Layout::locate(dir).map(|_| ()),
    open,
};

/// The folder of a year, and its lists of images.
#[derive(Debug)]
struct Layout {
    root: PathBuf,
    test: PathBuf,
    calibration: Option<PathBuf>,
}

impl Layout {
    fn locate(dir: &Path) -> Result<Self, DataError> {
        if !dir.is_dir() {
            return Err(DataError::NoFolder {
                path: dir.to_owned(),
                expected: "PASCAL VOC's `ImageSets`, `JPEGImages` and `Annotations`",
            });
        }
        let mut roots = YEARS.iter().map(|year| dir.join(year));
        let root = roots.find(|root| root.join(LISTS).is_dir());
        let root = root.unwrap_or_else(|| dir.to_owned());
        let lists = root.join(LISTS);
        let find = |name: &str| Some(lists.join(name)).filter(|path| path.is_file());
        let (test, calibration) = match find("test.txt") {
            Some(test) => (test, find("train.txt").or_else(|| find("trainval.txt"))),
            None => match find("val.txt") {
                Some(val) => (val, find("train.txt")),
                None => {
                    return Err(DataError::NoFile {
                        path: root,
                        file: "ImageSets/Main/test.txt",
                        expected: "PASCAL VOC with that list of test images, or `val.txt` beside it",
                    });
                }
            },
        };
        Ok(Self {
            root,
            test,
            calibration,
        })
    }

    fn images(&self, names: &[String]) -> FileList {
        FileList {
            root: self.root.join("JPEGImages"),
            files: names
                .iter()
                .map(|name| format!("{name}.jpg").into())
                .collect(),
        }
    }

    /// Reads what is known of an image.
    fn truth(&self, name: &str, hasher: &mut blake3::Hasher) -> Truth {
        let path = self.root.join("Annotations").join(format!("{name}.xml"));
        let bytes = fs::read(&path);
        hash_bytes(hasher, bytes.as_deref().ok());
        let things = match bytes {
            Ok(bytes) => xml::things(&path, &bytes),
            Err(error) => Err(AnnotationError {
                path: path.clone(),
                place: None,
                kind: AnnotationErrorKind::Unreadable(error.to_string()),
            }),
        };
        Truth { path, things }
    }
}

/// Reads a list of images. A second column, which lists of one class have, is passed over.
fn names(list: &Path) -> Result<Vec<String>, DataError> {
    let text = String::from_utf8_lossy(&read(list)?).into_owned();
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let checked = names.map(|name| {
        check_name(list, name.as_ref())?;
        Ok(name.to_owned())
    });
    checked.collect()
}

fn open(name: String, dir: &Path) -> Result<Arc<dyn Dataset>, DataError> {
    let layout = Layout::locate(dir)?;
    let test = names(&layout.test)?;
    if test.is_empty() {
        return Err(DataError::NoTestImages {
            path: layout.test,
            expected: "the name of one a line",
        });
    }
    let calibration = layout
        .calibration
        .as_deref()
        .map_or(Ok(Vec::new()), names)?;
    let mut hasher = blake3::Hasher::new();
    let truth = test.iter().map(|name| layout.truth(name, &mut hasher));
    Ok(Arc::new(BoxedFiles::new(Parts {
        name,
        classes: CLASSES.map(str::to_owned).to_vec(),
        truth: truth.collect(),
        calibration: layout.images(&calibration),
        test: layout.images(&test),
        annotations: hasher.finalize(),
    })))
}
