//! Every metric of detections: against its peer, against closed forms, and what has to hold whatever was found.

use super::*;
use crate::data::Standing::{self, Counts, Crowd, Difficult};
use crate::metrics::{METRICS, Metric};
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What peers measure on invented detections; `tests/reference/detection_metrics.py` made them and says what numbers mean.
#[derive(Deserialize)]
struct Reference {
    classes: usize,
    figures: BTreeMap<String, Figures>,
    scenes: Vec<Numbers>,
}

#[derive(Deserialize)]
struct Figures {
    whole: f64,
    classes: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Numbers {
    truth: Vec<f64>,
    found: Vec<f64>,
}

impl Numbers {
    fn scene(&self) -> Scene {
        let truth = self.truth.chunks_exact(7);
        let found = self.found.chunks_exact(6);
        Scene {
            truth: truth
                .map(|row| Annotation {
                    rect: rect(row[2..6].try_into().unwrap()),
                    class: row[0] as u32,
                    area: row[6],
                    standing: [Counts, Difficult, Crowd][row[1] as usize],
                })
                .collect(),
            found: found
                .map(|row| Detection {
                    rect: rect(row[2..].try_into().unwrap()),
                    class: row[0] as u32,
                    score: row[1],
                })
                .collect(),
        }
    }
}

fn rect([x, y, width, height]: [f64; 4]) -> Rect {
    Rect {
        x,
        y,
        width,
        height,
    }
}

fn collect(classes: usize, scenes: impl IntoIterator<Item = Scene>) -> Detections {
    let mut detections = Detections::new(classes);
    scenes.into_iter().for_each(|scene| detections.push(scene));
    detections
}

/// Returns the metrics of detections, in the order of the registry.
fn metrics() -> impl Iterator<Item = (&'static Metric, fn(&Detections) -> f64)> {
    let every = METRICS.iter();
    every.filter_map(|metric| Some((metric, metric.compute.detection()?)))
}

fn value(name: &str, detections: &Detections) -> f64 {
    METRICS.find(name).unwrap().compute.detection().unwrap()(detections)
}

/// Returns the same images with one class only.
fn only(class: u32, detections: &Detections) -> Detections {
    let scenes = detections.scenes().iter().cloned().map(|mut scene| {
        scene.found.retain(|found| found.class == class);
        scene.truth.retain(|truth| truth.class == class);
        scene
    });
    collect(detections.classes(), scenes)
}

fn assert_equal_the_peers(text: &str, expected_metrics: usize) {
    let reference: Reference = serde_json::from_str(text).unwrap();
    assert!(reference.scenes.len() >= 300);
    assert_eq!(reference.figures.len(), expected_metrics);
    let detections = collect(
        reference.classes,
        reference.scenes.iter().map(Numbers::scene),
    );
    for (name, figures) in &reference.figures {
        let gap = (value(name, &detections) - figures.whole).abs();
        assert!(gap < 1e-9, "{name} is {gap} off");
    }
    for class in 0..reference.classes {
        let one = only(class as u32, &detections);
        for (name, figures) in &reference.figures {
            let found = value(name, &one);
            let expected = figures.classes[class];
            let equal = expected.map_or(found.is_nan(), |e| (found - e).abs() < 1e-9);
            assert!(equal, "{name} of class {class}: {found}, not {expected:?}");
        }
    }
}

#[test]
fn figures_equal_those_of_pycocotools() {
    let text = include_str!("../../../tests/reference/detection_coco.json");
    assert_equal_the_peers(text, 6);
}

#[test]
fn figures_equal_those_of_voc_eval_and_respect_what_is_difficult() {
    let text = include_str!("../../../tests/reference/detection_voc.json");
    assert_equal_the_peers(text, 8);
}

#[test]
fn the_first_metric_leads() {
    let names: Vec<&str> = metrics().map(|(metric, _)| metric.name).collect();
    assert_eq!(names[0], "map");
    assert_eq!(names.len(), 8);
}

/// Things 100 pixels wide and high in a row, 200 apart, of these standings.
fn row(standings: &[Standing]) -> Vec<Annotation> {
    let thing = |(i, &standing): (usize, &Standing)| Annotation {
        rect: rect([200.0 * i as f64, 0.0, 100.0, 100.0]),
        class: 0,
        area: 1e4,
        standing,
    };
    standings.iter().enumerate().map(thing).collect()
}

/// Detections from best to worst: of which thing of a row, and how much of its width.
fn found(row: &[(usize, f64)]) -> Vec<Detection> {
    let one = |(rank, &(thing, share)): (usize, &(usize, f64))| Detection {
        rect: rect([200.0 * thing as f64, 0.0, 100.0 * share, 100.0]),
        class: 0,
        score: 1.0 - 0.01 * rank as f64,
    };
    row.iter().enumerate().map(one).collect()
}

#[test]
fn what_is_found_counts_by_the_standing_of_what_it_is() {
    let half = 100.0 * 51.0 / 101.0;
    for (standings, detections, map50, voc) in [
        (
            &[Counts, Counts][..],
            &[(0, 1.0), (1, 1.0)][..],
            100.0,
            100.0,
        ),
        // Finding the same thing again is wrong.
        (&[Counts, Counts], &[(0, 1.0), (0, 1.0)], half, 50.0),
        (&[Counts], &[(0, 0.9), (0, 1.0)], 100.0, 100.0),
        // One half is enough for COCO; with 50.5 of 101 pixels, it is too little for VOC.
        (&[Counts], &[(0, 0.5)], 100.0, 100.0),
        (&[Counts], &[(0, 0.495)], 0.0, 0.0),
        (&[Counts], &[(1, 1.0)], 0.0, 0.0),
        // Crowds and what is difficult may be found any number of times.
        (
            &[Crowd, Counts],
            &[(0, 1.0), (0, 1.0), (1, 1.0)],
            100.0,
            100.0,
        ),
        (
            &[Difficult, Counts],
            &[(0, 1.0), (0, 1.0), (1, 1.0)],
            100.0,
            100.0,
        ),
        // A part of a crowd is the crowd to COCO; a part of what is difficult is nothing.
        (&[Crowd, Counts], &[(0, 0.3), (1, 1.0)], 100.0, 50.0),
        (&[Difficult, Counts], &[(0, 0.3), (1, 1.0)], 50.0, 50.0),
        (&[Difficult, Crowd], &[(0, 1.0)], f64::NAN, f64::NAN),
    ] {
        let scene = Scene {
            found: found(detections),
            truth: row(standings),
        };
        let measured = collect(1, [scene]);
        for (name, expected) in [("map50", map50), ("voc-map", voc)] {
            let found = value(name, &measured);
            let equal = (found - expected).abs() < 1e-9 || found.is_nan() && expected.is_nan();
            assert!(equal, "{name} of {detections:?} in {standings:?}: {found}");
        }
    }
}

#[test]
fn where_there_is_nothing_to_be_found_values_are_not_numbers() {
    let nothing = Scene {
        found: found(&[(0, 1.0)]),
        truth: Vec::new(),
    };
    for (metric, compute) in metrics() {
        assert!(compute(&Detections::new(3)).is_nan(), "{}", metric.name);
        assert!(
            compute(&collect(3, [nothing.clone()])).is_nan(),
            "{}",
            metric.name
        );
    }
}

#[test]
fn broken_detections_and_unknown_classes_do_not_score() {
    let whole = found(&[(0, 1.0)])[0];
    for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let edges = [(0, broken), (1, broken), (2, broken), (3, broken)];
        let mut detections = vec![Detection { class: 1, ..whole }];
        detections.extend(edges.map(|(side, broken)| {
            let mut sides = [0.0, 0.0, 100.0, 100.0];
            sides[side] = broken;
            Detection {
                rect: rect(sides),
                ..whole
            }
        }));
        if broken.is_nan() {
            detections.push(Detection {
                score: broken,
                ..whole
            });
        }
        let scene = Scene {
            found: detections,
            truth: row(&[Counts]),
        };
        let measured = collect(1, [scene]);
        for name in ["map", "map50", "map-large", "voc-map", "voc-map11"] {
            assert_eq!(value(name, &measured), 0.0, "{name}: {broken}");
        }
    }
}

#[test]
fn images_that_come_later_count() {
    let scene = |detections: &[(usize, f64)]| Scene {
        found: found(detections),
        truth: row(&[Counts]),
    };
    let mut detections = collect(1, [scene(&[(0, 1.0)])]);
    assert_eq!(value("map", &detections), 100.0);
    detections.push(scene(&[]));
    assert!((value("map", &detections) - 5100.0 / 101.0).abs() < 1e-9);
}

/// The classes and places of different things in an image, on a grid coarse enough for overlaps.
type Places = BTreeSet<(u32, [u16; 4])>;

fn places() -> impl Strategy<Value = Places> {
    let sides = [0..8_u16, 0..8, 1..6, 1..6];
    prop::collection::btree_set((0..3_u32, sides), 0..8)
}

fn on_grid([x, y, width, height]: [u16; 4]) -> Rect {
    rect([x, y, width, height].map(|side| 20.0 * f64::from(side)))
}

/// An image in which places of the first kind are true and those of the second were found, scored later.
fn scene((truth, found): (Places, Places)) -> Scene {
    let truth = truth.into_iter().map(|(class, sides)| Annotation {
        rect: on_grid(sides),
        class,
        area: on_grid(sides).area(),
        standing: Counts,
    });
    let found = found.into_iter().map(|(class, sides)| Detection {
        rect: on_grid(sides),
        class,
        score: 0.0,
    });
    Scene {
        truth: truth.collect(),
        found: found.collect(),
    }
}

/// Gives each detection a score of its own.
fn score(scenes: &mut [Scene]) {
    let found = scenes.iter_mut().flat_map(|scene| &mut scene.found);
    for (i, found) in found.enumerate() {
        found.score = (7919 * (i + 1) % 10_007) as f64 / 10_007.0;
    }
}

fn scenes() -> impl Strategy<Value = Vec<Scene>> {
    let scene = (places(), places()).prop_map(scene);
    prop::collection::vec(scene, 1..8).prop_map(|mut scenes| {
        score(&mut scenes);
        scenes
    })
}

proptest! {
    #[test]
    fn who_finds_everything_has_all_points(truth in prop::collection::vec(places(), 1..8)) {
        let pairs = truth.into_iter().map(|places| (places.clone(), places));
        let mut scenes: Vec<Scene> = pairs.map(scene).collect();
        score(&mut scenes);
        let detections = collect(3, scenes);
        for (metric, compute) in metrics() {
            let value = compute(&detections);
            prop_assert!(value.is_nan() || (value - 100.0).abs() < 1e-9, "{}: {value}", metric.name);
        }
    }

    #[test]
    fn the_order_of_images_does_not_matter(
        (scenes, shuffled) in scenes().prop_flat_map(|s| (Just(s.clone()), Just(s).prop_shuffle())),
    ) {
        let [one, other] = [collect(3, scenes), collect(3, shuffled)];
        for (metric, compute) in metrics() {
            prop_assert_eq!(compute(&one).to_bits(), compute(&other).to_bits(), "{}", metric.name);
        }
    }

    #[test]
    fn mistakes_never_help(scenes in scenes(), class in 0..3_u32, score in 0.0..1.0_f64) {
        let before = collect(3, scenes);
        let mut after = before.clone();
        let far = rect([1e6, 1e6, 50.0, 50.0]);
        after.push(Scene {
            found: vec![Detection { rect: far, class, score }],
            truth: Vec::new(),
        });
        for (metric, compute) in metrics() {
            let [before, after] = [compute(&before), compute(&after)];
            let worse = after <= before || before.is_nan() && after.is_nan();
            prop_assert!(worse, "{}: {before}, then {after}", metric.name);
        }
    }
}
