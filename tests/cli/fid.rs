//! `ptsbench fid` with the embedded classifier.

use super::{assert_fails, json, run, text};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const CLASSIFIER: [&str; 4] = [
    "--model",
    "resnet20",
    "--weights",
    "embedded:resnet20-fashion-mnist",
];

/// Writes pictures of noise, all of a size of their own, whose levels lie around `level`.
fn pictures(folder: &Path, name: &str, level: u32) -> PathBuf {
    let folder = folder.join(name);
    fs::create_dir_all(folder.join("deeper")).unwrap();
    for number in 0..6_u32 {
        let pixel = |x: u32, y: u32| {
            let noise = (x * x * 7 + y * y * 13 + x * y * 3 + 91 * number) % 60;
            image::Luma([(level + noise) as u8])
        };
        let side = 20 + 7 * number;
        let place = ["", "deeper"][number as usize % 2];
        let path = folder.join(place).join(format!("{number}.png"));
        image::GrayImage::from_fn(side, side + 3, pixel)
            .save(path)
            .unwrap();
    }
    folder
}

fn distance(a: &Path, b: &Path, options: &[&str]) -> Value {
    let fixed = ["fid", text(a), text(b), "--format", "json"];
    json(&[&fixed[..], options].concat())
}

#[test]
fn sets_are_as_far_apart_as_their_statistics() {
    let folder = TempDir::new().unwrap();
    let (dark, light) = (
        pictures(folder.path(), "dark", 10),
        pictures(folder.path(), "light", 150),
    );
    let found = distance(&dark, &light, &CLASSIFIER);
    // It is not the Inception network's, and is not called so.
    assert_eq!(found["metric"], "frechet");
    assert_eq!(found["sets"][0]["pictures"], 6);
    let apart = found["distance"].as_f64().unwrap();
    assert!(apart > 1.0, "{apart}");
    let itself = distance(&dark, &dark, &CLASSIFIER)["distance"]
        .as_f64()
        .unwrap();
    assert!(itself.abs() < 1e-9 * apart, "{itself}");

    let batches = [&CLASSIFIER[..], &["--batch-size", "1"]].concat();
    let again = distance(&dark, &light, &batches)["distance"]
        .as_f64()
        .unwrap();
    assert!((again / apart - 1.0).abs() < 1e-6, "{again} and {apart}");

    let files = [&dark, &light].map(|set| {
        let file = set.with_extension("npz");
        let save = [&["fid", text(set), "--save", text(&file)], &CLASSIFIER[..]].concat();
        let (code, stdout, stderr) = run(&save);
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains("(6 pictures)"), "{stdout}");
        file
    });
    let kept = distance(&files[0], &files[1], &[])["distance"]
        .as_f64()
        .unwrap();
    assert!((kept / apart - 1.0).abs() < 1e-9, "{kept} and {apart}");
    let unet = super::sample::checkpoint(&folder);
    let draw = [
        "--generator",
        "ddpm_micro_28",
        "--generator-weights",
        text(&unet),
    ];
    let fid = |count: &'static str| {
        let fixed = [
            "fid",
            text(&files[0]),
            "--format",
            "json",
            "--steps",
            "2",
            "--count",
            count,
        ];
        json(&[&fixed[..], &draw, &CLASSIFIER].concat())
    };
    let drawn = fid("5");
    assert_eq!(drawn["sets"][1]["pictures"], 5);
    let pictures = folder.path().join("drawn");
    let grid = folder.path().join("grid.png");
    let mut sample = vec![
        "sample",
        "--model",
        "ddpm_micro_28",
        "--weights",
        text(&unet),
    ];
    sample.extend(["--count", "5", "--steps", "2", "--output", text(&grid)]);
    sample.extend(["--images", text(&pictures)]);
    assert_eq!(run(&sample).0, 0);
    let saved = distance(&files[0], &pictures, &CLASSIFIER)["distance"]
        .as_f64()
        .unwrap();
    let drawn = drawn["distance"].as_f64().unwrap();
    assert!((drawn / saved - 1.0).abs() < 1e-6, "{drawn} and {saved}");

    let mixed = distance(&files[0], &light, &CLASSIFIER)["distance"]
        .as_f64()
        .unwrap();
    assert!((mixed / apart - 1.0).abs() < 1e-9, "{mixed} and {apart}");
}

#[test]
fn sets_that_cannot_be_compared_say_why() {
    let folder = TempDir::new().unwrap();
    let set = pictures(folder.path(), "set", 10);
    let fid = |b: &Path| -> Vec<String> {
        let arguments = [&["fid", text(&set), text(b)], &CLASSIFIER[..]].concat();
        arguments.into_iter().map(str::to_owned).collect()
    };
    let fails = |b: &Path, code: i32, parts: &[&str]| {
        let arguments = fid(b);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_fails(&arguments, code, parts);
    };
    assert_fails(&["fid", text(&set), text(&set)], 2, &["--weights"]);
    assert_fails(&["fid", text(&set)], 2, &["<B>"]);
    let one = folder.path().join("one");
    fs::create_dir(&one).unwrap();
    fs::copy(set.join("0.png"), one.join("0.png")).unwrap();
    fails(&one, 3, &["1 images, expected at least 2"]);
    fails(&folder.path().join("missing"), 3, &["missing"]);
    let narrow = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/statistics.npz");
    fails(&narrow, 3, &["2 features, expected 64"]);
    let broken = folder.path().join("broken.npz");
    fs::write(&broken, "no archive").unwrap();
    fails(&broken, 3, &[text(&broken)]);

    fs::write(set.join("bad.png"), "no picture").unwrap();
    let arguments = fid(&set);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (code, stdout, stderr) = run(&arguments);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("6 pictures, 1 left out"), "{stdout}");
    assert!(stderr.contains("bad.png"), "{stderr}");
}
