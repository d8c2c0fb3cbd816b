//! How far records have drifted from their goldens, within the tolerances or beyond.

use super::{Deviation, GoldenErrorKind, file, numbers, quantities, side_by_side};
use crate::record::{Number, Ordered, Record, Scale, case_path};
use std::path::Path;

/// How far a record is from its golden.
#[derive(Debug)]
pub struct Drift {
    /// The case id.
    pub case: String,
    /// All numbers of the record beside those of the golden, those nearest to failing first.
    pub numbers: Result<Vec<Deviation>, GoldenErrorKind>,
}

impl Drift {
    /// Compares `record` with its golden below `root`; `scale` tells the tolerance of a metric. Nothing is written.
    pub fn of(record: &Record, root: &Path, scale: impl Fn(&str) -> Scale) -> Self {
        Self {
            case: record.case.clone(),
            numbers: numbers_of(record, root, scale),
        }
    }

    /// Returns the number nearest to failing.
    pub fn tightest(&self) -> Option<&Deviation> {
        self.numbers.as_ref().ok()?.first()
    }

    /// Returns the part of its allowance that the number nearest to failing has used up, see [`Deviation::share`]; infinity where
    /// there is no golden to compare with.
    pub fn share(&self) -> f64 {
        match &self.numbers {
            Ok(_) => self.tightest().map_or(0.0, Deviation::share),
            Err(_) => f64::INFINITY,
        }
    }

    /// Whether the record passes.
    pub fn is_within(&self) -> bool {
        self.share() <= 1.0
    }

    /// Whether there is no golden.
    pub fn is_missing(&self) -> bool {
        matches!(self.numbers, Err(GoldenErrorKind::Missing { .. }))
    }

    /// Returns what keeps the record from being compared.
    pub fn problem(&self) -> Option<String> {
        let kind = self.numbers.as_ref().err()?;
        Some(if self.is_missing() {
            "no golden".to_owned()
        } else {
            kind.to_string()
        })
    }
}

fn numbers_of(
    record: &Record,
    root: &Path,
    scale: impl Fn(&str) -> Scale,
) -> Result<Vec<Deviation>, GoldenErrorKind> {
    let golden = read(&file(root, &case_path(&record.case)?))?;
    let mut all = side_by_side(&golden, &quantities(record, scale));
    all.sort_by(|a, b| b.share().total_cmp(&a.share()));
    Ok(all)
}

/// Reads the numbers of a golden.
pub(super) fn read(path: &Path) -> Result<Ordered<Number>, GoldenErrorKind> {
    if !path.exists() {
        return Err(GoldenErrorKind::Missing {
            path: path.to_owned(),
        });
    }
    let corrupt = |why: String| GoldenErrorKind::Corrupt {
        path: path.to_owned(),
        why,
    };
    let snapshot = insta::Snapshot::from_file(path).map_err(|e| corrupt(e.to_string()))?;
    numbers(&snapshot).map_err(|e| corrupt(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::scale;
    use super::*;
    use crate::record::tests::record;
    use std::fs;

    #[test]
    fn the_number_nearest_to_failing_comes_first() {
        let root = tempfile::tempdir().unwrap();
        let record = record("resnet20", "erk", "none", 0.8, 70.0);
        let missing = Drift::of(&record, root.path(), scale);
        assert!(missing.is_missing() && !missing.is_within());

        let path = file(root.path(), &case_path(&record.case).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let golden = r#"{"top1 dense": 80.0, "top1 sparse": 70.4, "gone": 1.0}"#;
        fs::write(&path, format!("---\nsource: x\n---\n{golden}\n")).unwrap();
        let drift = Drift::of(&record, root.path(), scale);
        let all = drift.numbers.as_ref().unwrap();
        let share = |name: &str| all.iter().find(|d| d.name == name).unwrap().share();
        assert!((share("top1 sparse") - 0.8).abs() < 1e-9);
        assert_eq!(share("top1 dense").to_bits(), 0.0f64.to_bits());
        assert!(share("gone").is_infinite() && share("sparsity").is_infinite());
        assert!(all.is_sorted_by(|a, b| a.share() >= b.share()));
        assert!(drift.share().is_infinite() && drift.problem().is_none());

        fs::write(&path, "---\nsource: x\n---\nno numbers\n").unwrap();
        let corrupt = Drift::of(&record, root.path(), scale);
        assert!(!corrupt.is_missing() && !corrupt.is_within());
        assert!(
            corrupt.problem().unwrap().contains("corrupt"),
            "{corrupt:?}"
        );
    }
}
