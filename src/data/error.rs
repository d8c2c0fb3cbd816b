//! What can be wrong with data.

use super::Split;
use crate::registry::UnknownName;
use std::io;
use std::path::PathBuf;

/// Data that cannot be named, found or read.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No format or embedded set has this name.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// A data spec ends before its colon's argument.
    #[error("`{format}` says nothing about where the data is, write `{format}:{argument}`")]
    NoArgument {
        /// The format's name.
        format: &'static str,
        /// What its argument looks like: `<dir>`.
        argument: &'static str,
    },
    /// A folder does not exist, or is not a folder.
    #[error("`{}` is not a folder, expected the one that holds {expected}", path.display())]
    NoFolder {
        /// The folder that was asked for.
        path: PathBuf,
        /// The distribution that it should hold.
        expected: &'static str,
    },
    /// A folder lacks a file of its format.
    #[error("`{}` has no file `{file}`, expected {expected}", path.display())]
    NoFile {
        /// The folder.
        path: PathBuf,
        /// The missing file.
        file: &'static str,
        /// The distribution that has it.
        expected: &'static str,
    },
    /// The system refuses to read a file, or its compressed stream is cut short or damaged.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system or the decompressor says.
        source: io::Error,
    },
    /// A file of fixed-size records does not end at a record's end, or is empty.
    #[error(
        "`{}` has {found} bytes, expected a positive multiple of {record} (the size of a record)",
        path.display()
    )]
    Records {
        /// The file.
        path: PathBuf,
        /// Its size, in bytes.
        found: usize,
        /// The size of a record, in bytes.
        record: usize,
    },
    /// A label names no class.
    #[error(
        "image {index} of `{}` has label {found}, expected 0 to {}",
        path.display(),
        classes - 1
    )]
    Label {
        /// The file.
        path: PathBuf,
        /// The image's position in the file, from 0.
        index: usize,
        /// Its label.
        found: u32,
        /// The number of classes.
        classes: usize,
    },
    /// A file is not idx, or holds another type or number of dimensions.
    #[error("`{}` starts with {found:#010x}, expected the idx magic {expected:#010x}", path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// Its first four bytes, big-endian.
        found: u32,
        /// The magic of bytes in the wanted number of dimensions.
        expected: u32,
    },
    /// A file is shorter or longer than its header says.
    #[error("`{}` has {found} bytes unpacked, expected {expected} by its header", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// The number of bytes, header included.
        found: usize,
        /// The number that the header announces, header included.
        expected: u128,
    },
    /// An image beyond the end of its split was asked for.
    #[error("there is no {split} image {index}, expected 0 to {count} (exclusive)")]
    Index {
        /// The split.
        split: Split,
        /// The image that was asked for.
        index: usize,
        /// The number of images in the split.
        count: usize,
    },
    /// More calibration images were asked for than there are.
    #[error("there are {available} calibration images, expected at least {wanted}: ask for fewer")]
    TooFew {
        /// The number of images in the calibration split.
        available: usize,
        /// The number asked for.
        wanted: usize,
    },
}

/// Images that a network's preprocessing does not fit.
#[derive(Debug, thiserror::Error)]
pub enum PreprocessError {
    /// The images and the preprocessing differ in channels.
    #[error(
        "images have {images} channels, preprocessing has {mean} means and {std} deviations, expected as many"
    )]
    Channels {
        /// Channels of the images.
        images: usize,
        /// Channels that have a mean.
        mean: usize,
        /// Channels that have a standard deviation.
        std: usize,
    },
    /// A standard deviation cannot be divided by.
    #[error("standard deviation {found} in preprocessing, expected a positive number")]
    Deviation {
        /// The offending value.
        found: f32,
    },
    /// The images of a batch differ in shape.
    #[error(
        "an image is {found:?}, expected {expected:?} (`[c, h, w]`) as the first one of its batch"
    )]
    Shape {
        /// The shape of the image.
        found: [usize; 3],
        /// The shape of the first one.
        expected: [usize; 3],
    },
    /// There is nothing to make a batch of.
    #[error("a batch has no images, expected at least one")]
    Empty,
    /// candle cannot hold the batch.
    #[error("cannot make a tensor of a batch of images")]
    Tensor(#[from] candle_core::Error),
}
