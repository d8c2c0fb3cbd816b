//! What the documentation names is there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ptsbench::suite::{self, Suites};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Folders whose files are under version control, so that what is said to be in them must be.
const FOLDERS: [&str; 10] = [
    "assets",
    "benches",
    "cluster",
    "docs",
    "examples",
    "fuzz",
    "src",
    "suites",
    "templates",
    "tests",
];

/// A page of the documentation.
struct Page {
    path: PathBuf,
    /// Everything but fenced blocks.
    prose: String,
    fences: Vec<Fence>,
}

/// A fenced block and the word after its fence.
struct Fence {
    language: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = WalkDir::new(root().join(folder)).sort_by_file_name();
    let paths = entries.into_iter().map(|entry| entry.unwrap().into_path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect()
}

fn pages() -> Vec<Page> {
    let readme = [root().join("README.md")].into_iter();
    readme.chain(files("docs", "md")).map(Page::read).collect()
}

impl Page {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let (mut prose, mut fences) = (String::new(), Vec::new());
        let mut open: Option<Fence> = None;
        for line in text.split_inclusive('\n') {
            match (line.strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => fences.extend(open.take()),
                (Some(language), None) => {
                    open = Some(Fence {
                        language: language.trim().to_owned(),
                        text: String::new(),
                    });
                }
                (None, Some(fence)) => fence.text.push_str(line),
                (None, None) => prose.push_str(line),
            }
        }
        assert!(open.is_none(), "{}: a fence is left open", path.display());
        Self {
            path,
            prose,
            fences,
        }
    }

    fn name(&self) -> String {
        let below = self.path.strip_prefix(root()).unwrap();
        below.display().to_string()
    }

    /// The targets of links and pictures.
    fn links(&self) -> impl Iterator<Item = &str> {
        let ends = self.prose.split("](").skip(1);
        ends.map(|rest| rest.split(')').next().unwrap())
    }

    /// What stands between single backquotes, each in one line.
    fn code(&self) -> impl Iterator<Item = &str> {
        let spans = |line| str::split(line, '`').skip(1).step_by(2);
        self.prose.lines().flat_map(spans)
    }

    /// The words of code, in the prose and in fences.
    fn words(&self) -> impl Iterator<Item = &str> {
        let fences = self.fences.iter().map(|fence| fence.text.as_str());
        self.code().chain(fences).flat_map(str::split_whitespace)
    }

    fn fences<'a>(&'a self, language: &'a str) -> impl Iterator<Item = &'a str> {
        let these = self.fences.iter().filter(move |f| f.language == language);
        these.map(|fence| fence.text.as_str())
    }

    /// The anchors of headings, as GitHub makes them.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|heading| {
                let heading = heading.trim_start_matches('#').trim().to_lowercase();
                let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
                heading.chars().filter(kept).collect::<String>()
            })
            .map(|heading| heading.replace(' ', "-"))
            .collect()
    }
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut wrong = Vec::new();
    for page in pages() {
        let local = page.links().filter(|link| !link.contains("://"));
        for link in local {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.path.clone(),
                file => page.path.parent().unwrap().join(file),
            };
            let found = match anchor {
                "" => target.exists(),
                anchor => target.is_file() && Page::read(target).anchors().contains(anchor),
            };
            if !found {
                wrong.push(format!("{}: {link}", page.name()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn files_that_are_named_exist() {
    let mut wrong = Vec::new();
    for page in pages() {
        for code in page.code() {
            let first = code.split('/').next().unwrap();
            let source = Path::new(code).extension().is_some_and(|e| e == "rs");
            let ours = source || FOLDERS.contains(&first);
            let literal = !code.contains(['<', '>', '*', ' ', '{', '(']);
            let found = || [root(), &root().join("src")].map(|dir| dir.join(code).exists());
            // A name without a folder is that of a file in the module that is spoken of.
            if code.contains('/') && ours && literal && !found().contains(&true) {
                wrong.push(format!("{}: {code}", page.name()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn suites_and_examples_that_are_named_exist() {
    let suites = Suites::find(&root().join("suites")).unwrap().names();
    let mut wrong = Vec::new();
    for page in pages() {
        let words: Vec<&str> = page.words().collect();
        for word in &words {
            let word = word.trim_end_matches(".toml").trim_matches(['"', ',']);
            let word = word.rsplit('=').next().unwrap();
            let named = word.starts_with("paper/") || word.starts_with("experiments/");
            if named && !suites.iter().any(|suite| suite == word) {
                wrong.push(format!("{}: suite {word}", page.name()));
            }
        }
        for pair in words.windows(2).filter(|pair| pair[0] == "--example") {
            let path = root().join("examples").join(format!("{}.rs", pair[1]));
            if !path.is_file() {
                wrong.push(format!("{}: example {}", page.name(), pair[1]));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn suites_that_are_shown_can_be_listed() {
    let folder = tempfile::tempdir().unwrap();
    let mut shown = 0;
    for page in pages() {
        for text in page.fences("toml") {
            let path = folder.path().join("shown.toml");
            fs::write(&path, text).unwrap();
            let loaded = suite::load(folder.path(), &[path.display().to_string()]);
            let loaded = loaded.unwrap_or_else(|error| panic!("{}: {error}", page.name()));
            assert!(!loaded[0].entries.is_empty(), "{}", page.name());
            shown += 1;
        }
    }
    assert!(shown >= 2, "{shown} suites are shown");
}

#[test]
fn code_that_is_shown_is_that_of_examples() {
    let examples: Vec<String> = files("examples", "rs")
        .into_iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut wrong = Vec::new();
    for page in pages() {
        for code in page.fences("rust") {
            if !examples.iter().any(|example| example.contains(code)) {
                wrong.push(format!("{}:\n{code}", page.name()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_example_of_an_extension_is_explained_and_tested() {
    let guide = fs::read_to_string(root().join("docs/guide/extending.md")).unwrap();
    let tests = fs::read_to_string(root().join("tests/extending.rs")).unwrap();
    for path in files("examples", "rs") {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("new_") {
            let link = format!("](../../examples/{name})");
            assert!(guide.contains(&link), "{name} is not in the guide");
            let included = format!("\"../examples/{name}\"");
            assert!(tests.contains(&included), "{name} is not tested");
        }
    }
}
