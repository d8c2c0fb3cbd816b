//! What can be wrong with what is known of one image.

use std::fmt;
use std::path::PathBuf;

/// An annotation that cannot be used, and with it the image.
#[derive(Debug, Clone, PartialEq)]
pub struct AnnotationError {
    /// The file that has it.
    pub path: PathBuf,
    /// Where in the file, if it is not all of it.
    pub place: Option<Place>,
    /// What is wrong.
    pub kind: AnnotationErrorKind,
}

/// One of the things in a file of annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// What the file has many of: lines, objects.
    pub unit: &'static str,
    /// Which one: counted from one, or by its id.
    pub number: u64,
}

/// What is wrong with an annotation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AnnotationErrorKind {
    /// The system refuses to read the file.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// It is not in its format.
    #[error("is malformed: {0}")]
    Malformed(String),
    /// The size of the image is needed and cannot be had.
    #[error("is in parts of an image whose size cannot be read")]
    NoSize,
    /// A part of it is missing.
    #[error("has no `{field}`, expected {expected}")]
    Missing {
        /// The part.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A part of it is not what it should be.
    #[error("has `{found}` as `{field}`, expected {expected}")]
    Value {
        /// The part.
        field: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// It names no class.
    #[error("is of class `{found}`, expected {expected}")]
    Class {
        /// What it names.
        found: String,
        /// The classes that there are.
        expected: String,
    },
    /// The box is not in the image.
    #[error(
        "has a box from {:?} to {:?}, expected it inside the image of {}x{} pixels",
        &edges[..2], &edges[2..], size[0], size[1]
    )]
    Outside {
        /// The left, upper, right and lower edge.
        edges: [f64; 4],
        /// The width and the height of the image.
        size: [usize; 2],
    },
    /// The box has no area.
    #[error(
        "has a box from {:?} to {:?}, expected it to end to the right of its start and below it",
        &edges[..2], &edges[2..]
    )]
    NoArea {
        /// The left, upper, right and lower edge.
        edges: [f64; 4],
    },
}

impl std::error::Error for AnnotationError {}

impl fmt::Display for AnnotationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { unit, number }) = self.place {
            write!(f, "{unit} {number} of ")?;
        }
        write!(f, "`{}` {}", self.path.display(), self.kind)
    }
}
