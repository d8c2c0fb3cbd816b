//! How far records have drifted from their goldens, within the tolerances or beyond.

use super::{Deviation, GoldenError, GoldenErrorKind, file, numbers, quantities, side_by_side};
use crate::record::{Record, Scale, case_path};
use std::path::Path;

/// Puts all numbers of `record` beside those of its golden below `root`, those nearest to failing first; `scale` tells the tolerance of a
/// metric. Nothing is written.
///
/// # Errors
/// The golden is missing or corrupt.
pub fn drift(
    record: &Record,
    root: &Path,
    scale: impl Fn(&str) -> Scale,
) -> Result<Vec<Deviation>, GoldenError> {
    let read = || {
        let path = file(root, &case_path(&record.case)?);
        if !path.exists() {
            return Err(GoldenErrorKind::Missing { path });
        }
        let corrupt = |why: String| GoldenErrorKind::Corrupt {
            path: path.clone(),
            why,
        };
        let snapshot = insta::Snapshot::from_file(&path).map_err(|e| corrupt(e.to_string()))?;
        numbers(&snapshot).map_err(|e| corrupt(e.to_string()))
    };
    let golden = read().map_err(GoldenErrorKind::of(record))?;
    let mut all = side_by_side(&golden, &quantities(record, scale));
    all.sort_by(|a, b| b.share().total_cmp(&a.share()));
    Ok(all)
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
        let missing = drift(&record, root.path(), scale).unwrap_err();
        assert!(matches!(missing.kind, GoldenErrorKind::Missing { .. }));

        let path = file(root.path(), &case_path(&record.case).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let golden = r#"{"top1 dense": 80.0, "top1 sparse": 70.4, "gone": 1.0}"#;
        fs::write(&path, format!("---\nsource: x\n---\n{golden}\n")).unwrap();
        let all = drift(&record, root.path(), scale).unwrap();
        let share = |name: &str| all.iter().find(|d| d.name == name).unwrap().share();
        assert!((share("top1 sparse") - 0.8).abs() < 1e-9);
        assert_eq!(share("top1 dense").to_bits(), 0.0f64.to_bits());
        assert!(share("gone").is_infinite() && share("sparsity").is_infinite());
        assert!(all.is_sorted_by(|a, b| a.share() >= b.share()));

        fs::write(&path, "---\nsource: x\n---\nno numbers\n").unwrap();
        let corrupt = drift(&record, root.path(), scale).unwrap_err();
        assert!(matches!(corrupt.kind, GoldenErrorKind::Corrupt { .. }));
    }
}
