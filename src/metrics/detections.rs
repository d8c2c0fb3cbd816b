//! What a detector found in each image, beside what is there.

use super::coco;
use crate::data::{Annotation, Rect};
use std::sync::OnceLock;

/// A thing that a detector claims to see.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Where, in pixels of the original image.
    pub rect: Rect,
    /// What.
    pub class: u32,
    /// How sure the detector is.
    pub score: f64,
}

/// An image: what was found in it, and what is there.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// What was found, in the order in which the detector gave it.
    pub found: Vec<Detection>,
    /// What is there.
    pub truth: Vec<Annotation>,
}

/// What a detector found, image by image.
#[derive(Debug, Clone)]
pub struct Detections {
    classes: usize,
    scenes: Vec<Scene>,
    /// What all metrics of COCO follow from, once one was asked for.
    coco: OnceLock<coco::Evaluation>,
}

impl Detections {
    /// Makes an empty collection for `classes` classes.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            scenes: Vec::new(),
            coco: OnceLock::new(),
        }
    }

    /// Appends an image. What is of no class, neither counts nor is a mistake.
    pub fn push(&mut self, scene: Scene) {
        self.scenes.push(scene);
        self.coco.take();
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the images, in order.
    pub fn scenes(&self) -> &[Scene] {
        &self.scenes
    }

    /// Returns the average precisions as COCO has them, computed once.
    pub(super) fn coco(&self) -> &coco::Evaluation {
        self.coco.get_or_init(|| coco::Evaluation::new(self))
    }
}

#[cfg(test)]
mod tests;
