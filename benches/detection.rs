//! Detection without its network: from the outputs of an SSD to boxes, and the metrics of detections over as many images as
//! COCO's validation set has, with 100 detections each.
//!
//! `vs_torchvision.py` and `vs_pycocotools.py` beside this file time torchvision and pycocotools on the same numbers. What
//! comes out is printed first: both sides have to say the same.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ptsbench::data::{Annotation, Rect, Standing};
use ptsbench::metrics::{Detection, Detections, METRICS, Scene};
use ptsbench::models;
use ptsbench::tasks::detection::Decoder;

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

/// From the outputs of SSD300 for VOC, 8,732 anchors and 20 classes, to boxes: those of a network that is sure of the background in
/// most places, and of one that knows nothing, which keeps as many candidates as can be.
fn decoding(criterion: &mut Criterion) {
    let spec = "ssd300_vgg16(num_classes=21)".parse().unwrap();
    let model = models::build(&spec).unwrap();
    let detector = model.head.detector().unwrap();
    let decoder = Decoder::new(detector);
    let (anchors, columns) = (8_732_u64, detector.classes.len() as u64);
    let regression = (0..anchors).flat_map(|anchor| {
        let code = move |field| (noise(1, 0, 8 * anchor + field) - 0.5) as f32;
        (0..4).map(code)
    });
    let regression: Vec<f32> = regression.collect();
    let mut group = criterion.benchmark_group("boxes of SSD300");
    for (name, background) in [("sure", 7.0), ("unsure", 0.0)] {
        let logits = (0..anchors).flat_map(|anchor| {
            let of = move |field| noise(0, 0, 32 * anchor + field);
            // One anchor in a hundred sees something.
            let seen = (of(31) < 0.01).then(|| (1.0 + 20.0 * of(30)) as u64);
            (0..columns).map(move |column| {
                let sure = [background * f64::from(u8::from(column == 0)), 9.0];
                let sure = sure[usize::from(seen == Some(column))];
                (2.0 * of(column) + sure) as f32
            })
        });
        let sample = [logits.collect(), regression.clone()];
        let found = decoder.decode(&sample, [300.0, 300.0]);
        let scores: f64 = found.iter().map(|found| f64::from(found.score)).sum();
        println!("{name}: {} boxes, scores sum to {scores:.4}", found.len());
        group.bench_function(name, |bencher| {
            bencher.iter(|| decoder.decode(&sample, [300.0, 300.0]));
        });
    }
    group.finish();
}

criterion_group!(detection, decoding, metrics);
criterion_main!(detection);
