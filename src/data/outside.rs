//! The bytes of files from outside through the readers of the formats, without files: for the table in `src/fuzzing.rs`.
//!
//! What is wrong is an error of the reader's, and dropped here.

use super::coco::instances::Instances;
use super::files::{Truth, read_bytes};
use super::{Geometry, Idx, Image, Preprocess, cifar, voc, yolo};
use std::path::Path;

/// What stands for the file in messages.
const FILE: &str = "file";

/// The rows and columns of the image that annotations are of.
const SIZE: [usize; 2] = [375, 500];

/// Reads records of both CIFARs.
pub fn cifar(bytes: &[u8]) {
    cifar::read_bytes(FILE.as_ref(), bytes);
}

/// Reads a gzipped idx file of images.
pub fn idx(bytes: &[u8]) {
    let _ = Idx::<3>::decode(FILE.as_ref(), bytes);
}

/// Decodes an image.
pub fn image(bytes: &[u8]) {
    if let Ok(image) = read_bytes(bytes) {
        let [channels, height, width] = image.shape();
        assert_eq!(image.pixels().len(), channels * height * width);
    }
}

/// Reads the annotation of an image of PASCAL VOC.
pub fn voc(bytes: &[u8]) {
    let path = Path::new(FILE).to_owned();
    let things = voc::xml::things(&path, bytes);
    let _ = Truth { path, things }.check(SIZE);
}

/// Reads COCO's annotations.
pub fn coco(bytes: &[u8]) {
    if let Ok(instances) = Instances::parse(FILE.as_ref(), bytes) {
        assert_eq!(instances.files.len(), instances.truth.len());
        for truth in &instances.truth {
            let _ = truth.check(SIZE);
        }
    }
}

/// Reads the names of YOLO's classes in either form, and the label of an image.
pub fn yolo(bytes: &[u8]) {
    for file in ["classes.txt", "data.yaml"] {
        yolo::names::parse(file.as_ref(), bytes);
    }
    if let Ok(text) = str::from_utf8(bytes) {
        let path = Path::new(FILE).to_owned();
        let things = yolo::labels::things(&path, text, SIZE, 80);
        let _ = Truth { path, things }.check(SIZE);
    }
}

/// Reads how a checkpoint wants its images, and fits a small one to a small network.
pub fn preprocess(bytes: &[u8]) {
    let Ok(mut preprocess) = serde_json::from_slice::<Preprocess>(bytes) else {
        return;
    };
    preprocess.geometry = preprocess
        .geometry
        .map(|geometry| Geometry::with_side(geometry, 8));
    let fitted = preprocess.fit(Image::from_fn([3, 5, 7], |_, y, x| (7 * y + x) as u8));
    let _ = preprocess.apply(&[fitted], &candle_core::Device::Cpu);
    preprocess.placement([5, 7]);
}
