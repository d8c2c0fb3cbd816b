//! `ptsbench merge`, and the parts of a run that it joins.

use super::{assert_fails, json, lasting, ptsbench, records, run, suite, text};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Runs the suite whole, and in two parts side by side that share a cache; returns the folders of the whole and of the parts.
fn whole_and_parts(folder: &TempDir, suite: &Path) -> [PathBuf; 2] {
    let [whole, parts, cache] = ["whole", "parts", "cache"].map(|name| folder.path().join(name));
    let command = |arguments: &[&str], out: &Path| {
        let mut command = ptsbench(&["run", "--suite", text(suite), "--out", text(out)]);
        command.args(arguments);
        command
    };
    command(&[], &whole).assert().success();
    std::thread::scope(|scope| {
        for part in ["1", "2"] {
            let shard = format!("{part}/2");
            let mut command = command(&["--shard", &shard], &parts.join(part));
            command.env("PTSBENCH_CACHE", &cache);
            scope.spawn(move || command.assert().success());
        }
    });
    assert!(fs::read_dir(cache).unwrap().count() > 0);
    assert!(!parts.join("1/cache").exists());
    [whole, parts]
}

fn all_lasting(reports: &Path) -> Vec<Value> {
    let files = records(reports);
    files.iter().map(|path| lasting(path)).collect()
}

fn merge<'a>(runs: &'a Path, suite: &'a Path, out: &'a Path) -> [&'a str; 6] {
    [
        "merge",
        text(runs),
        "--suite",
        text(suite),
        "--out",
        text(out),
    ]
}

#[test]
fn parts_come_together_as_the_whole() {
    let folder = TempDir::new().unwrap();
    let path = suite(&folder, "\"erk\", \"uniform\", \"lamp\"", "");
    let [whole, parts] = whole_and_parts(&folder, &path);
    let counts = ["1", "2"].map(|part| records(&parts.join(part)).len());
    assert_eq!(counts, [6, 6]);

    let out = folder.path().join("merged");
    let arguments = merge(&parts, &path, &out);
    let (code, stdout, stderr) = run(&arguments);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.starts_with("12 records, 0 doubled, 0 in conflict; 0 missing"),
        "{stdout}"
    );
    assert_eq!(all_lasting(&out), all_lasting(&whole));
    let summary = |run: &Path| fs::read(run.join("results/small/summary.json")).unwrap();
    assert_eq!(summary(&out), summary(&whole));

    // Again, what lies there takes part; a run side by side adds nothing but doubles.
    let (code, stdout, _) = run(&[&arguments[..], &[text(&whole)]].concat());
    assert_eq!(code, 0);
    assert!(
        stdout.starts_with("12 records, 24 doubled, 0 in conflict"),
        "{stdout}"
    );
}

#[test]
fn what_is_missing_doubled_or_in_conflict_is_named() {
    let folder = TempDir::new().unwrap();
    let path = suite(&folder, "\"erk\"", "");
    let [whole, parts] = whole_and_parts(&folder, &path);
    let lost = records(&parts.join("1"));
    fs::remove_file(&lost[0]).unwrap();
    let (code, stdout, stderr) = run(&merge(&parts, &path, &folder.path().join("lacking")));
    assert_eq!(code, 1, "{stdout}");
    assert!(stderr.contains("1 cases are missing"), "{stderr}");
    let missing: Vec<&str> = stdout
        .lines()
        .filter(|line| line.starts_with("missing "))
        .collect();
    assert_eq!(missing.len(), 1, "{stdout}");

    // One differs, and one cannot be read.
    let [other, cut] = [&records(&parts.join("2"))[0], &lost[1]];
    let mut record: Value = serde_json::from_slice(&fs::read(other).unwrap()).unwrap();
    record["metrics"]["top1"]["sparse"] = 1.0.into();
    record["seconds"]["total"] = 1.0.into();
    fs::write(other, record.to_string()).unwrap();
    fs::write(cut, "{").unwrap();
    let out = folder.path().join("both");
    let mut arguments = vec!["merge", text(&whole), text(&parts), "--out", text(&out)];
    let (code, stdout, stderr) = run(&arguments);
    assert_eq!(code, 1, "{stdout}");
    for part in [
        "4 records, 1 doubled, 1 in conflict",
        text(other),
        "differs in metrics\n",
        "unusable ",
        text(cut),
    ] {
        assert!(stdout.contains(part), "`{part}` is not in: {stdout}");
    }
    assert!(stderr.contains("add `--suite`"), "{stderr}");
    // The first counts.
    assert_eq!(all_lasting(&out), all_lasting(&whole));
    arguments.extend(["--format", "json"]);
    let (_, stdout, _) = run(&arguments);
    let found: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        found["conflicts"][0]["differs"],
        Value::from(vec!["metrics"])
    );
    assert_eq!(found["records"], 4);
}

#[test]
fn seeds_stay_apart_and_are_reported_together() {
    let folder = TempDir::new().unwrap();
    let path = suite(&folder, "\"erk\"", "");
    let runs = folder.path().join("runs");
    for (seed, shard) in [("0", "1/1"), ("1", "1/2"), ("1", "2/2")] {
        let out = runs.join(format!("{seed}-{}", &shard[..1]));
        let arguments = ["--seed", seed, "--shard", shard, "--out", text(&out)];
        let (code, _, stderr) = run(&[&["run", "--suite", text(&path)], &arguments[..]].concat());
        assert_eq!(code, 0, "{stderr}");
    }
    let out = folder.path().join("merged");
    let found = json(&[&merge(&runs, &path, &out)[..], &["--format", "json"]].concat());
    assert_eq!(
        (&found["records"], &found["doubled"]),
        (&8.into(), &0.into())
    );
    for seed in ["seed0", "seed1"] {
        assert_eq!(records(&out.join(seed)).len(), 4);
    }
    let pages = folder.path().join("pages");
    let (code, _, stderr) = run(&["report", "--results", text(&out), "--out", text(&pages)]);
    assert_eq!((code, stderr.contains("warning")), (0, false), "{stderr}");
}

#[test]
fn wrong_usage_is_said() {
    let folder = TempDir::new().unwrap();
    let path = suite(&folder, "\"erk\"", "");
    let out = folder.path().join("out");
    assert_fails(
        &["run", "--shard", "5/4"],
        2,
        &["5/4", "the I-th of N parts"],
    );
    assert_fails(
        &merge(&folder.path().join("none"), &path, &out),
        3,
        &["none"],
    );
    assert_fails(
        &merge(folder.path(), Path::new("nosuch"), &out),
        3,
        &["unknown suite `nosuch`"],
    );
    let empty = [
        "run",
        "--suite",
        text(&path),
        "--shard",
        "9/9",
        "--out",
        text(&out),
    ];
    let (code, _, stderr) = run(&empty);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("part 9/9 holds no case"), "{stderr}");
}
