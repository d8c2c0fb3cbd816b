//! What every data set can be asked.

use super::{DataError, Image};
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// The class of each image, an index into [`Dataset::class_names`].
    Classes(Vec<u32>),
}

/// An open data set.
pub trait Dataset: fmt::Debug + Send + Sync {
    /// Returns the name used in case ids: `cifar10`.
    fn name(&self) -> &str;

    /// Returns the shape of every image, `[c, h, w]`.
    fn image_shape(&self) -> [usize; 3];

    /// Returns the names of the classes, in the order of their indices.
    fn class_names(&self) -> &[&str];

    /// Returns the number of images in a split.
    fn count(&self, split: Split) -> usize;

    /// Returns images of a split, in the order of `indices`.
    ///
    /// # Errors
    /// [`DataError::Index`] for an index of at least [`Self::count`], or a file that cannot be read.
    fn images(&self, split: Split, indices: &[usize]) -> Result<Vec<Image>, DataError>;

    /// Returns the labels of all test images. Calibration images have none.
    fn test_labels(&self) -> &Labels;

    /// Returns a hash (blake3, hexadecimal) of all that results depend on: the images of both splits and the labels.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn fingerprint(&self) -> Result<String, DataError>;
}
