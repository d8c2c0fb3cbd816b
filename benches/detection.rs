//! The metrics of detections over as many images as COCO's validation set has, with 100 detections each.
//!
//! `vs_pycocotools.py` beside this file times pycocotools on the same detections. The average precision is printed first:
//! both sides have to say the same.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ptsbench::data::{Annotation, Rect, Standing};
use ptsbench::metrics::{Detection, Detections, METRICS, Scene};

const IMAGES: u64 = 5_000;
const CLASSES: u64 = 80;
const TRUE: u64 = 7;
const FOUND: u64 = 100;

/// Returns a number from 0 to 1 for each field of each thing of an image, by `SplitMix64`.
fn noise(image: u64, thing: u64, field: u64) -> f64 {
    let index = (image * 128 + thing) * 8 + field;
    let mut z = (index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// What there is in an image is of few classes; most detections are of them too, and the first ones near something.
fn truth(image: u64, thing: u64) -> Annotation {
    let of = |field| noise(image, 100 + thing, field);
    let side = |noise: f64| 10.0 + 240.0 * noise * noise;
    let rect = Rect {
        x: 400.0 * of(1),
        y: 300.0 * of(2),
        width: side(of(3)),
        height: side(of(4)),
    };
    let crowd = image.is_multiple_of(10) && thing + 1 == TRUE;
    Annotation {
        rect,
        class: class(image, 3.0 * of(0)),
        area: rect.area(),
        standing: [Standing::Counts, Standing::Crowd][usize::from(crowd)],
    }
}

fn class(image: u64, offset: f64) -> u32 {
    ((13 * image + offset as u64) % CLASSES) as u32
}

fn found(image: u64, thing: u64) -> Detection {
    let of = |field| noise(image, thing, field);
    if thing < 3 * TRUE {
        let near = truth(image, thing % TRUE);
        let Rect {
            x,
            y,
            width,
            height,
        } = near.rect;
        let rect = Rect {
            x: x + 0.3 * width * (of(1) - 0.5),
            y: y + 0.3 * height * (of(2) - 0.5),
            width: width * (0.85 + 0.3 * of(3)),
            height: height * (0.85 + 0.3 * of(4)),
        };
        let score = of(5);
        return Detection {
            rect,
            class: near.class,
            score,
        };
    }
    let rect = Rect {
        x: 400.0 * of(1),
        y: 300.0 * of(2),
        width: 10.0 + 200.0 * of(3),
        height: 10.0 + 200.0 * of(4),
    };
    let (class, score) = (class(image, 10.0 * of(0)), 0.5 * of(5));
    Detection { rect, class, score }
}

fn detections() -> Detections {
    let mut detections = Detections::new(CLASSES as usize);
    for image in 0..IMAGES {
        detections.push(Scene {
            found: (0..FOUND).map(|thing| found(image, thing)).collect(),
            truth: (0..TRUE).map(|thing| truth(image, thing)).collect(),
        });
    }
    detections
}

/// What is computed once for several metrics is computed anew each time.
fn metrics(criterion: &mut Criterion) {
    let detections = detections();
    let mut group = criterion.benchmark_group("detections of 5,000 images");
    group.sample_size(10);
    for name in ["map", "voc-map"] {
        let compute = METRICS.find(name).unwrap().compute.detection().unwrap();
        println!("{name} is {:.9}", compute(&detections.clone()));
        group.bench_function(name, |bencher| {
            let fresh = || detections.clone();
            bencher.iter_batched(fresh, |d| compute(&d), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(detection, metrics);
criterion_main!(detection);
