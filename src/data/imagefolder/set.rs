//! Which images there are, and the class of each.

use super::classes;
use super::layout::Layout;
use crate::data::DataError;
use crate::data::files::{FileList, PlainFiles};
use std::path::PathBuf;

/// Lists the files of both splits.
pub(super) fn open(name: String, layout: &Layout) -> Result<PlainFiles, DataError> {
    let folders = layout.class_folders()?;
    let classes = classes::of_folders(&folders);
    let calibration = layout.calibration_images()?;
    let files = in_turn(layout.test_images()?);
    let class_of = |path: &PathBuf| {
        let folder = path.iter().next().unwrap_or_default().to_string_lossy();
        let place = folders.binary_search_by(|known| known.as_str().cmp(&folder));
        classes[place.expect("an image in a class folder is in one of them")]
    };
    let labels = files.iter().map(class_of).collect();
    let names = classes.iter().copied().zip(folders.clone()).collect();
    let root = layout.test.clone();
    let images = PlainFiles::new(name, FileList { root, files });
    Ok(images
        .with_calibration(calibration)
        .with_classes(labels, names))
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
