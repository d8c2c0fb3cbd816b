//! The corpus of `fuzz/`, without a fuzzer: what is read from outside takes every file of it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ptsbench::fuzzing::TARGETS;
use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(name)
}

/// The names in a folder without extensions.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: fs::DirEntry| entry.path().file_stem().unwrap().display().to_string();
    entries.map(|entry| name(entry.unwrap())).collect()
}

#[test]
fn every_target_has_its_files() {
    let table = TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(names(&folder("fuzz_targets")), table);
    assert_eq!(names(&folder("corpus")), table);
}

#[test]
fn every_file_of_the_corpus_is_taken() {
    let mut wrong = Vec::new();
    for (name, target) in TARGETS {
        let entries = fs::read_dir(folder("corpus").join(name)).unwrap();
        let mut count = 0;
        for path in entries.map(|entry| entry.unwrap().path()) {
            let bytes = fs::read(&path).unwrap();
            if catch_unwind(|| target(&bytes)).is_err() {
                wrong.push(path.display().to_string());
            }
            count += 1;
        }
        assert!(count > 0, "{name} has no corpus");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
