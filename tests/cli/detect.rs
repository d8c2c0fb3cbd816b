//! `ptsbench detect` on pictures of which it is known what they show.

use super::{assert_fails, ptsbench, run, text};
use candle_core::Device;
use ptsbench::data::{Rect, Split};
use ptsbench::pipeline::{Allow, Engine};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const MODEL: &str = "ssd_resnet20";
const WEIGHTS: &str = "embedded:ssd_resnet20-fashion-mnist-detection";
const DETECTOR: [&str; 5] = ["detect", "--model", MODEL, "--weights", WEIGHTS];

/// What a picture shows: places and names.
type Things = Vec<(Rect, String)>;

/// Writes the first `count` test images of the embedded set, each into a folder of its own, and a file of the classes' names.
fn pictures(folder: &Path, count: usize) -> (Vec<(PathBuf, Things)>, PathBuf) {
    let engine = Engine::new(Device::Cpu, None);
    let data = "embedded:fashion-mnist-detection".parse().unwrap();
    let (model, weights) = (MODEL.parse().unwrap(), WEIGHTS.parse().unwrap());
    let subject = engine
        .subject(&model, &weights, Some(&data), Allow::Nothing)
        .unwrap();
    let dataset = subject.source().unwrap().dataset;
    let name = |class| dataset.class_name(class).unwrap().to_owned();
    let pictures = (0..count).map(|index| {
        let image = dataset.image(Split::Test, index).unwrap();
        let path = folder.join(format!("{index}/picture.png"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, image.to_png()).unwrap();
        let things = &dataset.test_labels().boxes().unwrap()[index];
        let things = things.iter().map(|thing| (thing.rect, name(thing.class)));
        (path, things.collect())
    });
    let pictures = pictures.collect();
    let classes: Vec<String> = (0..10).map(name).collect();
    let path = folder.join("classes.txt");
    fs::write(&path, classes.join("\n")).unwrap();
    (pictures, path)
}

fn edges(line: &Value) -> [f64; 4] {
    serde_json::from_value(line["box"].clone()).unwrap()
}

fn overlap(a: [f64; 4], b: [f64; 4]) -> f64 {
    let along = |axis: usize| (a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis])).max(0.0);
    let area = |e: [f64; 4]| (e[2] - e[0]) * (e[3] - e[1]);
    let both = along(0) * along(1);
    both / (area(a) + area(b) - both)
}

#[test]
fn what_pictures_show_is_found_named_and_drawn() {
    let folder = TempDir::new().unwrap();
    let (pictures, classes) = pictures(folder.path(), 8);
    let found = folder.path().join("found");
    let mut command = ptsbench(&DETECTOR);
    command.args(["--classes", text(&classes), "--output", text(&found)]);
    let output = command
        .args(pictures.iter().map(|(path, _)| path))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout.lines().count(), pictures.len());

    let documents = fs::read(found.join("detections.json")).unwrap();
    let documents: Vec<Value> = serde_json::from_slice(&documents).unwrap();
    let (mut all, mut right) = (0, 0);
    for (number, ((path, things), document)) in pictures.iter().zip(&documents).enumerate() {
        assert_eq!(document["image"], text(path));
        let lines = document["detections"].as_array().unwrap();
        let shows = |(rect, name): &&(Rect, String)| {
            let like =
                |line: &&Value| line["class"] == *name && overlap(edges(line), rect.edges()) > 0.7;
            lines.iter().any(|line| like(&line))
        };
        all += things.len();
        right += things.iter().filter(shows).count();
        let scores: Vec<f64> = lines.iter().map(|l| l["score"].as_f64().unwrap()).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");

        // All pictures have one name; what is drawn does not overwrite another.
        let name = match number {
            0 => "picture.png".to_owned(),
            _ => format!("picture-{}.png", number + 1),
        };
        let drawn = image::open(found.join(name)).unwrap().to_rgb8();
        let plain = image::open(path).unwrap().to_rgb8();
        let side = |side: &str| document[side].as_u64().unwrap() as u32;
        assert_eq!(plain.dimensions(), (side("width"), side("height")));
        assert_eq!(drawn == plain, lines.is_empty(), "{}", path.display());
    }
    // The detector finds 92.7 % of average precision at an overlap of one half.
    assert!(10 * right >= 8 * all, "{right} of {all} things were found");
}

#[test]
fn pictures_that_cannot_be_read_are_named_and_the_others_done() {
    let folder = TempDir::new().unwrap();
    let (pictures, _) = pictures(folder.path(), 1);
    let [bad, missing, found] =
        ["bad.png", "missing.png", "found"].map(|name| folder.path().join(name));
    fs::write(&bad, "no picture").unwrap();
    let good = text(&pictures[0].0);
    let arguments = [text(&bad), good, text(&missing), "--output", text(&found)];
    let (code, stdout, stderr) = run(&[&DETECTOR[..], &arguments].concat());
    assert_eq!(code, 1, "{stderr}");
    assert!(stdout.starts_with(good), "{stdout}");
    // Without names, classes have their numbers.
    assert!(stdout.contains(": class "), "{stdout}");
    for part in [
        text(&bad),
        text(&missing),
        "2 of 3 images could not be read",
    ] {
        assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
    }
    let documents = fs::read(found.join("detections.json")).unwrap();
    let documents: Vec<Value> = serde_json::from_slice(&documents).unwrap();
    assert_eq!(documents.len(), 1);
}

#[test]
fn what_has_no_boxes_is_refused() {
    let folder = TempDir::new().unwrap();
    let (pictures, _) = pictures(folder.path(), 1);
    let found = folder.path().join("found");
    let rest = [text(&pictures[0].0), "--output", text(&found)];
    let classifier = [&["detect"][..], &super::SUBJECT, &rest].concat();
    assert_fails(&classifier, 2, &["no boxes", "expected a detector"]);
    assert!(!found.exists());

    let names = folder.path().join("names");
    let unnamed = [&DETECTOR[..], &rest, &["--classes", text(&names)]].concat();
    assert_fails(&unnamed, 3, &[text(&names), "cannot be read"]);

    let eval = ["eval", "--model", MODEL, "--weights", WEIGHTS];
    let eval = [&eval[..], &super::DATA].concat();
    assert_fails(&eval, 3, &["detection needs boxes in each image"]);
}
