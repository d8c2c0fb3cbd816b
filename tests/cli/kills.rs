//! A run that is killed again and again, at moments of chance, ends where one that nobody disturbs does.
//!
//! `PTSBENCH_KILLS` says how many kills it takes: eight if absent, which is for every day; `PTSBENCH_KILLS=100 cargo test --release --test
//! cli -- kills` is for a change of what is written when.

use super::{ptsbench, records, suite, text};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

const SIGNALS: [&str; 3] = ["-KILL", "-INT", "-TERM"];

/// The longest that is waited before a kill: about what the suite takes with one case at a time.
const LONGEST: Duration = Duration::from_millis(1500);

/// A record file, which no later run may touch.
type Files = BTreeMap<PathBuf, (SystemTime, Vec<u8>)>;

fn stored(out: &Path) -> Files {
    let file = |path: PathBuf| {
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let bytes = fs::read(&path).unwrap();
        (path, (time, bytes))
    };
    records(out).into_iter().map(file).collect()
}

/// A value without what differs from run to run.
fn lasting(bytes: &[u8], path: &Path) -> Value {
    let record: Result<Value, _> = serde_json::from_slice(bytes);
    let mut record = record.unwrap_or_else(|e| panic!("{} is torn: {e}", path.display()));
    for unit in record["units"].as_array_mut().unwrap() {
        unit["seconds"] = Value::Null;
    }
    for field in ["seconds", "peak_rss_bytes"] {
        record[field] = Value::Null;
    }
    record
}

fn results(files: &Files, out: &Path) -> BTreeMap<PathBuf, Value> {
    let result = |(path, (_, bytes)): (&PathBuf, &(_, Vec<u8>))| {
        let inside = path.strip_prefix(out).unwrap().to_owned();
        (inside, lasting(bytes, path))
    };
    files.iter().map(result).collect()
}

fn start(arguments: &[&str]) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin!("ptsbench"))
        .args(arguments)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets a run go on for some time, and sends it a signal if it is not done by then. Returns whether it was killed.
fn disturb(mut child: Child, time: Duration, signal: &str) -> bool {
    let start = Instant::now();
    while start.elapsed() < time {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap()
            .success()
    );
    let status = child.wait().unwrap();
    // Before it listens, and with SIGKILL, a signal ends it; at the very end it may be done.
    assert!(matches!(status.code(), Some(0 | 130) | None), "{status}");
    !status.success()
}

/// What was there is untouched, nothing is half of a record, and no page is half of one.
fn check(before: &Files, out: &Path) -> Files {
    let after = stored(out);
    for (path, (_, bytes)) in &after {
        lasting(bytes, path);
    }
    for (path, file) in before {
        assert!(
            after.get(path) == Some(file),
            "{} was run twice",
            path.display()
        );
    }
    for entry in walkdir::WalkDir::new(out)
        .into_iter()
        .filter_map(Result::ok)
    {
        let path = entry.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "html")
        {
            let page = fs::read_to_string(path).unwrap();
            assert!(page.trim_end().ends_with("</html>"), "{}", path.display());
        }
    }
    after
}

/// How many temporary files there are.
fn leftovers(folder: &Path) -> usize {
    let entries = walkdir::WalkDir::new(folder).into_iter();
    let entries = entries.filter_map(Result::ok);
    entries
        .filter(|entry| entry.path().extension().is_some_and(|e| e == "tmp"))
        .count()
}

#[test]
fn a_run_killed_at_any_moment_ends_where_an_undisturbed_one_does() {
    let kills = std::env::var("PTSBENCH_KILLS").map_or(8, |count| count.parse().unwrap());
    let folder = TempDir::new().unwrap();
    let extra = "[[sections]]\nname = \"descent\"\nallocators = [\"erk\", \"sensitivity(rates=2)\", \"fcpts:erk(iterations=4)\"]\n\
                 reconstructions = [\"block-sparse-weight+bias-adam\"]\nsparsities = [0.8]";
    let suite = suite(&folder, r#""uniform", "lamp""#, extra);
    let arguments = |out: &'_ Path| -> Vec<String> {
        let parts = [
            "run",
            "--suite",
            text(&suite),
            "--jobs",
            "2",
            "--out",
            text(out),
        ];
        parts.map(str::to_owned).to_vec()
    };
    let undisturbed = folder.path().join("undisturbed");
    let all = arguments(&undisturbed);
    ptsbench(&all.iter().map(String::as_str).collect::<Vec<_>>())
        .assert()
        .success();
    let expected = results(&stored(&undisturbed), &undisturbed);
    assert_eq!(expected.len(), 11);

    let mut rng = ChaCha8Rng::seed_from_u64(27);
    let (mut done, mut rounds) = (0, 0);
    while done < kills {
        let out = folder.path().join(format!("round-{rounds}"));
        let all = arguments(&out);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let mut files = Files::new();
        loop {
            // As many short ones as long ones, so that a round takes several.
            let time = LONGEST.mul_f64(rng.random::<f64>() * rng.random::<f64>());
            let signal = SIGNALS[rng.random_range(0..SIGNALS.len())];
            let killed = done < kills && disturb(start(&all), time, signal);
            files = check(&files, &out);
            if !killed {
                break;
            }
            done += 1;
        }
        ptsbench(&all).assert().success();
        let files = check(&files, &out);
        assert!(results(&files, &out) == expected, "round {rounds}");
        assert_eq!(leftovers(&out.join("results")), 0, "round {rounds}");
        rounds += 1;
    }
    println!("{done} kills in {rounds} rounds");
}
