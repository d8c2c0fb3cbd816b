//! Where suites come from: a folder `suites/`, the copy in the binary, or a file of the user's.

use super::file::{SuiteError, SuiteErrors};
use super::{Suite, SuiteErrorKind};
use crate::registry::UnknownName;
use include_dir::{Dir, include_dir};
use std::fs;
use std::path::{Path, PathBuf};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/suites");

/// The texts of the suites that can be named.
#[derive(Debug)]
pub struct Suites {
    texts: Vec<(PathBuf, String)>,
}

impl Suites {
    /// Finds the suites in `folder`, or those in the binary where there is no such folder.
    ///
    /// # Errors
    /// [`SuiteErrors`] with every file that cannot be read.
    pub fn find(folder: &Path) -> Result<Self, SuiteErrors> {
        if folder.is_dir() {
            Self::on_disk(folder)
        } else {
            Ok(Self::embedded())
        }
    }

    fn embedded() -> Self {
        let mut texts = Vec::new();
        let mut folders = vec![&EMBEDDED];
        while let Some(folder) = folders.pop() {
            folders.extend(folder.dirs());
            texts.extend(folder.files().filter_map(|file| {
                let name = file.path().strip_prefix("").unwrap_or(file.path());
                Some((name.to_owned(), file.contents_utf8()?.to_owned()))
            }));
        }
        texts.sort();
        Self { texts }
    }

    fn on_disk(folder: &Path) -> Result<Self, SuiteErrors> {
        let mut texts = Vec::new();
        let mut errors: Vec<Box<dyn std::error::Error + Send + Sync>> = Vec::new();
        for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.path().extension().is_some_and(|e| e == "toml") => {
                    match read(entry.path()) {
                        Ok(text) => {
                            let path = entry.path().strip_prefix(folder);
                            texts.push((path.unwrap_or(entry.path()).to_owned(), text));
                        }
                        Err(error) => errors.push(Box::new(error)),
                    }
                }
                Ok(_) => {}
                Err(error) => errors.push(Box::new(error)),
            }
        }
        if errors.is_empty() {
            Ok(Self { texts })
        } else {
            Err(SuiteErrors(errors))
        }
    }

    /// Returns the names of the suites, sorted.
    pub fn names(&self) -> Vec<String> {
        self.texts.iter().map(|(path, _)| name_of(path)).collect()
    }
}

/// Loads suites by name or by the path of a `.toml` file; all of them where `names` is empty.
///
/// # Errors
/// [`SuiteErrors`] with everything that is wrong with any of them.
pub fn load(folder: &Path, names: &[String]) -> Result<Vec<Suite>, SuiteErrors> {
    let suites = Suites::find(folder)?;
    let wanted = if names.is_empty() {
        suites.names()
    } else {
        names.to_vec()
    };
    let mut loaded: Vec<Suite> = Vec::new();
    let mut errors = Vec::new();
    for (index, name) in wanted.iter().enumerate() {
        if wanted[..index].contains(name) {
            continue;
        }
        match suites.parse(folder, name) {
            Ok(suite) if loaded.iter().any(|other| other.name == suite.name) => {
                errors.push(twin(name, suite.name).into());
            }
            Ok(suite) => loaded.push(suite),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(loaded)
    } else {
        Err(SuiteErrors(errors))
    }
}

impl Suites {
    fn parse(
        &self,
        folder: &Path,
        name: &str,
    ) -> Result<Suite, Box<dyn std::error::Error + Send + Sync>> {
        let file = Path::new(name);
        let (path, name, text) = if file.extension().is_some_and(|e| e == "toml") {
            let stem = file.file_name().map_or(file, Path::new);
            let below = file.strip_prefix(folder).unwrap_or(stem);
            (file.to_owned(), name_of(below), read(file)?)
        } else {
            let known = self.texts.iter().find(|(path, _)| name_of(path) == name);
            let (path, text) = known.ok_or_else(|| {
                let names = self.names();
                UnknownName::new("suite", name, names.iter().map(String::as_str))
            })?;
            (path.clone(), name.to_owned(), text.clone())
        };
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Ok(
            Suite::parse(&name, &text, &variable).map_err(|kind| SuiteError {
                path,
                kind: Box::new(kind),
            })?,
        )
    }
}

fn twin(path: &str, name: String) -> SuiteError {
    SuiteError {
        path: path.into(),
        kind: Box::new(SuiteErrorKind::Twin { name }),
    }
}

fn read(path: &Path) -> Result<String, SuiteError> {
    fs::read_to_string(path).map_err(|error| SuiteError {
        path: path.to_owned(),
        kind: Box::new(SuiteErrorKind::Io(error)),
    })
}

/// Returns the path without its extension, parts joined by `/`.
fn name_of(path: &Path) -> String {
    let stem = path.with_extension("");
    let parts: Vec<_> = stem.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/suites");

    fn names(folder: &str, names: &[&str]) -> Result<Vec<String>, SuiteErrors> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let suites = load(folder.as_ref(), &names)?;
        Ok(suites.into_iter().map(|suite| suite.name).collect())
    }

    #[test]
    fn the_binary_has_what_the_folder_has() {
        let embedded = names("/nowhere", &[]).unwrap();
        assert_eq!(embedded, names(SUITES, &[]).unwrap());
        assert!(embedded.contains(&"paper/track1-allocation".to_owned()));
    }

    #[test]
    fn a_name_and_a_path_are_the_same_suite() {
        let name = "experiments/uniform-vs-erk";
        let path = format!("{SUITES}/{name}.toml");
        assert_eq!(names(SUITES, &[name, name]).unwrap(), [name]);
        assert_eq!(names(SUITES, &[&path]).unwrap(), [name]);
        assert_eq!(names("/nowhere", &[&path]).unwrap(), ["uniform-vs-erk"]);
        let message = names(SUITES, &[name, &path]).unwrap_err().to_string();
        assert!(message.contains("is that of another suite"), "{message}");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("a.toml", "descripton = 1"), ("b.toml", "=")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let message = load(folder.path(), &[]).unwrap_err().to_string();
        for part in [
            "`a.toml`",
            "unknown field `descripton`",
            "`b.toml`",
            "line 1, column 1",
        ] {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
    }
}
