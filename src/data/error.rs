//! What can be wrong with data.

use super::{AnnotationError, Split};
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
        /// The number of bytes, header included; of too many, up to the first that is one.
        found: usize,
        /// The number that the header announces, header included.
        expected: u128,
    },
    /// A file's header announces more than is read.
    #[error("`{}` has {found} values by its header, expected at most {most}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The number of values.
        found: u128,
        /// How many it may have.
        most: u128,
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
    #[error("there are {available} calibration images, expected at least {wanted}: {advice}")]
    TooFew {
        /// The number of images in the calibration split.
        available: usize,
        /// The number asked for.
        wanted: usize,
        /// What to do about it.
        advice: String,
    },
    /// More calibration images were asked for than can be read.
    #[error(
        "{unreadable} of {available} calibration images cannot be read, expected at least {wanted} that can: {first}"
    )]
    TooFewReadable {
        /// The number of images in the calibration split.
        available: usize,
        /// How many of them cannot be read.
        unreadable: usize,
        /// The number asked for.
        wanted: usize,
        /// What is wrong with the first one.
        first: String,
    },
    /// No test image can be read.
    #[error("none of {count} test images can be read: {first}")]
    NoneReadable {
        /// The number of images.
        count: usize,
        /// What is wrong with the first one.
        first: String,
    },
    /// An image in a file of its own cannot be read; others may.
    #[error("cannot read image `{}`: {fault}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// Why.
        fault: ImageError,
    },
    /// A folder has images to calibrate with, but none to measure on.
    #[error(
        "`{}` has none of the folders {}, expected the test images in one of them as `<class>/<image>`",
        path.display(),
        quoted(expected)
    )]
    NoTest {
        /// The folder.
        path: PathBuf,
        /// The names that the missing folder may have.
        expected: &'static [&'static str],
    },
    /// There is nothing to measure on.
    #[error("`{}` has no test images, expected {expected}", path.display())]
    NoTestImages {
        /// The file or folder.
        path: PathBuf,
        /// What it should have.
        expected: &'static str,
    },
    /// A list names a file that is elsewhere.
    #[error("`{}` names `{name}`, which is not in the folder of the images", path.display())]
    Elsewhere {
        /// The list.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A file is not the JSON of its format.
    #[error("`{}` cannot be read as {expected}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// Where it is not.
        source: serde_json::Error,
    },
    /// It is open which of several files is meant.
    #[error("`{}` has {}, expected {expected}", path.display(), quoted(found))]
    Ambiguous {
        /// The folder.
        path: PathBuf,
        /// The files.
        found: Vec<String>,
        /// What would be clear.
        expected: &'static str,
    },
    /// Nothing says what classes are called.
    #[error(
        "`{}` has no names of classes, expected `classes.txt` with one a line, or a list `names` in `data.yaml`",
        path.display()
    )]
    NoClassNames {
        /// The folder.
        path: PathBuf,
    },
    /// A folder of images has no class folders.
    #[error("`{}` has no folders, expected one a class with its images in it", path.display())]
    NoClasses {
        /// The folder.
        path: PathBuf,
    },
    /// A folder has no images where they should be.
    #[error(
        "`{}` has no images {place}, expected files that end in .{}",
        path.display(),
        extensions.join(", .")
    )]
    NoImages {
        /// The folder.
        path: PathBuf,
        /// Where in it they should be.
        place: &'static str,
        /// The extensions that were looked for.
        extensions: &'static [&'static str],
    },
}

/// What is wrong with the file of an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The system refuses to read it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no image, damaged, of a kind that is not read here, or too large.
    #[error(transparent)]
    Decode(#[from] image::ImageError),
    /// A JPEG file ends early, of which the decoder would make a picture that is partly grey.
    #[error("it ends before its end-of-image marker")]
    Truncated,
    /// Its header tells of more pixels than are read.
    #[error("it is {}x{} pixels, expected at most {most} in all", size[0], size[1])]
    TooLarge {
        /// The width and the height.
        size: [u32; 2],
        /// How many pixels it may have.
        most: u64,
    },
    /// The file has more bytes than are read.
    #[error("it is a file of {size} bytes, expected at most {most}")]
    File {
        /// The number of bytes.
        size: u64,
        /// How many it may have.
        most: u64,
    },
    /// A width or height is zero.
    #[error("it has no pixels")]
    Empty,
    /// What is known of it cannot be used.
    #[error(transparent)]
    Annotation(Box<AnnotationError>),
    /// The decoder is not up to what is wrong with it.
    #[error("it makes the decoder panic: {0}")]
    Panic(String),
}

fn quoted(names: &[impl std::fmt::Display]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
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
