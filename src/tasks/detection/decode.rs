//! From the outputs of a network to boxes, as a [`Detector`] says.

use super::candidates::{Candidate, Scores};
use super::suppress::{Scored, suppress};
use crate::graph::{Graph, ValueId};
use crate::models::{Coding, Detector, Level, Scoring};
use crate::tasks::TaskError;
use candle_core::{DType, Tensor};
use std::ops::Range;

/// The most that the logarithm of a side's stretching may be: torchvision's, from 16 pixels to 1,000.
const STRETCH: f32 = 4.135_166_6;

/// A thing in the input of a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// The left, upper, right and lower edge, in pixels of the input.
    pub edges: [f32; 4],
    /// The class in the data.
    pub class: u32,
    /// How sure the network is.
    pub score: f32,
}

/// Makes boxes of outputs.
#[derive(Debug)]
pub struct Decoder<'a> {
    detector: &'a Detector,
    /// Edges of all anchors.
    anchors: Vec<[f32; 4]>,
    /// The anchors of each level.
    levels: Vec<Range<usize>>,
}

/// The outputs for one image: logits, regression and, if there is one, the third.
type Sample = Vec<Vec<f32>>;

impl<'a> Decoder<'a> {
    /// Lays out the anchors.
    pub fn new(detector: &'a Detector) -> Self {
        let mut anchors = Vec::new();
        let levels = detector.levels.iter().map(|level| {
            let start = anchors.len();
            anchors.extend(laid_out(level));
            start..anchors.len()
        });
        let levels = levels.collect();
        Self {
            detector,
            anchors,
            levels,
        }
    }

    /// Returns what the decoder goes by.
    pub fn detector(&self) -> &'a Detector {
        self.detector
    }

    /// Returns the outputs of `graph` that are decoded.
    ///
    /// # Errors
    /// [`TaskError::Output`] where one is lacking, or has not as many rows as there are anchors.
    pub fn outputs(&self, graph: &Graph) -> Result<Vec<ValueId>, TaskError> {
        let extra = match self.detector.scoring {
            Scoring::Softmax | Scoring::Sigmoid => None,
            Scoring::Centerness => Some("bbox_ctrness"),
            Scoring::Objectness => Some("objectness"),
        };
        let names = ["cls_logits", "bbox_regression"].into_iter().chain(extra);
        let rows = self.anchors.len();
        names
            .map(|name| {
                let mut outputs = graph.outputs().iter().copied();
                let output = outputs.find(|id| {
                    let value = graph.value(*id);
                    value.name == name && value.shape.dims().first() == Some(&rows)
                });
                output.ok_or(TaskError::Output { name, rows })
            })
            .collect()
    }

    /// Takes batches of [`Self::outputs`] apart.
    ///
    /// # Errors
    /// What candle says.
    pub fn samples(&self, outputs: &[Tensor]) -> Result<Vec<Sample>, TaskError> {
        let rows = |output: &Tensor| {
            let flat = output.to_dtype(DType::F32)?.flatten_from(1)?;
            flat.to_vec2::<f32>()
        };
        let outputs = outputs.iter().map(rows);
        let outputs: Vec<Vec<Vec<f32>>> = outputs.collect::<candle_core::Result<_>>()?;
        let images = outputs.first().map_or(0, Vec::len);
        let mut samples = vec![Sample::new(); images];
        for output in outputs {
            for (sample, values) in samples.iter_mut().zip(output) {
                sample.push(values);
            }
        }
        Ok(samples)
    }

    /// Returns what is found in an image that takes up `extent` (height and width) of the input, best first.
    pub fn decode(&self, sample: &[Vec<f32>], extent: [f64; 2]) -> Vec<Found> {
        let Detector {
            scoring, selection, ..
        } = self.detector;
        let columns = self.detector.classes.len();
        let extra = sample.get(2).map(Vec::as_slice);
        let scores = Scores::new(*scoring, &sample[0], extra, columns);
        let threshold = selection.score_threshold;
        let candidates = scores.candidates(selection.candidates, threshold, &self.levels);
        let boxes = candidates.iter().map(|candidate| {
            let edges = self.edges(candidate, &sample[1]);
            Scored {
                edges: if selection.clip {
                    clipped(edges, extent)
                } else {
                    edges
                },
                column: candidate.column,
                score: candidate.score,
            }
        });
        let kept = suppress(
            boxes.collect(),
            selection.nms_threshold,
            selection.detections,
        );
        let of_class = |scored: &Scored| {
            Some(Found {
                edges: scored.edges,
                class: self.detector.classes[scored.column]?,
                score: scored.score,
            })
        };
        kept.iter().filter_map(of_class).collect()
    }

    /// Returns where the regression says that a candidate is.
    fn edges(&self, candidate: &Candidate, regression: &[f32]) -> [f32; 4] {
        let anchor = self.anchors[candidate.anchor];
        let row = &regression[4 * candidate.anchor..][..4];
        let code = [row[0], row[1], row[2], row[3]];
        match self.detector.coding {
            Coding::Offsets(weights) => moved(anchor, code, weights),
            Coding::Distances => around(anchor, code),
        }
    }
}

/// Returns the anchors of a level, cell by cell.
fn laid_out(level: &Level) -> impl Iterator<Item = [f32; 4]> {
    let [rows, columns] = level.grid;
    let [down, right] = level.stride;
    let cells = (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)));
    cells.flat_map(move |(row, column)| {
        let (x, y) = (column as f32 * right, row as f32 * down);
        let moved = move |anchor: &[f32; 4]| {
            let [left, upper, right, lower] = *anchor;
            [left + x, upper + y, right + x, lower + y]
        };
        level.anchors.iter().map(moved)
    })
}

fn size([left, upper, right, lower]: [f32; 4]) -> [f32; 2] {
    [right - left, lower - upper]
}

/// Moves and stretches an anchor.
fn moved(anchor: [f32; 4], code: [f32; 4], weights: [f32; 4]) -> [f32; 4] {
    let side = size(anchor);
    let along = |axis: usize| {
        let center = anchor[axis] + 0.5 * side[axis];
        let center = code[axis] / weights[axis] * side[axis] + center;
        let stretch = (code[axis + 2] / weights[axis + 2]).min(STRETCH).exp();
        let half = 0.5 * stretch * side[axis];
        [center - half, center + half]
    };
    let ([left, right], [upper, lower]) = (along(0), along(1));
    [left, upper, right, lower]
}

/// Puts a box around the centre of an anchor.
fn around(anchor: [f32; 4], code: [f32; 4]) -> [f32; 4] {
    let side = size(anchor);
    let along = |axis: usize| {
        let center = 0.5 * (anchor[axis] + anchor[axis + 2]);
        [
            center - code[axis] * side[axis],
            center + code[axis + 2] * side[axis],
        ]
    };
    let ([left, right], [upper, lower]) = (along(0), along(1));
    [left, upper, right, lower]
}

/// Cuts a box at the edges of the image.
fn clipped(edges: [f32; 4], [height, width]: [f64; 2]) -> [f32; 4] {
    let limits = [width, height, width, height];
    std::array::from_fn(|i| edges[i].clamp(0.0, limits[i] as f32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Candidates, Selection};

    /// A 2x2 grid of cells of 10 pixels with a square anchor each; two classes and a background.
    fn detector(scoring: Scoring, coding: Coding) -> Detector {
        Detector {
            levels: vec![Level {
                grid: [2, 2],
                stride: [10.0, 10.0],
                anchors: vec![[2.0, 2.0, 8.0, 8.0]],
            }],
            coding,
            scoring,
            classes: vec![None, Some(0), Some(1)],
            selection: Selection {
                score_threshold: 0.3,
                candidates: Candidates::PerClass(10),
                nms_threshold: 0.5,
                detections: 10,
                clip: true,
            },
        }
    }

    #[test]
    fn anchors_lie_cell_by_cell() {
        let detector = detector(Scoring::Softmax, Coding::Distances);
        let decoder = Decoder::new(&detector);
        let corners: Vec<[f32; 2]> = decoder.anchors.iter().map(|a| [a[0], a[1]]).collect();
        assert_eq!(
            corners,
            [[2.0, 2.0], [12.0, 2.0], [2.0, 12.0], [12.0, 12.0]]
        );
    }

    #[test]
    fn offsets_move_and_stretch_and_are_cut_at_the_edges() {
        let detector = detector(Scoring::Softmax, Coding::Offsets([10.0, 10.0, 5.0, 5.0]));
        let decoder = Decoder::new(&detector);
        let mut logits = [9.0, 0.0, 0.0].repeat(4);
        // The second cell holds the second class: a half of its side to the right, twice as high.
        logits[3..6].copy_from_slice(&[0.0, 0.0, 5.0]);
        let mut regression = vec![0.0; 16];
        regression[4] = 5.0;
        regression[7] = 5.0 * 2f32.ln();
        let found = decoder.decode(&[logits, regression], [20.0, 19.0]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].class, 1);
        let expected = [15.0, 0.0, 19.0, 11.0];
        for (a, b) in found[0].edges.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{:?}", found[0].edges);
        }
        let score = 5f32.exp() / (5f32.exp() + 2.0);
        assert!((found[0].score - score).abs() < 1e-6);
    }

    #[test]
    fn distances_lie_around_the_centre() {
        let mut detector = detector(Scoring::Centerness, Coding::Distances);
        detector.selection.candidates = Candidates::PerLevel(1);
        let decoder = Decoder::new(&detector);
        let mut logits = vec![-9.0; 12];
        (logits[10], logits[1]) = (2.0, 1.0);
        let mut regression = vec![0.0; 16];
        regression[12..].copy_from_slice(&[0.5, 0.25, 0.5, 1.0]);
        let centerness = vec![3.0; 4];
        let found = decoder.decode(&[logits, regression, centerness], [20.0, 20.0]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].edges, [12.0, 13.5, 18.0, 20.0]);
        let score = (sigmoid(2.0) * sigmoid(3.0)).sqrt();
        assert!((found[0].score - score).abs() < 1e-6);
    }

    fn sigmoid(x: f32) -> f32 {
        1.0 / (1.0 + (-x).exp())
    }
}
