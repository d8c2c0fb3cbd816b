//! The direction in which modules import each other, and what lives where.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// A module imports only from those before it.
const ORDER: [&str; 31] = [
    "atomic",
    "chain",
    "exit",
    "panics",
    "progress",
    "shared",
    "registry",
    "kernels",
    "graph",
    "distill",
    "models",
    "weights",
    "data",
    "metrics",
    "tasks",
    "capture",
    "descent",
    "allocate",
    "mask",
    "reconstruct",
    "case",
    "suite",
    "record",
    "pipeline",
    "golden",
    "leaderboard",
    "harness",
    "cli",
    "fuzzing",
    "lib",
    "main",
];

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    WalkDir::new(&root)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(&root).unwrap().to_owned(), text)
        })
        .collect()
}

fn module_of(path: &Path) -> String {
    let first = path.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn rank(module: &str) -> usize {
    let rank = ORDER.iter().position(|known| *known == module);
    rank.unwrap_or_else(|| panic!("module `{module}` has no place in the order"))
}

/// Returns the modules that `crate::...` names in a text, grouped imports included.
fn imports(text: &str) -> BTreeSet<String> {
    let word = |rest: &str| {
        let word = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
        word.collect::<String>()
    };
    text.split("crate::")
        .skip(1)
        .map(word)
        .filter(|word| ORDER.contains(&word.as_str()))
        .collect()
}

#[test]
fn modules_import_from_their_left_only() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        for import in imports(&text) {
            if rank(&import) > rank(&module) {
                wrong.push(format!("{} imports {import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn model_names_stay_in_models() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        // The table of embedded checkpoints says which model each is for; help shows examples.
        let module = module_of(&path);
        if ["models", "weights", "cli"].contains(&module.as_str()) {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for name in ptsbench::models::names() {
                if line.contains(&format!("\"{name}\"")) && !path.ends_with("tests.rs") {
                    wrong.push(format!("{}: {line}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_of_an_extension_point_is_registered() {
    for folder in [
        "allocate",
        "reconstruct/solver",
        "reconstruct/correction",
        "data",
        "models",
        "metrics",
        "tasks",
    ] {
        let text: String = sources()
            .into_iter()
            .filter(|(path, _)| path == &Path::new(folder).join("mod.rs"))
            .map(|(_, text)| text)
            .collect();
        for (path, _) in sources() {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let direct = path.parent() == Some(Path::new(folder));
            if direct && stem != "mod" {
                assert!(
                    text.contains(&format!("mod {stem};")),
                    "{} is not declared",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn every_technique_is_used_by_some_suite() {
    use ptsbench::allocate::ALLOCATORS;
    use ptsbench::graph::GRANULARITIES;
    use ptsbench::reconstruct::{CORRECTIONS, SOLVERS};
    let suites = ptsbench::suite::load("suites".as_ref(), &["default".to_owned()]).unwrap();
    let ids: Vec<String> = suites[0].entries.iter().map(|e| e.case.spec.id()).collect();
    let used = |part: &str| ids.iter().any(|id| id.contains(part));
    for name in ALLOCATORS.names() {
        let forms = ['/', '(', ':'].map(|after| format!("/{name}{after}"));
        assert!(forms.iter().any(|form| used(form)), "allocator {name}");
    }
    for name in GRANULARITIES.names() {
        let forms = ['/', ','].map(|before| format!("{before}{name}-"));
        assert!(forms.iter().any(|form| used(form)), "granularity {name}");
    }
    for name in CORRECTIONS.names() {
        assert!(used(&format!("-{name}-")), "correction {name}");
    }
    for name in SOLVERS.names() {
        assert!(used(&format!("-{name}")), "solver {name}");
    }
}

#[test]
fn every_golden_has_a_case_and_every_case_a_golden() {
    let suites = ptsbench::suite::load("suites".as_ref(), &[]).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    assert!(golden.join("default").is_dir());
    let mut cases = BTreeSet::new();
    for suite in &suites {
        // Experiments are not held to goldens: a suite has either none or all.
        let held = golden.join(&suite.name).is_dir();
        for entry in &suite.entries {
            let id = entry.case.spec.id();
            let path = golden.join(format!("{}.snap", id.replace("::", "/")));
            if held && entry.ignored.is_none() {
                assert!(path.is_file(), "case `{id}` has no golden");
            }
            cases.insert(path);
        }
    }
    for entry in WalkDir::new(&golden) {
        let path = entry.unwrap().into_path();
        if path.extension().is_some_and(|e| e == "snap") {
            assert!(cases.contains(&path), "{} has no case", path.display());
        }
    }
}
