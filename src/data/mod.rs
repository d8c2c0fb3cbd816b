//! Data sets: named images, split into what a technique may see and what it is measured on.
//!
//! A set has two splits. [`Split::Calibration`] is the small unlabelled set of post-training sparsity: there is no way to
//! ask for its labels. [`Split::Test`] has labels ([`Dataset::test_labels`]) and serves metrics only. Images of which nothing is
//! known ([`Labels::Unknown`]) may be in both: they hold no answers.
//!
//! What a user types is a [`DataSpec`], `<format>:<argument>`; a [`Format`] knows what the argument means. Listing cases
//! needs a set's name and whether it is there, so both can be asked without loading anything.
//!
//! Images are raw bytes. How a network wants them scaled belongs to its checkpoint ([`Preprocess`]), and label-free copies
//! of calibration images are made from bytes as well ([`augment()`]). Sets whose images differ in size ([`Dataset::image_shape`]
//! is `None`) become squares that the network takes ([`Geometry`]), decoded ahead of the network on threads of their own
//! ([`Reader`]). What is found in such a square goes back to the image's own pixels by its [`Placement`].

mod annotation;
mod augment;
mod calibration;
mod canvas;
mod cifar;
mod coco;
mod dataset;
mod embedded;
mod error;
mod fault;
mod files;
mod geometry;
mod idx;
mod image;
mod imagefolder;
mod images;
mod memory;
pub(crate) mod outside;
mod preprocess;
mod reader;
mod resize;
mod spec;
mod voc;
mod yolo;

pub use annotation::{Annotation, Rect, Standing};
pub use augment::{AUGMENTATIONS, Augmentation, augment};
pub use calibration::draw_calibration;
pub use canvas::{Canvas, Placed, canvases};
pub use dataset::{Dataset, Labels, Split};
pub use error::{DataError, ImageError, PreprocessError};
pub use fault::{AnnotationError, AnnotationErrorKind, Place};
pub use files::image_files;
pub use geometry::{Crop, Geometry, Letterbox, Placement, Stretch};
pub use idx::Idx;
pub use image::Image;
pub use memory::MemoryDataset;
pub use preprocess::Preprocess;
pub use reader::{Batch, Reader};
pub use spec::{DataSpec, Format};

use crate::registry::Registry;

/// Every format that the first word of a [`DataSpec`] can name.
pub static FORMATS: Registry<&'static dyn Format> = Registry::new(
    "data format",
    &[
        &embedded::Embedded,
        &cifar::CIFAR10,
        &cifar::CIFAR100,
        &imagefolder::IMAGEFOLDER,
        &images::IMAGES,
        &voc::VOC,
        &coco::COCO,
        &yolo::YOLO,
    ],
);
