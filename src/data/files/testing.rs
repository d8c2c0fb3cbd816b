//! Folders of images for the tests of formats.

use crate::data::{
    Annotation, DataError, DataSpec, Dataset, ImageError, Preprocess, Reader, Split,
};
use image::{ImageFormat, RgbImage};
use std::fs;
use std::io::Cursor;
use std::sync::Arc;
use tempfile::TempDir;

pub(in crate::data) fn write(dir: &TempDir, file: &str, bytes: impl AsRef<[u8]>) {
    let path = dir.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Writes an image of 20 rows and `width` columns.
pub(in crate::data) fn picture(dir: &TempDir, file: &str, width: u32) {
    let mut bytes = Cursor::new(Vec::new());
    let image = RgbImage::new(width, 20);
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    write(dir, file, bytes.into_inner());
}

pub(in crate::data) fn spec(format: &str, dir: &TempDir) -> DataSpec {
    let text = format!("{format}:{}", dir.path().display());
    text.parse().unwrap()
}

pub(in crate::data) fn open(format: &str, dir: &TempDir) -> Arc<dyn Dataset> {
    let spec = spec(format, dir);
    spec.availability().unwrap();
    spec.open().unwrap()
}

/// Returns why nothing can be opened, with `DIR` for the folder.
pub(in crate::data) fn refusal(format: &str, dir: &TempDir) -> String {
    let message = spec(format, dir).open().unwrap_err().to_string();
    message.replace(&dir.path().display().to_string(), "DIR")
}

/// Returns why a test image cannot be used, with `DIR` for the folder. What is wrong must be its annotation, and readers must leave
/// it out, name it and count it, or fail if they are strict.
pub(in crate::data) fn fault(data: &dyn Dataset, dir: &TempDir, index: usize) -> String {
    let error = data.image(Split::Test, index).unwrap_err();
    let DataError::Image {
        fault: ImageError::Annotation(fault),
        ..
    } = &error
    else {
        panic!("{error}");
    };
    let (skipped, left) = read(data, false).unwrap();
    assert!(skipped.contains(&error.to_string()), "{skipped:?}");
    assert_eq!(skipped.len() + left.len(), data.count(Split::Test));
    assert!(!left.contains(&index));
    assert!(read(data, true).is_err());
    let folder = dir.path().display().to_string();
    fault.to_string().replace(&folder, "DIR")
}

type Outcome = Result<(Vec<String>, Vec<usize>), DataError>;

/// Returns what a reader leaves out, and the rest.
fn read(data: &dyn Dataset, strict: bool) -> Outcome {
    let geometry =
        r#"{"mean":[0,0,0],"std":[1,1,1],"geometry":{"side":4,"interpolation":"bilinear"}}"#;
    let preprocess: Preprocess = serde_json::from_str(geometry).unwrap();
    let reader = Reader {
        dataset: data,
        preprocess: &preprocess,
        strict,
    };
    let count = data.count(Split::Test);
    let mut batch = reader.test(count, count, |batches| batches.next().unwrap())?;
    batch.skipped.sort_unstable();
    Ok((batch.skipped, batch.indices))
}

/// Returns the boxes of all test images.
pub(in crate::data) fn boxes(data: &dyn Dataset) -> &[Vec<Annotation>] {
    data.test_labels().boxes().unwrap()
}

/// Returns the widths of all images of a split, which tell which they are.
pub(in crate::data) fn widths(data: &dyn Dataset, split: Split) -> Vec<usize> {
    let all: Vec<usize> = (0..data.count(split)).collect();
    let images = data.images(split, &all).unwrap();
    images.iter().map(|image| image.shape()[2]).collect()
}
