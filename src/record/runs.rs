//! Results of one run, or of several that differ in their seeds.

use super::{Join, Loaded, StoreError, StoreErrorKind};
use std::fs;
use std::path::{Path, PathBuf};

/// Reads the records below `folder` (see [`roots`]): those of one run, or of all runs in it, such as those that
/// `ptsbench run --seed N --out folder/seedN` leaves. Of two records of the same case and seed the first counts, and the other is a problem.
///
/// # Errors
/// A folder cannot be read.
pub fn load_runs(folder: &Path) -> Result<Loaded, StoreError> {
    let mut join = Join::default();
    for root in roots(folder) {
        join.add(&root)?;
    }
    let (mut loaded, doubles) = join.into_loaded();
    let unused = doubles.into_iter().map(|double| StoreError {
        path: double.second,
        kind: StoreErrorKind::Doubled {
            first: double.first,
        },
    });
    loaded.problems.extend(unused);
    Ok(loaded)
}

/// Returns the folders of records of the runs below `folder`: `folder/*/results`, or `folder/results` if there are none, or else `folder`
/// itself.
pub fn roots(folder: &Path) -> Vec<PathBuf> {
    let inside = fs::read_dir(folder).into_iter().flatten().flatten();
    let runs = inside.map(|entry| entry.path().join("results"));
    let mut runs: Vec<PathBuf> = runs.filter(|path| path.is_dir()).collect();
    runs.sort();
    if runs.is_empty() {
        let own = folder.join("results");
        runs.push(if own.is_dir() { own } else { folder.to_owned() });
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::Store;
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
        let above = load_runs(&folder.path().join("a")).unwrap();
        assert_eq!(above.records, one.records);
        assert!(load_runs(&folder.path().join("none")).is_err());
    }
}
