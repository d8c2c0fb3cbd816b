//! Records on disk: `<root>/<suite>/<task>/<dataset>/<model>/<allocator>/<reconstruction>@<sparsity>.json`, and beside
//! them `<root>/<suite>/summary.json`.

use super::{CaseIdError, Record, RunSummary, SCHEMA, case_path, id};
use crate::atomic;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::{fs, io};

const SUMMARY: &str = "summary.json";

/// A folder of results.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// Everything that a folder of results holds.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The records, sorted by case id.
    pub records: Vec<Record>,
    /// What the last run of each suite could not compute, sorted by suite.
    pub summaries: Vec<RunSummary>,
    /// The files that could not be used, sorted by path.
    pub problems: Vec<StoreError>,
}

/// A result that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("result `{}` is unusable", path.display())]
pub struct StoreError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub kind: StoreErrorKind,
}

/// What is wrong with a result.
#[derive(Debug, thiserror::Error)]
pub enum StoreErrorKind {
    /// It is not there, or the file system refuses.
    #[error("it cannot be read, name what `ptsbench run --out` or `merge --out` wrote")]
    Io(#[from] io::Error),
    /// The file system refuses to take it.
    #[error("it cannot be written, make room or access for it and run again")]
    Unwritten(#[source] io::Error),
    /// The file is not the JSON that it should be.
    #[error("not a result in JSON, delete it to compute it anew")]
    Json(#[from] serde_json::Error),
    /// The record was written in another format.
    #[error("schema {found}, expected {SCHEMA}; it has to be computed anew")]
    Schema {
        /// The version in the file.
        found: u64,
    },
    /// The record is that of a case that belongs elsewhere.
    #[error("it holds case `{case}`, which belongs in another file; move or delete it")]
    Misplaced {
        /// The case in the file.
        case: String,
    },
    /// Another file has a record of the same case and seed.
    #[error("the same case and seed as in `{}`, which counts", first.display())]
    Doubled {
        /// That file.
        first: PathBuf,
    },
    /// The case id is unfit for a path.
    #[error(transparent)]
    Case(#[from] CaseIdError),
    /// The suite's name is unfit for a path.
    #[error("`{suite}` is not a suite's name: {why}")]
    Suite {
        /// The name.
        suite: String,
        /// Why it is unfit.
        why: &'static str,
    },
}

impl Store {
    /// Makes a store in the folder `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns the record of `case` where there is one under the same `key`, so that it need not be computed again.
    ///
    /// # Errors
    /// The file is corrupt, of another schema or unreadable: worth reporting, and worth computing the case anew.
    pub fn load(&self, case: &str, key: &str) -> Result<Option<Record>, StoreError> {
        let path = self.path(case)?;
        if !path.exists() {
            return Ok(None);
        }
        let record = self.read_record(&path)?;
        Ok(Some(record).filter(|record| record.key == key))
    }

    /// Writes a record in place of the one that its case may have, atomically.
    ///
    /// # Errors
    /// The case id is unfit for a path, or the file system refuses.
    pub fn save(&self, record: &Record) -> Result<(), StoreError> {
        write_json(&self.path(&record.case)?, record)
    }

    /// Writes what the run of a suite could not compute in place of what an earlier run left, atomically.
    ///
    /// # Errors
    /// The suite's name is unfit for a path, or the file system refuses.
    pub fn save_summary(&self, summary: &RunSummary) -> Result<(), StoreError> {
        let folder = id::folder_path(&summary.suite).map_err(|why| StoreError {
            path: self.root.clone(),
            kind: StoreErrorKind::Suite {
                suite: summary.suite.clone(),
                why,
            },
        })?;
        write_json(&self.root.join(folder).join(SUMMARY), summary)
    }

    /// Reads every record and summary; what cannot be read is gathered, not fatal.
    ///
    /// # Errors
    /// The folder itself cannot be read.
    pub fn load_all(&self) -> Result<Loaded, StoreError> {
        fs::read_dir(&self.root).map_err(|error| failure(&self.root, error))?;
        let mut loaded = Loaded::default();
        for entry in walkdir::WalkDir::new(&self.root).sort_by_file_name() {
            self.load_entry(entry, &mut loaded)
                .unwrap_or_else(|problem| loaded.problems.push(problem));
        }
        loaded.records.sort_by(|a, b| a.case.cmp(&b.case));
        loaded.summaries.sort_by(|a, b| a.suite.cmp(&b.suite));
        Ok(loaded)
    }

    fn load_entry(
        &self,
        entry: walkdir::Result<walkdir::DirEntry>,
        loaded: &mut Loaded,
    ) -> Result<(), StoreError> {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(&self.root).to_owned();
            failure(&path, io::Error::from(error))
        })?;
        let path = entry.path();
        if entry.file_type().is_dir() || path.extension().is_none_or(|ext| ext != "json") {
            return Ok(());
        }
        if entry.file_name() == SUMMARY {
            loaded.summaries.push(read_json(path)?);
        } else {
            loaded.records.push(self.read_record(path)?);
        }
        Ok(())
    }

    pub(super) fn path(&self, case: &str) -> Result<PathBuf, StoreError> {
        let path = case_path(case).map_err(|error| failure(&self.root, error))?;
        let mut path = self.root.join(path).into_os_string();
        path.push(".json");
        Ok(path.into())
    }

    fn read_record(&self, path: &Path) -> Result<Record, StoreError> {
        let bytes = fs::read(path).map_err(|error| failure(path, error))?;
        let record = Record::parse(&bytes).map_err(|kind| failure(path, kind))?;
        if self.path(&record.case)? == path {
            Ok(record)
        } else {
            let case = record.case;
            Err(failure(path, StoreErrorKind::Misplaced { case }))
        }
    }
}

impl Record {
    /// Reads a record from the bytes of its file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, StoreErrorKind> {
        let value: serde_json::Value = serde_json::from_slice(bytes)?;
        match value.get("schema").and_then(serde_json::Value::as_u64) {
            Some(found) if found != u64::from(SCHEMA) => Err(StoreErrorKind::Schema { found }),
            _ => Ok(serde_json::from_value(value)?),
        }
    }
}

fn failure(path: &Path, kind: impl Into<StoreErrorKind>) -> StoreError {
    StoreError {
        path: path.to_owned(),
        kind: kind.into(),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    let text = fs::read(path).map_err(|error| failure(path, error))?;
    serde_json::from_slice(&text).map_err(|error| failure(path, error))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| failure(path, error))?;
    text.push(b'\n');
    atomic::write(path, &text).map_err(|error| failure(path, StoreErrorKind::Unwritten(error)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::super::{Failed, Ignored};
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("results"));
        (folder, store)
    }

    #[test]
    fn a_record_is_found_again_under_its_key_only() {
        let (_folder, store) = store();
        let record = record("resnet20", "erk", "block-sparse-weight+bias-sgd", 0.8, 70.0);
        assert!(store.load(&record.case, "k0").unwrap().is_none());
        store.save(&record).unwrap();
        let path = "default/classification/fashion-mnist/resnet20/erk/block-sparse-weight+bias-sgd@0.80.json";
        assert!(store.root.join(path).is_file());
        assert_eq!(
            store.load(&record.case, "k0").unwrap(),
            Some(record.clone())
        );
        assert_eq!(store.load(&record.case, "k1").unwrap(), None);
    }

    #[test]
    fn all_records_and_problems_are_gathered() {
        let (_folder, store) = store();
        for model in ["vit", "resnet20"] {
            store
                .save(&record(model, "erk", "none", 0.8, 70.0))
                .unwrap();
        }
        let bad = |name: &str, text: &str| fs::write(store.root.join("default").join(name), text);
        bad("a-truncated.json", "{\"schema\": 1, ").unwrap();
        bad("b-old.json", "{\"schema\": 0, \"gone\": true}").unwrap();
        bad("c-empty.json", "{}").unwrap();
        bad(".x.tmp", "half a rec").unwrap();
        let case = store
            .path("default::classification/fashion-mnist/vit/erk/none@0.80")
            .unwrap();
        fs::copy(case, store.root.join("default/d-copy.json")).unwrap();

        let loaded = store.load_all().unwrap();
        let models: Vec<&str> = loaded.records.iter().map(|r| r.model.as_str()).collect();
        assert_eq!(models, ["resnet20", "vit"]);
        let kinds: Vec<String> = loaded.problems.iter().map(|p| p.kind.to_string()).collect();
        assert_eq!(kinds.len(), 4, "{kinds:?}");
        assert!(kinds[0].contains("not a result in JSON"), "{}", kinds[0]);
        assert!(kinds[1].contains("schema 0, expected 3"), "{}", kinds[1]);
        assert!(kinds[2].contains("not a result in JSON"), "{}", kinds[2]);
        assert!(kinds[3].contains("belongs in another file"), "{}", kinds[3]);
    }

    #[test]
    fn a_corrupt_record_is_an_error_that_names_its_file() {
        let (_folder, store) = store();
        let record = record("resnet20", "erk", "none", 0.8, 70.0);
        store.save(&record).unwrap();
        let path = store.path(&record.case).unwrap();
        fs::write(&path, "{").unwrap();
        let error = store.load(&record.case, "k0").unwrap_err();
        assert_eq!(error.path, path);
        assert!(matches!(error.kind, StoreErrorKind::Json(_)));
    }

    #[test]
    fn summaries_are_kept_by_suite() {
        let (_folder, store) = store();
        let summary = RunSummary {
            suite: "paper/track1".to_owned(),
            ignored: vec![Ignored {
                case: "paper/track1::a@0.80".to_owned(),
                reason: "no data".to_owned(),
            }],
            failed: vec![Failed {
                case: "paper/track1::b@0.80".to_owned(),
                message: "diverged".to_owned(),
            }],
        };
        store.save_summary(&summary).unwrap();
        assert_eq!(store.load_all().unwrap().summaries, [summary]);
        let error = store
            .save_summary(&RunSummary {
                suite: "../up".to_owned(),
                ..RunSummary::default()
            })
            .unwrap_err();
        assert!(matches!(error.kind, StoreErrorKind::Suite { .. }));
    }

    #[test]
    fn an_absent_folder_is_an_error() {
        let (_folder, store) = store();
        let error = store.load_all().unwrap_err();
        assert_eq!(error.path, store.root);
        assert!(matches!(error.kind, StoreErrorKind::Io(_)));
    }
}
