//! COCO (Lin et al., arXiv 1405.0312) and what is annotated as it is: `coco:<dir>`.
//!
//! | in `<dir>` | what it is |
//! | --- | --- |
//! | `annotations/instances_val2017.json` | the list of the test images and what is in them |
//! | `val2017/` or `images/val2017/` | the test images |
//! | `train2017/` beside it | the calibration images; without the folder there are none, for those of the test are not seen before it |
//!
//! Where there is no `val2017`, another `instances_<name>.json` with a folder `<name>` serves, if there is one such pair, or one whose
//! name begins with `val`. Test images are in the order of their ids. Classes are numbered in the order of the ids of categories,
//! without gaps. A crowd may be found any number of times. Annotations of images that are not in the list are passed over, as by
//! `pycocotools`.

pub(super) mod instances;
#[cfg(test)]
mod tests;

use super::files::{BoxedFiles, FileList, FolderFormat, Parts, read};
use super::{DataError, Dataset};
use instances::Instances;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The pair of file and folder that counts where it is there.
const USUAL: &str = "val2017";

/// The format `coco`.
pub(super) static COCO: FolderFormat = FolderFormat {
    name: "coco",
    check: |dir| Layout::locate(dir).map(|_| ()),
    open,
};

/// A file of annotations and the folders of images.
#[derive(Debug)]
struct Layout {
    annotations: PathBuf,
    test: PathBuf,
    calibration: PathBuf,
}

impl Layout {
    fn locate(dir: &Path) -> Result<Self, DataError> {
        if !dir.is_dir() {
            return Err(DataError::NoFolder {
                path: dir.to_owned(),
                expected: "COCO's `annotations` and `val2017`",
            });
        }
        if let Some(usual) = Self::pair(dir, USUAL) {
            return Ok(usual);
        }
        let names = names(&dir.join("annotations"));
        let mut pairs: Vec<(&String, Self)> = names
            .iter()
            .filter_map(|name| Some((name, Self::pair(dir, name)?)))
            .collect();
        if pairs.len() > 1 {
            pairs.retain(|(name, _)| name.starts_with("val"));
        }
        if pairs.len() > 1 || pairs.is_empty() && names.len() > 1 {
            return Err(DataError::Ambiguous {
                path: dir.to_owned(),
                found: names.iter().map(|name| file(name)).collect(),
                expected: "one for the test with its images in the folder `<name>`, best `instances_val2017.json` with `val2017`",
            });
        }
        let pair = pairs.pop().map(|(_, pair)| pair);
        pair.ok_or_else(|| missing(dir, names.is_empty()))
    }

    /// Returns the file and the folders that are called `name`, if they are there.
    fn pair(dir: &Path, name: &str) -> Option<Self> {
        let annotations = dir.join("annotations").join(file(name));
        let folders = [dir.join(name), dir.join("images").join(name)];
        let test = folders.into_iter().find(|folder| folder.is_dir())?;
        let train = name.strip_prefix("val").unwrap_or_default();
        annotations.is_file().then(|| Self {
            annotations,
            calibration: test.with_file_name(format!("train{train}")),
            test,
        })
    }
}

fn file(name: &str) -> String {
    format!("instances_{name}.json")
}

/// Returns the names of all files of annotations, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let name = |entry: fs::DirEntry| {
        let file = entry.file_name().into_string().ok()?;
        let name = file.strip_prefix("instances_")?.strip_suffix(".json")?;
        Some(name.to_owned())
    };
    let mut names: Vec<String> = entries.filter_map(name).collect();
    names.sort_unstable();
    names
}

fn missing(dir: &Path, annotations: bool) -> DataError {
    let (file, expected) = if annotations {
        (
            "annotations/instances_val2017.json",
            "COCO's annotations of the test images",
        )
    } else {
        (
            USUAL,
            "the folder of the images that the file in `annotations` is called after",
        )
    };
    DataError::NoFile {
        path: dir.to_owned(),
        file,
        expected,
    }
}

fn open(name: String, dir: &Path) -> Result<Arc<dyn Dataset>, DataError> {
    let layout = Layout::locate(dir)?;
    let bytes = read(&layout.annotations)?;
    let instances = Instances::parse(&layout.annotations, &bytes)?;
    Ok(Arc::new(BoxedFiles::new(Parts {
        name,
        classes: instances.classes,
        calibration: FileList::below(layout.calibration)?,
        test: FileList {
            root: layout.test,
            files: instances.files,
        },
        truth: instances.truth,
        annotations: blake3::hash(&bytes),
    })))
}
