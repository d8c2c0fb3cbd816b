//! The published leaderboard in `reports/published` is what the goldens say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ptsbench::harness::publish_accepted;
use ptsbench::suite;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

const COMMAND: &str = "cargo run --release -- report --accepted --out reports/published";

/// Returns the files below a folder by their paths in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = WalkDir::new(folder).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    let file = |entry: walkdir::DirEntry| {
        let name = entry.path().strip_prefix(folder).unwrap().to_owned();
        (name, fs::read(entry.path()).unwrap())
    };
    files.map(file).collect()
}

#[test]
fn the_published_leaderboard_is_that_of_the_goldens() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suites = suite::load(&root.join("suites"), &["default".to_owned()]).unwrap();
    let out = tempfile::tempdir().unwrap();
    publish_accepted(&suites, &root.join("golden"), out.path()).unwrap();
    let [new, published] =
        [out.path().to_owned(), root.join("reports/published")].map(|folder| files(&folder));
    let cases = suites[0].entries.len();
    let pages = new.keys().filter(|path| path.starts_with("cases")).count();
    assert_eq!(
        pages, cases,
        "every case of the suite has a golden, and so a page"
    );
    for path in new.keys().chain(published.keys()) {
        let same = new.get(path) == published.get(path);
        assert!(
            same,
            "{} is not what the goldens say; `{COMMAND}` makes it anew",
            path.display()
        );
    }
}
