//! Images in files of their own, with boxes around the things in them.

use super::{FileList, decode};
use crate::data::{
    Annotation, AnnotationError, AnnotationErrorKind, DataError, Dataset, Image, ImageError,
    Labels, Place, Rect, Split,
};
use std::path::PathBuf;
use std::sync::OnceLock;

/// How far a box may reach beyond the image, in pixels: PASCAL VOC counts from one, others round.
const SLACK: f64 = 1.0;

/// What a file says of one image.
#[derive(Debug)]
pub(in crate::data) struct Truth {
    /// The file.
    pub(in crate::data) path: PathBuf,
    /// The things in the image, or why they are not known.
    pub(in crate::data) things: Result<Vec<Thing>, AnnotationError>,
}

/// A thing in an image, and where it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::data) struct Thing {
    pub(in crate::data) place: Place,
    pub(in crate::data) annotation: Annotation,
}

/// What a data set is made of.
#[derive(Debug)]
pub(in crate::data) struct Parts {
    pub(in crate::data) name: String,
    /// The names of classes, in the order of their indices.
    pub(in crate::data) classes: Vec<String>,
    pub(in crate::data) calibration: FileList,
    pub(in crate::data) test: FileList,
    /// What is known of each test image.
    pub(in crate::data) truth: Vec<Truth>,
    /// A hash of all that it was read from.
    pub(in crate::data) annotations: blake3::Hash,
}

/// The images of a folder, with boxes.
#[derive(Debug)]
pub(in crate::data) struct BoxedFiles {
    parts: Parts,
    labels: Labels,
    fingerprint: OnceLock<String>,
}

impl BoxedFiles {
    pub(in crate::data) fn new(parts: Parts) -> Self {
        debug_assert_eq!(parts.test.files.len(), parts.truth.len());
        let known = |truth: &Truth| {
            let things = truth.things.iter().flatten();
            things.map(|thing| thing.annotation).collect()
        };
        Self {
            labels: Labels::Boxes(parts.truth.iter().map(known).collect()),
            parts,
            fingerprint: OnceLock::new(),
        }
    }

    fn files(&self, split: Split) -> &FileList {
        match split {
            Split::Calibration => &self.parts.calibration,
            Split::Test => &self.parts.test,
        }
    }

    /// Hashes the path and the size of each file, and what the annotations were read from.
    fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        self.parts.calibration.hash(&mut hasher, |_, _| ());
        self.parts.test.hash(&mut hasher, |_, _| ());
        hasher.update(self.parts.annotations.as_bytes());
        hasher.finalize().to_hex().to_string()
    }
}

impl Truth {
    /// Checks that all is known, and that boxes lie in an image of this height and width.
    pub(in crate::data) fn check(&self, size: [usize; 2]) -> Result<(), AnnotationError> {
        let things = self.things.as_ref().map_err(Clone::clone)?;
        let fault = |thing: &Thing| {
            fault(&thing.annotation.rect, size).map(|kind| AnnotationError {
                path: self.path.clone(),
                place: Some(thing.place),
                kind,
            })
        };
        things.iter().find_map(fault).map_or(Ok(()), Err)
    }
}

/// Returns what is wrong with a box in an image of this height and width, if anything is.
fn fault(rect: &Rect, [height, width]: [usize; 2]) -> Option<AnnotationErrorKind> {
    let edges = rect.edges();
    let inside = |edge: f64, length: usize| (-SLACK..=length as f64 + SLACK).contains(&edge);
    let lengths = [width, height, width, height];
    if !edges
        .iter()
        .zip(lengths)
        .all(|(&edge, length)| inside(edge, length))
    {
        let size = [width, height];
        return Some(AnnotationErrorKind::Outside { edges, size });
    }
    let empty = rect.width <= 0.0 || rect.height <= 0.0;
    empty.then_some(AnnotationErrorKind::NoArea { edges })
}

impl Dataset for BoxedFiles {
    fn name(&self) -> &str {
        &self.parts.name
    }

    fn image_shape(&self) -> Option<[usize; 3]> {
        None
    }

    fn class_name(&self, class: u32) -> Option<&str> {
        self.parts.classes.get(class as usize).map(String::as_str)
    }

    fn count(&self, split: Split) -> usize {
        self.files(split).files.len()
    }

    fn image(&self, split: Split, index: usize) -> Result<Image, DataError> {
        let path = self.files(split).path(split, index)?;
        let image = decode(&path)?;
        if split == Split::Test {
            let [_, height, width] = image.shape();
            let checked = self.parts.truth[index].check([height, width]);
            checked.map_err(|fault| DataError::Image {
                path,
                fault: ImageError::Annotation(Box::new(fault)),
            })?;
        }
        Ok(image)
    }

    fn test_labels(&self) -> &Labels {
        &self.labels
    }

    fn calibration_advice(&self) -> String {
        self.parts.calibration.advice()
    }

    fn fingerprint(&self) -> Result<String, DataError> {
        Ok(self.fingerprint.get_or_init(|| self.hash()).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_lie_inside_up_to_rounding_and_have_an_area() {
        let outside = "expected it inside the image of 20x10 pixels";
        let empty = "expected it to end to the right of its start and below it";
        for (edges, message) in [
            ([0.0, 0.0, 20.0, 10.0], None),
            ([-1.0, -1.0, 21.0, 11.0], None),
            ([-1.1, 0.0, 20.0, 10.0], Some(outside)),
            ([0.0, 0.0, 20.0, 11.1], Some(outside)),
            ([30.0, 0.0, 10.0, 10.0], Some(outside)),
            ([0.0, f64::NAN, 20.0, 10.0], Some(outside)),
            ([0.0, 0.0, f64::INFINITY, 10.0], Some(outside)),
            ([5.0, 5.0, 5.0, 8.0], Some(empty)),
            ([5.0, 5.0, 8.0, 4.0], Some(empty)),
        ] {
            let found = fault(&Rect::from_edges(edges), [10, 20]).map(|kind| kind.to_string());
            match message {
                Some(message) => assert!(found.unwrap().contains(message), "{edges:?}"),
                None => assert_eq!(found, None, "{edges:?}"),
            }
        }
    }
}
