//! Results of one run, or of several that differ in their seeds.

use super::{Loaded, Record, Store, StoreError, StoreErrorKind};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Reads the records below `folder`: those of one run, or of all runs in it (`folder/*/results`), such as those that
/// `ptsbench run --seed N --out folder/seedN` leaves. Of two records of the same case and seed the first counts, and the other is a problem.
///
/// # Errors
/// A folder cannot be read.
pub fn load_runs(folder: &Path) -> Result<Loaded, StoreError> {
    let mut all = Loaded::default();
    let mut seen: BTreeMap<(String, u64), PathBuf> = BTreeMap::new();
    for root in roots(folder) {
        let store = Store::new(&root);
        let loaded = store.load_all()?;
        for record in loaded.records {
            let path = store.path(&record.case)?;
            let name = (record.case.clone(), record.environment.seed);
            if let Some(first) = seen.get(&name) {
                let first = first.clone();
                let kind = StoreErrorKind::Doubled { first };
                all.problems.push(StoreError { path, kind });
            } else {
                seen.insert(name, path);
                all.records.push(record);
            }
        }
        for summary in loaded.summaries {
            if !all.summaries.contains(&summary) {
                all.summaries.push(summary);
            }
        }
        all.problems.extend(loaded.problems);
    }
    let name = |record: &Record| (record.case.clone(), record.environment.seed);
    all.records.sort_by_cached_key(name);
    Ok(all)
}

/// Returns the folders of records.
fn roots(folder: &Path) -> Vec<PathBuf> {
    let inside = fs::read_dir(folder).into_iter().flatten().flatten();
    let runs = inside.map(|entry| entry.path().join("results"));
    let mut runs: Vec<PathBuf> = runs.filter(|path| path.is_dir()).collect();
    runs.sort();
    if runs.is_empty() {
        vec![folder.to_owned()]
    } else {
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    #[test]
    fn runs_side_by_side_are_read_together() {
        let folder = tempfile::tempdir().unwrap();
        let save = |run: &str, seed, model| {
            let mut record = record(model, "erk", "none", 0.8, 60.0);
            record.environment.seed = seed;
            let store = Store::new(folder.path().join(run).join("results"));
            store.save(&record).unwrap();
        };
        save("a", 0, "vit");
        save("b", 1, "vit");
        save("c", 1, "vit");
        save("c", 0, "resnet20");
        let loaded = load_runs(folder.path()).unwrap();
        let found: Vec<(&str, u64)> = loaded
            .records
            .iter()
            .map(|record| (&*record.model, record.environment.seed))
            .collect();
        assert_eq!(found, [("resnet20", 0), ("vit", 0), ("vit", 1)]);
        assert_eq!(loaded.problems.len(), 1);
        let problem = loaded.problems[0].kind.to_string();
        assert!(problem.contains("/b/results/"), "{problem}");

        let one = load_runs(&folder.path().join("a/results")).unwrap();
        assert_eq!(one.records.len(), 1);
        assert!(load_runs(&folder.path().join("none")).is_err());
    }
}
