//! The program as a user meets it: exit codes, messages, files.
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be unwrapped fails the test"
)]

mod detect;
mod fid;
#[cfg(unix)]
mod folders;
#[cfg(unix)]
mod kills;
mod merge;
mod numbers;
mod report;
mod sample;

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const WEIGHTS: &str = "embedded:vit_micro_patch4_28-fashion-mnist";
const SUBJECT: [&str; 4] = ["--model", "vit_micro_patch4_28", "--weights", WEIGHTS];
const DATA: [&str; 2] = ["--data", "embedded:fashion-mnist"];

fn ptsbench(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("ptsbench"));
    command.args(arguments);
    command
}

/// Runs the program; returns its exit code, stdout and stderr.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = ptsbench(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

fn json(arguments: &[&str]) -> Value {
    let (code, stdout, stderr) = run(arguments);
    assert_eq!(code, 0, "{arguments:?}: {stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// Fails with this code and a message that holds all of `parts`.
fn assert_fails(arguments: &[&str], expected: i32, parts: &[&str]) {
    let (code, stdout, stderr) = run(arguments);
    assert_eq!(code, expected, "{arguments:?}: {stderr}");
    assert!(stdout.is_empty(), "{arguments:?}: {stdout}");
    for part in parts {
        assert!(
            stderr.contains(part),
            "{arguments:?}: `{part}` is not in: {stderr}"
        );
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A suite of masked cases on few images: none takes a second.
fn suite(folder: &TempDir, allocators: &str, extra: &str) -> PathBuf {
    let path = folder.path().join("small.toml");
    let content = format!(
        r#"
        description = "a test"
        [settings]
        limit = 100
        calibration = 16
        iterations = 4
        batch_size = 8
        [[subjects]]
        model = "vit_micro_patch4_28"
        weights = "{WEIGHTS}"
        data = "embedded:fashion-mnist"
        [[sections]]
        name = "only"
        allocators = [{allocators}]
        reconstructions = ["none", "single-sparse-none-exact"]
        sparsities = [0.5, 0.8]
        {extra}
        "#
    );
    fs::write(&path, content).unwrap();
    path
}

fn records(reports: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(reports.join("results")).sort_by_file_name();
    files
        .into_iter()
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| {
            path.extension().is_some_and(|e| e == "json") && !path.ends_with("summary.json")
        })
        .collect()
}

/// A record without what differs from run to run.
fn lasting(path: &Path) -> Value {
    let mut record: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    for unit in record["units"].as_array_mut().unwrap() {
        unit["seconds"] = Value::Null;
    }
    for field in ["seconds", "peak_rss_bytes", "environment"] {
        record[field] = Value::Null;
    }
    record
}

#[test]
fn help_and_version_work() {
    for arguments in [&["--help"][..], &["--version"], &["sparsify", "--help"]] {
        let (code, stdout, _) = run(arguments);
        assert_eq!(code, 0);
        assert!(stdout.contains("ptsbench"), "{stdout}");
    }
}

#[test]
fn help_tells_every_technique() {
    let (_, help, _) = run(&["sparsify", "--help"]);
    let registered = ptsbench::allocate::ALLOCATORS
        .names()
        .chain(ptsbench::reconstruct::SOLVERS.names())
        .chain(ptsbench::data::AUGMENTATIONS.names());
    for name in registered {
        assert!(help.contains(&format!("\n  {name} ")), "{name}: {help}");
    }
}

#[test]
fn lists_have_their_documented_shape() {
    let models = json(&["models", "--format", "json"]);
    let fields = [
        "name",
        "family",
        "task",
        "parameters",
        "macs",
        "prunable_layers",
        "blocks",
        "input",
        "card",
    ];
    for field in fields {
        assert!(!models[0][field].is_null(), "{field}");
    }
    let resnet18 = models.as_array().unwrap().iter();
    let mut resnet18 = resnet18.filter(|model| model["name"] == "resnet18");
    assert_eq!(
        resnet18.next().unwrap()["card"].to_string(),
        r#"{"source":"https://download.pytorch.org/models/resnet18-f37072fd.pth","license":"BSD-3-Clause","preprocessing":{"resize":256,"crop":224,"interpolation":"bilinear","mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]}}"#
    );
    let cases = json(&["list", "--suite", "default", "--format", "json"]);
    assert!(cases.as_array().unwrap().len() > 40);
    let absent = json(&[
        "list",
        "--suite",
        "experiments/uniform-vs-erk",
        "--format",
        "json",
    ]);
    let reason = absent[0]["ignored"].as_str().unwrap();
    assert!(reason.contains("PTSBENCH_WEIGHTS"), "{reason}");
    let graph = json(&["describe", "resnet20", "--format", "json"]);
    assert_eq!(graph["prunable"].as_array().unwrap().len(), 20);
    assert_eq!(graph["units"]["block"].as_array().unwrap().len(), 11);
}

#[test]
fn an_allocation_meets_its_target() {
    let mut arguments = vec![
        "allocate",
        "--allocator",
        "erk(power=0.5)",
        "--sparsity",
        "0.8",
    ];
    arguments.extend(SUBJECT);
    arguments.extend(["--format", "json"]);
    let allocation = json(&arguments);
    let layers = allocation["layers"].as_array().unwrap();
    let sum = |field: &str| {
        layers
            .iter()
            .map(|l| l[field].as_f64().unwrap())
            .sum::<f64>()
    };
    assert_eq!(allocation["allocator"], "erk(power=0.5)");
    assert!((sum("pruned") / sum("numel") - 0.8).abs() < 1e-3);
    assert_eq!(
        allocation["sparsity"]["achieved"],
        sum("pruned") / sum("numel")
    );
}

#[test]
fn a_sparsified_checkpoint_evaluates_to_what_its_record_says() {
    let folder = TempDir::new().unwrap();
    let sparse = folder.path().join("sparse.safetensors");
    let mut arguments = vec!["sparsify", "--allocator", "lamp", "--sparsity", "0.8"];
    arguments.extend([
        "--reconstruction",
        "single-sparse-none-exact",
        "--calibration",
        "32",
    ]);
    arguments.extend([
        "--limit",
        "200",
        "--format",
        "json",
        "--output",
        text(&sparse),
    ]);
    // A network with batch norms, which are folded and come back as shifts.
    arguments.extend([
        "--model",
        "resnet20",
        "--weights",
        "embedded:resnet20-fashion-mnist",
    ]);
    arguments.extend(DATA);
    let record = json(&arguments);
    let evaluation = json(&[
        "eval",
        "--model",
        "resnet20",
        "--weights",
        text(&sparse),
        DATA[0],
        DATA[1],
        "--limit",
        "200",
        "--format",
        "json",
    ]);
    assert_eq!(evaluation["samples"], 200);
    for metric in ["top1", "top5"] {
        assert_eq!(
            evaluation["metrics"][metric],
            record["metrics"][metric]["sparse"]
        );
    }
    let file = ptsbench::weights::Checkpoint::read(&sparse).unwrap();
    let embedded = "embedded:resnet20-fashion-mnist".parse::<ptsbench::weights::WeightsSpec>();
    let names = |c: &ptsbench::weights::Checkpoint| c.tensors().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&file), names(&embedded.unwrap().load().unwrap()));
    for layer in record["layers"].as_array().unwrap() {
        let weight = &file.tensors()[&format!("{}.weight", layer["name"].as_str().unwrap())];
        let zeros = weight.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let zeros = zeros.iter().filter(|w| **w == 0.0).count() as u64;
        assert_eq!(zeros, layer["pruned"].as_u64().unwrap(), "{layer}");
    }
    assert_fails(&arguments, 3, &["exists", "--force"]);
}

#[test]
fn forward_writes_one_output() {
    let folder = TempDir::new().unwrap();
    let (input, output) = (
        folder.path().join("x.safetensors"),
        folder.path().join("y.safetensors"),
    );
    let device = candle_core::Device::Cpu;
    let zeros =
        candle_core::Tensor::zeros((2, 1, 28, 28), candle_core::DType::F32, &device).unwrap();
    let write = |name, path: &Path| {
        let metadata = std::collections::BTreeMap::new();
        ptsbench::weights::write_safetensors(path, [(name, &zeros)], &metadata).unwrap();
    };
    write("input", &input);
    let mut arguments = vec![
        "forward",
        "--input",
        text(&input),
        "--output",
        text(&output),
    ];
    arguments.extend(SUBJECT);
    assert_eq!(run(&arguments).0, 0);
    let file = ptsbench::weights::Checkpoint::read(&output).unwrap();
    assert_eq!(file.tensors()["output"].dims(), [2, 10]);
    write("image", &input);
    assert_fails(&arguments, 3, &["has no tensor `input`"]);
}

#[test]
fn bad_names_and_numbers_are_wrong_usage() {
    let with = |changes: &[&'static str]| {
        let mut arguments = vec!["sparsify", "--output", "/nowhere/sparse.safetensors"];
        arguments.extend(SUBJECT);
        arguments.extend(DATA);
        arguments.extend(changes);
        arguments
    };
    let good = ["--reconstruction", "none", "--allocator"];
    for (allocator, sparsity, parts) in [
        (
            "lampp",
            "0.5",
            ["unknown allocator `lampp`", "did you mean `lamp`"],
        ),
        (
            "erk(pow=1)",
            "0.5",
            ["bad parameters in `erk(pow=1)`", "unknown field `pow`"],
        ),
        ("erk", "1.0", ["invalid value '1.0'", "[0, 1)"]),
        ("erk", "-0.1", ["'-0'", "--sparsity"]),
        ("erk", "nan", ["invalid value 'nan'", "[0, 1)"]),
    ] {
        let mut arguments = with(&good);
        arguments.extend([allocator, "--sparsity", sparsity]);
        let (code, _, stderr) = run(&arguments);
        assert_eq!(code, 2, "{stderr}");
        if sparsity != "-0.1" {
            assert!(parts.iter().all(|part| stderr.contains(part)), "{stderr}");
        }
    }
    let mut arguments = with(&[
        "--allocator",
        "erk",
        "--sparsity",
        "0.5",
        "--reconstruction",
    ]);
    arguments.push("blok-sparse-none-adam");
    assert_fails(
        &arguments,
        2,
        &["unknown granularity `blok`", "did you mean `block`"],
    );
    assert_fails(
        &["describe", "resnet21"],
        2,
        &["unknown model `resnet21`", "`resnet20`"],
    );
    assert_fails(
        &["frobnicate", "x", "--suite", "nosuch"],
        3,
        &["unknown suite `nosuch`"],
    );
    assert_fails(&["lst"], 2, &["no case contains `lst`", "ptsbench list"]);
    let mut gpu = vec!["eval", "--device", "cuda:7"];
    gpu.extend(SUBJECT);
    gpu.extend(DATA);
    assert_fails(&gpu, 3, &["`cuda:7` cannot be used"]);
}

#[test]
fn unusable_checkpoints_and_data_are_named() {
    let folder = TempDir::new().unwrap();
    let cut = folder.path().join("cut.safetensors");
    let whole = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("assets/checkpoints/resnet20-fashion-mnist.safetensors");
    let bytes = fs::read(whole).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let eval = |weights: &str, data: &str, code, parts: &[&str]| {
        let arguments = [
            "eval",
            "--model",
            "resnet20",
            "--weights",
            weights,
            "--data",
            data,
        ];
        assert_fails(&arguments, code, parts);
    };
    let images = "embedded:fashion-mnist";
    eval(text(&cut), images, 3, &["cut.safetensors"]);
    eval("/nowhere/x.pth", images, 3, &["/nowhere/x.pth"]);
    eval(
        WEIGHTS,
        images,
        3,
        &["does not fit", "missing", "left over", "`conv1.weight`"],
    );
    let good = "embedded:resnet20-fashion-mnist";
    eval(good, "cifar10:/nowhere", 3, &["/nowhere"]);
    fs::write(folder.path().join("test_batch.bin"), vec![0; 3073 * 2 + 5]).unwrap();
    fs::write(folder.path().join("data_batch_1.bin"), vec![0; 3073]).unwrap();
    let data = format!("cifar10:{}", text(folder.path()));
    eval(good, &data, 3, &["test_batch.bin"]);
    assert_fails(
        &[
            "eval",
            "--model",
            "resnet20",
            "--weights",
            good,
            "--data",
            "cifar11:x",
        ],
        2,
        &["unknown data format `cifar11`", "`cifar10`"],
    );
}

/// A folder of grey noise: one image for calibration, six test images, and a file called an image in each.
fn pictures() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut files = vec!["train/a.png".to_owned()];
    files.extend((0..6).map(|i| format!("val/{}/{i}.png", i % 3)));
    for (seed, file) in files.iter().enumerate() {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let noise =
            |x: u32, y: u32| image::Luma([(x * x * 7 + y * y * 13 + 91 * seed as u32) as u8]);
        image::GrayImage::from_fn(50, 37, noise).save(path).unwrap();
    }
    for file in ["train/b.jpg", "val/1/bad.jpg"] {
        fs::write(folder.path().join(file), "no image").unwrap();
    }
    folder
}

#[test]
fn images_that_cannot_be_read_are_left_out_and_named() {
    let folder = pictures();
    let data = format!("imagefolder:{}", text(folder.path()));
    let mut eval = vec!["eval", "--data", &data];
    eval.extend(SUBJECT);
    let (code, stdout, stderr) = run(&eval);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("on 6 samples of"), "{stdout}");
    assert!(stdout.trim().ends_with(", 1 left out"), "{stdout}");
    let bad = folder.path().join("val/1/bad.jpg");
    let named = format!("left out: cannot read image `{}`: ", bad.display());
    assert!(stderr.contains(&named), "{stderr}");
    eval.extend(["--format", "json"]);
    let evaluation = json(&eval);
    assert_eq!([&evaluation["samples"], &evaluation["skipped"]], [6, 1]);
    eval.push("--strict");
    assert_fails(&eval, 3, &["cannot read image", text(&bad)]);

    let sparse = folder.path().join("sparse.safetensors");
    let mut sparsify = vec!["sparsify", "--data", &data, "--output", text(&sparse)];
    sparsify.extend(SUBJECT);
    sparsify.extend([
        "--allocator",
        "erk",
        "--sparsity",
        "0.5",
        "--format",
        "json",
    ]);
    sparsify.extend(["--reconstruction", "single-sparse-none-exact"]);
    let (one, two) = (
        [&sparsify[..], &["--calibration", "1"]].concat(),
        [&sparsify[..], &["--calibration", "2"]].concat(),
    );
    assert_fails(
        &two,
        1,
        &["1 of 2 calibration images cannot be read", "b.jpg"],
    );
    // The seed that draws the bad image first.
    let notes: Vec<Value> = (0..8)
        .map(|seed| seed.to_string())
        .map(|seed| json(&[&one[..], &["--force", "--seed", &seed]].concat())["notes"].clone())
        .collect();
    let left_out = format!(
        "unreadable test images left out: 1 (cannot read image `{}`: ",
        bad.display()
    );
    for notes in &notes {
        let last = notes.as_array().unwrap().last().unwrap().as_str().unwrap();
        assert!(last.starts_with(&left_out), "{last}");
    }
    let replaced = "unreadable calibration images replaced by others: 1 (cannot read image `";
    assert!(
        notes
            .iter()
            .any(|n| n[0].as_str().unwrap().starts_with(replaced))
    );
    assert!(notes.iter().any(|n| n.as_array().unwrap().len() == 1));
}

#[test]
fn a_class_that_the_network_does_not_have_is_named() {
    let folder = pictures();
    fs::rename(folder.path().join("val/2"), folder.path().join("val/281")).unwrap();
    let data = format!("imagefolder:{}", text(folder.path()));
    let mut eval = vec!["eval", "--data", &data];
    eval.extend(SUBJECT);
    let message =
        "class `281` has index 281, expected below 10: the network was made for other data";
    assert_fails(&eval, 3, &[message]);
}

#[test]
fn images_of_which_nothing_is_known_test_no_classifier() {
    let folder = pictures();
    let data = format!("images:{}", text(folder.path()));
    let mut eval = vec!["eval", "--data", &data];
    eval.extend(SUBJECT);
    let message = "classification needs a class for each image, `";
    assert_fails(&eval, 3, &[message, "` has none"]);
}

#[test]
fn bad_suites_are_named() {
    let folder = TempDir::new().unwrap();
    for (allocators, extra, parts) in [
        ("\"lampp\"", "", ["small.toml", "did you mean `lamp`"]),
        (
            "\"erk\"",
            "sparsity = 1",
            ["small.toml", "unknown field `sparsity`"],
        ),
        (
            "\"erk\"",
            "settings = { seeds = 1 }",
            ["section `only`", "unknown field `seeds`"],
        ),
        ("\"erk\", 3", "", ["small.toml", "expected a string"]),
    ] {
        let path = suite(&folder, allocators, extra);
        assert_fails(&["list", "--suite", text(&path)], 3, &parts);
    }
    let path = suite(&folder, "\"erk\"", "");
    let rate = fs::read_to_string(&path).unwrap().replace("0.8]", "1.5]");
    fs::write(&path, rate).unwrap();
    assert_fails(
        &["list", "--suite", text(&path)],
        3,
        &["has sparsity 1.5, expected a number in [0, 1)"],
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_said_before_any_work() {
    let folder = TempDir::new().unwrap();
    let path = suite(&folder, "\"erk\"", "");
    // A file where the folder should be cannot be written by anybody, root included.
    let out = folder.path().join("file");
    fs::write(&out, "").unwrap();
    let start = Instant::now();
    assert_fails(
        &["run", "--suite", text(&path), "--out", text(&out)],
        3,
        &["cannot be written", "--out"],
    );
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_output_that_cannot_be_written_is_said_before_any_work() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("absent/sparse.safetensors");
    let mut arguments = vec!["sparsify", "--output", text(&output), "--iterations"];
    arguments.extend(["1000000", "--allocator", "erk", "--sparsity", "0.5"]);
    arguments.extend(["--reconstruction", "block-sparse-none-adam"]);
    arguments.extend(SUBJECT);
    arguments.extend(DATA);
    assert_fails(&arguments, 3, &["absent` cannot be written", "`--output`"]);
}

#[test]
fn a_missing_golden_fails_the_run_and_keeps_the_record() {
    let folder = TempDir::new().unwrap();
    let path = suite(&folder, "\"erk\"", "");
    ptsbench(&["run", "none@0.50", "--check", "--suite", text(&path)])
        .current_dir(&folder)
        .env("CI", "1")
        .assert()
        .code(1);
    assert_eq!(records(&folder.path().join("reports")).len(), 1);
    assert!(!folder.path().join("golden").exists());
}

#[test]
fn records_are_the_same_with_any_number_of_threads_and_jobs() {
    let folder = TempDir::new().unwrap();
    let path = suite(
        &folder,
        "\"erk\"",
        "[[sections]]\nname = \"descent\"\nallocators = [\"erk\"]\nreconstructions = [\"block-sparse-weight+bias-adam\"]\nsparsities = [0.8]",
    );
    let mut found: Vec<Vec<Value>> = Vec::new();
    for (threads, jobs) in [("1", "1"), ("2", "1"), ("1", "2")] {
        let out = folder.path().join(format!("{threads}-{jobs}"));
        ptsbench(&[
            "run",
            "--suite",
            text(&path),
            "--jobs",
            jobs,
            "--out",
            text(&out),
        ])
        .env("RAYON_NUM_THREADS", threads)
        .assert()
        .success();
        found.push(records(&out).iter().map(|path| lasting(path)).collect());
        assert!(out.join("index.html").is_file());
    }
    assert_eq!(found[0].len(), 5);
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
}

/// Starts a run, and sends it a signal once it has stored two records.
#[cfg(unix)]
fn interrupt(arguments: &[&str], out: &Path, signal: &str) -> Option<i32> {
    let binary = assert_cmd::cargo::cargo_bin!("ptsbench");
    let mut child = std::process::Command::new(binary)
        .args(arguments)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while records(out).len() < 2 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    let kill = std::process::Command::new("kill")
        .args([signal, &pid])
        .status();
    assert!(kill.unwrap().success());
    child.wait().unwrap().code()
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_what_is_finished_and_does_the_rest() {
    for (signal, code) in [("-INT", Some(130)), ("-KILL", None)] {
        let folder = TempDir::new().unwrap();
        let allocators = r#""uniform", "er", "erk", "magnitude", "l1norm", "l2norm", "lamp""#;
        let path = suite(&folder, allocators, "");
        let out = folder.path().join("reports");
        let arguments = [
            "run",
            "--suite",
            text(&path),
            "--jobs",
            "1",
            "--out",
            text(&out),
        ];
        assert_eq!(interrupt(&arguments, &out, signal), code, "{signal}");
        let kept = records(&out);
        assert!(
            kept.len() >= 2 && kept.len() < 28,
            "{signal}: {}",
            kept.len()
        );
        let times: Vec<_> = kept
            .iter()
            .map(|p| fs::metadata(p).unwrap().modified().unwrap())
            .collect();
        let (code, _, stderr) = run(&arguments);
        assert_eq!(code, 0, "{stderr}");
        let expected = format!("{} computed, {} stored before", 28 - kept.len(), kept.len());
        assert!(stderr.contains(&expected), "{signal}: {stderr}");
        for (path, time) in kept.iter().zip(times) {
            assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), time);
        }
        assert_eq!(records(&out).len(), 28);
    }
}

/// Whether a process has a handler for SIGINT by now.
#[cfg(target_os = "linux")]
fn handles_interrupts(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.unwrap_or(0) & 0b10 != 0
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_sparsify_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("sparse.safetensors");
    let mut arguments = vec!["sparsify", "--output", text(&output), "--iterations"];
    arguments.extend(["1000000", "--allocator", "erk", "--sparsity", "0.5"]);
    arguments.extend(["--reconstruction", "block-sparse-none-adam"]);
    arguments.extend(SUBJECT);
    arguments.extend(DATA);
    let child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("ptsbench"))
        .args(&arguments)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !handles_interrupts(child.id()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args(["-INT", &pid]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{stderr}");
    assert!(stderr.starts_with("error: interrupted"), "{stderr}");
    assert!(!output.exists());
}

#[test]
fn a_broken_pipe_is_no_error() {
    let binary = assert_cmd::cargo::cargo_bin!("ptsbench");
    let script = format!("{} list | head -n 1", binary.display());
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
