//! Goldens against real files. insta reads its settings from the environment once a process, so every check runs in a
//! process of its own: this test binary again, asked for [`probe`] alone.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use ptsbench::golden::check;
use ptsbench::record::{Record, Scale};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CASE: &str =
    "default::classification/fashion-mnist/resnet20/erk/block-sparse-weight+bias-sgd@0.80";
const GOLDEN: &str = "golden/default/classification/fashion-mnist/resnet20/erk/block-sparse-weight+bias-sgd@0.80.snap";

/// Checks the record that `PROBE_RECORD` names against the goldens in `PROBE_ROOT`, and says how it went.
#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn probe() {
    let variable = |name| std::env::var(name).ok();
    let (Some(path), Some(root)) = (variable("PROBE_RECORD"), variable("PROBE_ROOT")) else {
        return;
    };
    let record: Record = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let scale = |_: &str| Scale {
        tolerance: 0.5,
        ..Scale::default()
    };
    match check(&record, Path::new(&root), scale) {
        Ok(()) => println!("<<passed>>"),
        Err(error) => println!("<<{error}>>"),
    }
}

/// A repository with a folder of goldens, none yet.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Makes a repository whose golden is a record of top-1 70.
    fn with_golden() -> Self {
        let repository = Self::new();
        let answer = repository.check(&record(70.0), &[("INSTA_UPDATE", "always")]);
        assert_eq!(answer, "passed");
        repository
    }

    fn golden(&self) -> PathBuf {
        self.0.path().join(GOLDEN)
    }

    fn pending(&self) -> PathBuf {
        self.0.path().join(format!("{GOLDEN}.new"))
    }

    fn read_golden(&self) -> String {
        fs::read_to_string(self.golden()).unwrap()
    }

    /// Checks `record` in a process with these variables on top of a clean environment.
    fn check(&self, record: &serde_json::Value, variables: &[(&str, &str)]) -> String {
        let path = self.0.path().join("record.json");
        fs::write(&path, record.to_string()).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (name, _) in std::env::vars() {
            if name.starts_with("INSTA_") || name == "CI" || name == "TF_BUILD" {
                command.env_remove(name);
            }
        }
        let output = command
            .args(["--exact", "probe", "--ignored", "--nocapture"])
            .env("PROBE_RECORD", path)
            .env("PROBE_ROOT", self.0.path().join("golden"))
            .env("RUST_BACKTRACE", "1")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let noise = String::from_utf8_lossy(&output.stderr);
        assert!(
            !noise.contains("panicked at"),
            "the panic is not quiet: {noise}"
        );
        let text = String::from_utf8_lossy(&output.stdout);
        let answer = text
            .split_once("<<")
            .and_then(|(_, rest)| rest.split_once(">>"));
        answer.expect("the probe says how it went").0.to_owned()
    }
}

fn record(top1: f64) -> serde_json::Value {
    serde_json::json!({
        "schema": 2, "key": "k", "case": CASE, "suite": "default", "task": "classification",
        "dataset": "fashion-mnist", "model": "resnet20", "allocator": "erk",
        "reconstruction": "block-sparse-weight+bias-sgd",
        "sparsity": {"target": 0.8, "achieved": 0.8},
        "metrics": {"top1": {"dense": 80.0, "sparse": top1, "relative": top1 / 80.0}},
        "layers": [{"name": "conv1", "numel": 1000, "pruned": 800, "sparsity": 0.8}],
        "units": [{"name": "layer1.0", "layers": ["conv1"], "loss_before": 0.5, "loss_after": 0.125,
                   "iterations": 300, "seconds": 1.5}],
        "seconds": {"allocate": 0.0, "mask": 0.0, "correct": 0.0, "reconstruct": 1.0, "evaluate": 1.0, "total": 2.0},
        "peak_rss_bytes": 1, "notes": [], "spec": {"iterations": 300, "seed": 0},
        "environment": {"device": "cpu", "threads": 2, "cpu": "a processor", "version": "0.1.0", "commit": null, "seed": 0}
    })
}

#[test]
fn a_missing_golden_fails_and_is_left_for_review() {
    let repository = Repository::new();
    let answer = repository.check(&record(70.0), &[]);
    assert!(answer.contains("does not exist"), "{answer}");
    assert!(answer.contains("`cargo insta review`"), "{answer}");
    assert!(!repository.golden().exists());
    assert!(repository.pending().exists());
}

#[test]
fn a_missing_golden_fails_in_ci_and_nothing_is_written() {
    let repository = Repository::new();
    let answer = repository.check(&record(70.0), &[("CI", "true")]);
    assert!(answer.contains("does not exist"), "{answer}");
    assert!(!repository.0.path().join("golden").exists());
}

#[test]
fn a_golden_shows_its_case_and_one_number_a_line() {
    let text = Repository::with_golden().read_golden();
    for line in [
        &format!("description: \"{CASE}\""),
        "  iterations: 300",
        "  \"top1 sparse\": 70.0,",
        "  \"pruned conv1\": 800.0,",
        "  \"loss 0 layer1.0\": 0.125",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert!(!text.contains("seconds"), "{text}");
}

#[test]
fn within_tolerance_passes_and_leaves_the_golden_alone() {
    let repository = Repository::with_golden();
    let before = repository.read_golden();
    for variables in [&[][..], &[("CI", "1")], &[("INSTA_UPDATE", "always")]] {
        assert_eq!(repository.check(&record(70.4), variables), "passed");
        assert_eq!(repository.read_golden(), before, "{variables:?}");
    }
}

#[test]
fn outside_tolerance_fails_with_the_offending_rows_only() {
    let repository = Repository::with_golden();
    let before = repository.read_golden();
    let answer = repository.check(&record(68.0), &[]);
    let rows: Vec<Vec<&str>> = answer
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[1], ["metric", "golden", "new", "delta", "allowed"]);
    assert_eq!(rows[2], ["top1", "sparse", "70", "68", "-2", "0.5000"]);
    assert!(rows[3].starts_with(&["to", "accept"]), "{answer}");
    assert_eq!(repository.read_golden(), before);
    assert!(repository.pending().exists());

    assert_eq!(repository.check(&record(70.0), &[]), "passed");
    assert!(
        !repository.pending().exists(),
        "a pass clears what was pending"
    );
}

#[test]
fn outside_tolerance_in_ci_writes_nothing() {
    let repository = Repository::with_golden();
    let answer = repository.check(&record(68.0), &[("CI", "true")]);
    assert!(answer.contains("top1 sparse"), "{answer}");
    assert!(!repository.pending().exists());
}

#[test]
fn always_accepts_what_is_outside() {
    let repository = Repository::with_golden();
    let always = [("INSTA_UPDATE", "always")];
    assert_eq!(repository.check(&record(68.0), &always), "passed");
    assert!(repository.read_golden().contains("\"top1 sparse\": 68.0"));
}

#[test]
fn a_diverged_result_is_kept_as_such() {
    let repository = Repository::new();
    let mut diverged = record(70.0);
    diverged["metrics"]["top1"]["sparse"] = "NaN".into();
    assert_eq!(
        repository.check(&diverged, &[("INSTA_UPDATE", "always")]),
        "passed"
    );
    assert!(
        repository
            .read_golden()
            .contains("\"top1 sparse\": \"NaN\"")
    );
    assert_eq!(repository.check(&diverged, &[]), "passed");
    assert!(repository.check(&record(70.0), &[]).contains("NaN"));
}

#[test]
fn a_corrupt_golden_is_told_from_a_missing_one() {
    let header = "---\ndescription: x\n---\n";
    for (text, why) in [
        (format!("{header}{{\"top1 sparse\": "), "EOF while parsing"),
        (format!("{header}<<<<<<< HEAD"), "expected value"),
        ("---\n{ description: [\n---\n{}\n".to_owned(), "header"),
    ] {
        let repository = Repository::with_golden();
        fs::write(repository.golden(), &text).unwrap();
        let answer = repository.check(&record(70.0), &[("CI", "true")]);
        assert!(
            answer.contains("is corrupt") && answer.contains(why),
            "{text}: {answer}"
        );
        assert_eq!(repository.read_golden(), text);
    }
}

#[test]
fn trouble_with_files_and_settings_is_told() {
    let repository = Repository::new();
    fs::write(repository.0.path().join("golden"), "in the way").unwrap();
    let answer = repository.check(&record(70.0), &[]);
    assert!(answer.contains("cannot compare with"), "{answer}");
    let answer = Repository::new().check(&record(70.0), &[("INSTA_UPDATE", "sometimes")]);
    assert!(
        answer.contains("cannot compare") && answer.contains("INSTA_UPDATE"),
        "{answer}"
    );
}

#[test]
fn a_case_id_cannot_leave_the_folder() {
    let mut record = record(70.0);
    record["case"] = "default::../../etc/passwd@0.80".into();
    let repository = Repository::new();
    let answer = repository.check(&record, &[("INSTA_UPDATE", "always")]);
    assert!(answer.contains("is not a case id"), "{answer}");
}
