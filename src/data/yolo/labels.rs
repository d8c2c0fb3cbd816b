//! What the label of an image says.

use crate::data::files::{Thing, Truth, hash_bytes, size};
use crate::data::{Annotation, AnnotationError, AnnotationErrorKind, Place, Rect};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Reads the label `path` of an image and hashes it.
pub(super) fn read(
    image: &Path,
    path: PathBuf,
    classes: usize,
    hasher: &mut blake3::Hasher,
) -> Truth {
    let bytes = fs::read(&path);
    hash_bytes(hasher, bytes.as_deref().ok());
    let whole = |kind| AnnotationError {
        path: path.clone(),
        place: None,
        kind,
    };
    let things = match bytes {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(whole(AnnotationErrorKind::Unreadable(error.to_string()))),
        Ok(bytes) => match (str::from_utf8(&bytes), size(image)) {
            (Err(error), _) => Err(whole(AnnotationErrorKind::Malformed(error.to_string()))),
            (Ok(_), None) => Err(whole(AnnotationErrorKind::NoSize)),
            (Ok(text), Some(size)) => things(&path, text, size, classes),
        },
    };
    Truth { path, things }
}

/// Returns the things in an image of this height and width.
pub(in crate::data) fn things(
    path: &Path,
    text: &str,
    size: [usize; 2],
    classes: usize,
) -> Result<Vec<Thing>, AnnotationError> {
    let lines = (1..).zip(text.lines());
    let filled = lines.filter(|(_, line)| !line.trim().is_empty());
    let thing = |(number, line)| {
        let place = Place {
            unit: "line",
            number,
        };
        let annotation = annotation(line, size, classes).map_err(|kind| AnnotationError {
            path: path.to_owned(),
            place: Some(place),
            kind,
        })?;
        Ok(Thing { place, annotation })
    };
    filled.map(thing).collect()
}

fn annotation(
    line: &str,
    [height, width]: [usize; 2],
    classes: usize,
) -> Result<Annotation, AnnotationErrorKind> {
    let malformed = || AnnotationErrorKind::Value {
        field: "class cx cy w h",
        found: line.trim().chars().take(80).collect(),
        expected: "the index of a class and four numbers",
    };
    let words: Vec<&str> = line.split_whitespace().collect();
    let [class, numbers @ ..] = words.as_slice() else {
        return Err(malformed());
    };
    let numbers: Result<Vec<f64>, _> = numbers.iter().map(|word| word.parse()).collect();
    let Ok([cx, cy, w, h]) = numbers.as_deref() else {
        return Err(malformed());
    };
    let class: u32 = class.parse().map_err(|_| malformed())?;
    if class as usize >= classes {
        return Err(AnnotationErrorKind::Class {
            found: class.to_string(),
            expected: format!("0 to {classes} (exclusive)"),
        });
    }
    let [height, width] = [height, width].map(|side| side as f64);
    let rect = Rect {
        x: (cx - w / 2.0) * width,
        y: (cy - h / 2.0) * height,
        width: w * width,
        height: h * height,
    };
    Ok(Annotation::plain(rect, class))
}
