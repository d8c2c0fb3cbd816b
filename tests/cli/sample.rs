//! `ptsbench sample`, and `forward` of what it samples from, on a network whose weights say nothing.

use super::{assert_fails, ptsbench, run, text};
use candle_core::{Device, Tensor};
use ptsbench::graph::Weights;
use ptsbench::models::{self, Model};
use ptsbench::weights::{Checkpoint, write_safetensors};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const MODEL: &str = "ddpm_micro_28";

/// Numbers between -1 and 1.
fn noise(seed: usize, shape: &[usize]) -> Tensor {
    let value = |i: usize| ((i * 2_654_435_761 + seed * 40_503) % 1013) as f32 / 506.5 - 1.0;
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn tensors(model: &Model) -> Vec<(&str, Tensor)> {
    let params = model.graph.params().enumerate();
    let tensors = params.map(|(seed, (_, param))| {
        let fan_in: usize = param.shape.iter().skip(1).product();
        let tensor = (noise(seed, &param.shape) / (fan_in as f64).sqrt()).unwrap();
        (param.name.as_str(), tensor)
    });
    tensors.collect()
}

fn save(path: &Path, tensors: &[(&str, Tensor)]) {
    let pairs = tensors.iter().map(|(name, tensor)| (*name, tensor));
    write_safetensors(path, pairs, &BTreeMap::new()).unwrap();
}

/// Writes a checkpoint.
pub(super) fn checkpoint(folder: &TempDir) -> PathBuf {
    let model = models::build(&MODEL.parse().unwrap()).unwrap();
    let path = folder.path().join("unet.safetensors");
    save(&path, &tensors(&model));
    path
}

#[test]
fn pictures_depend_on_the_seed_and_their_number_alone() {
    let folder = TempDir::new().unwrap();
    let weights = checkpoint(&folder);
    let draw = |name: &str, threads: &str, options: &[&str]| {
        let grid = folder.path().join(name);
        let mut command = ptsbench(&["sample", "--model", MODEL, "--weights", text(&weights)]);
        command.args(["--count", "5", "--steps", "3", "--output", text(&grid)]);
        let output = command
            .args(options)
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        image::open(grid).unwrap().to_luma8()
    };
    let pictures = folder.path().join("pictures");
    let one = draw("a.png", "1", &["--images", text(&pictures)]);
    // Three columns and two rows of 28 pixels, two pixels around each.
    assert_eq!(one.dimensions(), (3 * 30 + 2, 2 * 30 + 2));
    assert_eq!(one, draw("b.png", "2", &["--batch-size", "2"]));
    let other = draw("c.png", "2", &["--seed", "1"]);
    assert_ne!(one, other);
    assert_ne!(one, draw("d.png", "2", &["--sampler", "ddpm"]));
    assert_eq!(
        draw("e.png", "1", &["--sampler", "ddim(eta=1)"]),
        draw(
            "f.png",
            "2",
            &["--sampler", "ddim(eta=1)", "--batch-size", "3"]
        )
    );

    let mut names: Vec<_> = fs::read_dir(&pictures)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    names.sort();
    assert_eq!(names.len(), 5);
    let last = image::open(names.last().unwrap()).unwrap().to_luma8();
    let tile = image::imageops::crop_imm(&one, 32, 32, 28, 28).to_image();
    assert_eq!(tile, last);
}

#[test]
fn forward_takes_time_steps() {
    let folder = TempDir::new().unwrap();
    let weights = checkpoint(&folder);
    let [input, output] = ["x", "y"].map(|name| folder.path().join(format!("{name}.safetensors")));
    let images = noise(7, &[2, 1, 28, 28]);
    let times = Tensor::new(&[3_i64, 700], &Device::Cpu).unwrap();
    let mut arguments = vec!["forward", "--model", MODEL, "--weights", text(&weights)];
    arguments.extend(["--input", text(&input), "--output", text(&output)]);

    save(&input, &[("input", images.clone()), ("timestep", times)]);
    let (code, _, stderr) = run(&arguments);
    assert_eq!(code, 0, "{stderr}");
    let model = models::build(&MODEL.parse().unwrap()).unwrap();
    let graph = &model.graph;
    let bound = tensors(&model)
        .into_iter()
        .map(|(_, tensor)| tensor)
        .collect();
    let bound = Weights::new(graph, bound).unwrap();
    let times = Tensor::new(&[3f32, 700.0], &Device::Cpu).unwrap();
    let given = graph.inputs().iter().copied().zip([images.clone(), times]);
    let expected = graph
        .run(&bound, &given.collect::<Vec<_>>(), graph.outputs())
        .unwrap();
    let found = Checkpoint::read(&output).unwrap();
    let gap = (&found.tensors()["output"] - &expected[0])
        .unwrap()
        .abs()
        .unwrap();
    assert!(gap.max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-6);

    save(&input, &[("input", images.clone())]);
    assert_fails(&arguments, 3, &[text(&input), "has no tensor `timestep`"]);
    let one = Tensor::new(&[3f32], &Device::Cpu).unwrap();
    save(&input, &[("input", images), ("timestep", one)]);
    let shapes = "has a `timestep` of shape [1], expected [2]";
    assert_fails(&arguments, 3, &[shapes]);
}

#[test]
fn what_cannot_draw_is_refused() {
    let folder = TempDir::new().unwrap();
    let weights = checkpoint(&folder);
    let grid = folder.path().join("grid.png");
    let draw = ["sample", "--model", MODEL, "--weights", text(&weights)];
    let draw = [&draw[..], &["--output", text(&grid)]].concat();
    let with = |options: &[&'static str]| [&draw[..], options].concat();
    let many = "1001 sampling steps, expected at most the 1000";
    assert_fails(&with(&["--steps", "1001"]), 2, &[many]);
    let unknown = ["unknown sampler `dpm`", "did you mean `ddpm`"];
    assert_fails(&with(&["--sampler", "dpm"]), 2, &unknown);
    let bad = ["ddim(steps=\"x\")"];
    assert_fails(&with(&["--sampler", bad[0]]), 2, &["sampler"]);
    let classifier = [&["sample"][..], &super::SUBJECT, &["--output", text(&grid)]].concat();
    assert_fails(&classifier, 2, &["expected a diffusion model"]);
    assert!(!grid.exists());
}

#[test]
fn a_generator_is_sparsified_and_measured() {
    let folder = TempDir::new().unwrap();
    let weights = checkpoint(&folder);
    let sparse = folder.path().join("sparse.safetensors");
    let subject = ["--model", MODEL, "--data", "embedded:fashion-mnist"];
    let options = [
        "--task",
        "generation(steps=2)",
        "--limit",
        "4",
        "--format",
        "json",
    ];
    let mut arguments = [
        &["sparsify", "--weights", text(&weights)][..],
        &subject,
        &options,
    ]
    .concat();
    arguments.extend([
        "--allocator",
        "fcpts:erk(iterations=2)",
        "--sparsity",
        "0.5",
    ]);
    arguments.extend([
        "--reconstruction",
        "block-sparse-none-adam,net-sparse-none-adam",
    ]);
    arguments.extend([
        "--iterations",
        "2",
        "--calibration",
        "8",
        "--batch-size",
        "4",
    ]);
    arguments.extend(["--output", text(&sparse)]);
    let record = super::json(&arguments);
    assert_eq!(record["task"], "generation(steps=2)");
    let metrics = &record["metrics"];
    assert_eq!(metrics["drift"]["dense"], 0.0);
    assert!(metrics["drift"]["sparse"].as_f64().unwrap() > 0.0);
    // Weights that say nothing are learned from and rebuilt like any others.
    assert_eq!(
        record["evidence"]["learning"]["losses"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert!(record["units"].as_array().unwrap().len() > 10);

    let eval = [
        &["eval", "--weights", text(&sparse)][..],
        &subject,
        &options,
    ]
    .concat();
    let measured = super::json(&eval);
    let (found, expected) = (
        measured["metrics"]["frechet-embedded"].as_f64().unwrap(),
        metrics["frechet-embedded"]["sparse"].as_f64().unwrap(),
    );
    assert!(
        (found / expected - 1.0).abs() < 1e-4,
        "{found} and {expected}"
    );

    let wrong = [
        &["eval", "--weights", text(&sparse), "--task", "detection"][..],
        &subject,
    ]
    .concat();
    assert_fails(
        &wrong,
        2,
        &["is for the task `generation`, not for `detection`"],
    );
}
