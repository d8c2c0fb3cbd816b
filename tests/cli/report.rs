//! `ptsbench report` and `ptsbench compare`.

use super::{records, run, suite, text};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Sets the sparse top-1 of a record.
fn set_top1(path: &Path, top1: f64) {
    let mut record: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    record["metrics"]["top1"]["sparse"] = Value::from(top1);
    fs::write(path, record.to_string()).unwrap();
}

#[test]
fn comparing_results_tells_what_got_worse() {
    let folder = TempDir::new().unwrap();
    let path = suite(&folder, "\"erk\"", "");
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    for out in [&a, &b] {
        let arguments = ["run", "--suite", text(&path), "--out", text(out)];
        assert_eq!(run(&arguments).0, 0);
    }
    let (a, b) = (a.join("results"), b.join("results"));
    assert_eq!(run(&["compare", text(&a), text(&b)]).0, 0);
    set_top1(&records(b.parent().unwrap())[0], 1.0);
    let (code, stdout, stderr) = run(&["compare", text(&a), text(&b)]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stderr.contains("1 results got worse"), "{stderr}");

    let page = folder.path().join("change.html");
    let arguments = ["compare", text(&a), text(&b), "--html", text(&page)];
    let (code, stdout, _) = run(&[&arguments[..], &["--format", "json"]].concat());
    assert_eq!(code, 1);
    let changes: Value = serde_json::from_str(&stdout).unwrap();
    let mut changes = changes["changes"].as_array().unwrap().iter();
    let worse = changes.find(|change| change["verdict"] == "worse").unwrap();
    assert_eq!(
        (&worse["metric"], &worse["after"]),
        (&"top1".into(), &1.0.into())
    );
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("<td class=\"worse\">worse</td>"));
    let (_, stdout, _) = run(&["compare", text(&a), text(&b), "--format", "markdown"]);
    assert!(stdout.contains("\n| worse | `small::"), "{stdout}");

    let missing = folder.path().join("none/change.html");
    let (code, _, stderr) = run(&["compare", text(&a), text(&a), "--html", text(&missing)]);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("--html"), "{stderr}");
}

#[test]
fn runs_of_several_seeds_are_reported_and_compared_together() {
    let folder = TempDir::new().unwrap();
    let path = suite(&folder, "\"erk\", \"uniform\"", "");
    let runs = folder.path().join("runs");
    for seed in ["0", "1"] {
        let out = runs.join(format!("seed{seed}"));
        let arguments = [
            "run",
            "--suite",
            text(&path),
            "--seed",
            seed,
            "--out",
            text(&out),
        ];
        assert_eq!(run(&arguments).0, 0);
    }
    let out = folder.path().join("pages");
    let report = ["report", "--results", text(&runs), "--out", text(&out)];
    let (code, _, stderr) = run(&report);
    assert_eq!((code, stderr.contains("warning")), (0, false), "{stderr}");
    let overview = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(overview.contains("<dt>seeds</dt><dd>2</dd>"));
    let track = fs::read_to_string(out.join("tracks/allocation.html")).unwrap();
    assert!(track.contains(" ± "));
    let (code, stdout, _) = run(&["compare", text(&runs), text(&runs)]);
    assert_eq!((code, stdout.lines().count()), (0, 1), "{stdout}");

    // The same seed twice: one counts, and which is said.
    let twice = runs.join("twice");
    let arguments = [
        "run",
        "--suite",
        text(&path),
        "--out",
        text(&twice),
        "uniform",
    ];
    assert_eq!(run(&arguments).0, 0);
    let (code, _, stderr) = run(&report);
    assert_eq!(code, 0);
    assert!(stderr.contains("the same case and seed as in"), "{stderr}");
}
