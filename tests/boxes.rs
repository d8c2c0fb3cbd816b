//! The boxes that are made of the outputs of detectors, against torchvision's.
//!
//! `tests/reference/boxes.py` made the numbers, and says how the outputs come about that both sides start from.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generator;

use generator::uniform;
use ptsbench::models::{self, Candidates, Coding, Detector, Scoring, Selection};
use ptsbench::registry::Spec;
use ptsbench::tasks::detection::{Decoder, Found};
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    model: String,
    img_size: usize,
    num_classes: usize,
    /// How often the numbers behind the logits are squared.
    squarings: u32,
    /// The largest number that the regression says.
    stretch: f64,
    #[serde(default)]
    selection: Limits,
    images: Vec<Expected>,
}

/// What replaces the model's own selection.
#[derive(Default, Deserialize)]
struct Limits {
    candidates: Option<usize>,
    nms_threshold: Option<f32>,
    detections: Option<usize>,
}

/// The boxes of one image, the best first.
#[derive(Deserialize)]
struct Expected {
    boxes: Vec<[f32; 4]>,
    /// The columns of the logits.
    labels: Vec<usize>,
    scores: Vec<f32>,
}

impl Limits {
    fn replace(&self, selection: Selection) -> Selection {
        let limited = |limit: usize| match selection.candidates {
            Candidates::PerClass(_) => Candidates::PerClass(limit),
            Candidates::PerLevel(_) => Candidates::PerLevel(limit),
            Candidates::BestClass => Candidates::BestClass,
        };
        let candidates = self.candidates.map(limited);
        Selection {
            candidates: candidates.unwrap_or(selection.candidates),
            nms_threshold: self.nms_threshold.unwrap_or(selection.nms_threshold),
            detections: self.detections.unwrap_or(selection.detections),
            ..selection
        }
    }
}

impl Case {
    fn detector(&self) -> Detector {
        let (name, classes, side) = (&self.model, self.num_classes, self.img_size);
        let spec = format!("{name}(num_classes={classes},img_size={side})");
        let spec: Spec = spec.parse().unwrap();
        let model = models::build(&spec).unwrap();
        let detector = model.head.detector().unwrap().clone();
        Detector {
            selection: self.selection.replace(detector.selection),
            ..detector
        }
    }

    /// Returns an output of some columns for one image: the numbers of the generator, made larger.
    fn output(
        &self,
        image: usize,
        name: &str,
        size: usize,
        value: impl Fn(usize, f64) -> f64,
    ) -> Vec<f32> {
        let numbers = uniform(&format!("{}.{image}.{name}", self.model), size);
        let numbers = numbers.into_iter().enumerate();
        numbers.map(|(index, u)| value(index, u) as f32).collect()
    }

    /// Returns the outputs of the network for one image.
    fn outputs(&self, detector: &Detector, image: usize) -> Vec<Vec<f32>> {
        let levels = detector.levels.iter();
        let cells = levels.map(|level| level.grid[0] * level.grid[1] * level.anchors.len());
        let anchors: usize = cells.sum();
        let columns = self.num_classes;
        let background = match detector.scoring {
            Scoring::Softmax => 0.0,
            _ => -100.0,
        };
        let logit = |index: usize, u: f64| {
            let power = (0..self.squarings).fold(u, |p, _| p * p);
            if index.is_multiple_of(columns) {
                background
            } else {
                -7.0 + 10.0 * power
            }
        };
        let place = |_, u: f64| match detector.coding {
            Coding::Distances => 4.0 * u,
            Coding::Offsets(_) => self.stretch * (2.0 * u - 1.0),
        };
        let mut outputs = vec![
            self.output(image, "cls_logits", anchors * columns, logit),
            self.output(image, "bbox_regression", anchors * 4, place),
        ];
        if detector.scoring == Scoring::Centerness {
            outputs.push(self.output(image, "bbox_ctrness", anchors, |_, u| 4.0 * u - 1.0));
        }
        outputs
    }
}

fn assert_equal(case: &Case, detector: &Detector, found: &[Found], expected: &Expected) {
    let name = &case.model;
    assert_eq!(found.len(), expected.boxes.len(), "{name}");
    let labels = expected.labels.iter().zip(&expected.scores);
    for ((found, edges), (label, score)) in found.iter().zip(&expected.boxes).zip(labels) {
        assert_eq!(Some(found.class), detector.classes[*label], "{name}");
        let error = (found.score - score).abs();
        assert!(error < 1e-5, "{name}: {} instead of {score}", found.score);
        for (a, b) in found.edges.iter().zip(edges) {
            assert!((a - b).abs() < 1e-2, "{name}: {a} instead of {b}");
        }
    }
}

#[test]
fn boxes_are_torchvisions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/boxes.json");
    let text = std::fs::read_to_string(path).unwrap();
    let reference: Reference = serde_json::from_str(&text).unwrap();
    for case in &reference.cases {
        let detector = case.detector();
        let decoder = Decoder::new(&detector);
        for (image, expected) in case.images.iter().enumerate() {
            let sample = case.outputs(&detector, image);
            let found = decoder.decode(&sample, [case.img_size as f64; 2]);
            assert_equal(case, &detector, &found, expected);
        }
    }
}
