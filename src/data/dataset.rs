//! What every data set can be asked.

use super::{Annotation, DataError, Image};
use std::fmt;

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// What techniques may see: images without labels.
    Calibration,
    /// What metrics are measured on.
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calibration => "calibration",
            Self::Test => "test",
        })
    }
}

/// What is known of the test images.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// The class of each image, see [`Dataset::class_name`].
    Classes(Vec<u32>),
    /// The things in each image.
    Boxes(Vec<Vec<Annotation>>),
    /// Nothing, of so many images.
    Unknown(usize),
}

impl Labels {
    /// Returns the class of each image, if that is what is known.
    pub fn classes(&self) -> Option<&[u32]> {
        match self {
            Self::Classes(classes) => Some(classes),
            Self::Boxes(_) | Self::Unknown(_) => None,
        }
    }

    /// Returns the things in each image, if that is what is known.
    pub fn boxes(&self) -> Option<&[Vec<Annotation>]> {
        match self {
            Self::Boxes(boxes) => Some(boxes),
            Self::Classes(_) | Self::Unknown(_) => None,
        }
    }

    /// Returns the number of images.
    pub fn count(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Boxes(boxes) => boxes.len(),
            Self::Unknown(count) => *count,
        }
    }

    /// Writes all of it in the bytes that a fingerprint is of, of which no two different labels have the same.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Classes(classes) => classes.iter().flat_map(|c| c.to_le_bytes()).collect(),
            Self::Boxes(boxes) => {
                // All that follows comes in words of four bytes, and so do classes.
                let mut bytes = vec![b'b'];
                for things in boxes {
                    bytes.extend((things.len() as u64).to_le_bytes());
                    bytes.extend(things.iter().flat_map(Annotation::bytes));
                }
                bytes
            }
            // Neither a multiple of four bytes nor one more.
            Self::Unknown(count) => [&b"uu"[..], &(*count as u64).to_le_bytes()].concat(),
        }
    }
}

/// An open data set.
pub trait Dataset: fmt::Debug + Send + Sync {
    /// Returns the name used in case ids: `cifar10`.
    fn name(&self) -> &str;

    /// Returns the shape that every image has, `[c, h, w]`; `None` where images differ in size and are to be fitted
    /// ([`super::Preprocess::fit`]).
    fn image_shape(&self) -> Option<[usize; 3]>;

    /// Returns the name of a class, if there is one of this index.
    fn class_name(&self, class: u32) -> Option<&str>;

    /// Returns the number of images in a split.
    fn count(&self, split: Split) -> usize;

    /// Returns an image of a split.
    ///
    /// # Errors
    /// [`DataError::Index`] for an index of at least [`Self::count`]; [`DataError::Image`] for a file of its own that cannot be
    /// read, or whose annotation cannot be used, without which the rest of the set can be used.
    fn image(&self, split: Split, index: usize) -> Result<Image, DataError>;

    /// Returns images of a split, in the order of `indices`; see [`super::Reader`] for many of them.
    ///
    /// # Errors
    /// That of the first image which cannot be had.
    fn images(&self, split: Split, indices: &[usize]) -> Result<Vec<Image>, DataError> {
        let image = |&index: &usize| self.image(split, index);
        indices.iter().map(image).collect()
    }

    /// Returns the labels of all test images. Calibration images have none.
    fn test_labels(&self) -> &Labels;

    /// Returns what to do where calibration images are too few, for the end of a message.
    fn calibration_advice(&self) -> String {
        "ask for fewer".to_owned()
    }

    /// Returns a hash (blake3, hexadecimal) of all that results depend on: the images of both splits and the labels. A set whose
    /// images are files of their own may take paths and sizes for their content.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn fingerprint(&self) -> Result<String, DataError>;
}
