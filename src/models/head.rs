//! What the outputs of a network mean.

use serde::{Deserialize, Serialize};

/// What the outputs of a network mean to its task.
#[derive(Debug, Clone, Default)]
pub enum Head {
    /// One output: the score of each class.
    #[default]
    Classes,
    /// Scores and places of boxes.
    Boxes(Detector),
    /// The noise in an image.
    Noise(Diffusion),
    /// One output: images `[channels, height, width]`, mostly between -1 and 1.
    Images,
}

impl Head {
    /// Returns how boxes are made of the outputs, if they are.
    pub fn detector(&self) -> Option<&Detector> {
        match self {
            Self::Boxes(detector) => Some(detector),
            Self::Classes | Self::Noise(_) | Self::Images => None,
        }
    }

    /// Returns how noise was mixed into the images that the network was trained on, if it was.
    pub fn diffusion(&self) -> Option<&Diffusion> {
        match self {
            Self::Noise(diffusion) => Some(diffusion),
            Self::Classes | Self::Boxes(_) | Self::Images => None,
        }
    }
}

/// The process that turns images into noise (Ho et al. 2020), which a network is trained to undo.
///
/// The network takes `input` `[channels, height, width]`, an image at a time step, and `timestep`, its number from 0, and gives the noise
/// in the image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Diffusion {
    /// The number of time steps.
    pub timesteps: usize,
    /// How much noise each of them adds.
    pub schedule: BetaSchedule,
    /// Whether what is drawn are latents, of which a decoder makes pictures; unlike images, which lie between -1 and 1, they have no bounds.
    pub latent: bool,
}

/// The variances of the noise that time steps add, from the first one to the last one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BetaSchedule {
    /// Evenly spaced (Ho et al. 2020).
    Linear {
        /// The variance of the first step.
        start: f64,
        /// The variance of the last step.
        end: f64,
    },
    /// Squares of what is evenly spaced between the roots (Rombach et al. 2022).
    ScaledLinear {
        /// The variance of the first step.
        start: f64,
        /// The variance of the last step.
        end: f64,
    },
    /// So that what is left of the image falls as a squared cosine (Nichol and Dhariwal 2021, eq. 17).
    Cosine,
}

/// How the outputs of a detection network become boxes.
///
/// The network gives `cls_logits` `[anchors, classes]` and `bbox_regression` `[anchors, 4]`, and where [`Scoring`] asks for it a third
/// output of one column. Anchors come level by level, each level row by row, the anchors of one cell together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detector {
    /// The grids over which anchors are repeated, in the order of the outputs.
    pub levels: Vec<Level>,
    /// What the regression says of an anchor.
    pub coding: Coding,
    /// How sure the network is of a box.
    pub scoring: Scoring,
    /// The class of the data that each column of `cls_logits` stands for; nothing for the background and for columns without use.
    pub classes: Vec<Option<u32>>,
    /// Which boxes are given.
    pub selection: Selection,
}

/// A grid of cells over the input, with the same anchors around each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Level {
    /// Rows and columns of cells.
    pub grid: [usize; 2],
    /// The distances between rows and between columns, in pixels of the input.
    pub stride: [f32; 2],
    /// The anchors of the first cell: left, upper, right and lower edge, in pixels of the input.
    pub anchors: Vec<[f32; 4]>,
}

/// What the four numbers of a regression mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coding {
    /// The way from the anchor's centre in parts of its sides, and the logarithms of what its sides are stretched by
    /// (Girshick et al. 2014), each multiplied by the number here.
    Offsets([f32; 4]),
    /// The distances from the anchor's centre to the left, upper, right and lower edge, in parts of its sides (FCOS).
    Distances,
}

/// How sure a network is of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scoring {
    /// The softmax over classes, the background among them.
    Softmax,
    /// The sigmoid of each class.
    Sigmoid,
    /// The geometric mean of the sigmoids of the class and of the output `bbox_ctrness` (FCOS).
    Centerness,
    /// The product of the sigmoids of the class and of the output `objectness` (YOLO).
    Objectness,
}

/// Which boxes a detector gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Selection {
    /// Scores up to this one are dropped.
    pub score_threshold: f32,
    /// Which of the rest non-maximum suppression sees.
    pub candidates: Candidates,
    /// The intersection over union with a better box of its class above which a box is suppressed.
    pub nms_threshold: f32,
    /// How many boxes are given an image at most, the best ones.
    pub detections: usize,
    /// Whether boxes are cut at the edges of the image.
    pub clip: bool,
}

/// Which boxes non-maximum suppression sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Candidates {
    /// The best so many of each class.
    PerClass(usize),
    /// The best so many of each level, over all classes.
    PerLevel(usize),
    /// Each box with its best class.
    BestClass,
}
