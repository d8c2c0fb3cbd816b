//! Goldens as results.

use super::drift::read;
use super::{GoldenError, GoldenErrorKind, file};
use crate::metrics::METRICS;
use crate::record::{Metric, Number, Ordered, Record, Unit, case_path};
use std::path::Path;

/// Fills `outline`, the record of a case without its results, with what its golden below `root` holds: metrics, rates of layers, losses of
/// units after reconstruction.
///
/// # Errors
/// The golden is missing or corrupt.
pub fn accepted(outline: Record, root: &Path) -> Result<Record, GoldenError> {
    let numbers = case_path(&outline.case)
        .map_err(GoldenErrorKind::from)
        .and_then(|path| read(&file(root, &path)));
    match numbers {
        Ok(numbers) => Ok(filled(outline, &numbers)),
        Err(kind) => Err(GoldenErrorKind::of(&outline)(kind)),
    }
}

fn filled(mut record: Record, numbers: &Ordered<Number>) -> Record {
    let get = |name: &str| numbers.get(name).map(|number| number.0);
    if let Some(achieved) = get("sparsity") {
        record.sparsity.achieved = achieved;
    }
    for layer in &mut record.layers {
        let pruned = get(&format!("pruned {}", layer.name)).unwrap_or_default();
        layer.pruned = pruned as usize;
        layer.sparsity = pruned / layer.numel as f64;
    }
    let metrics = numbers.iter().filter_map(|(name, sparse)| {
        let name = name.strip_suffix(" sparse")?;
        let dense = get(&format!("{name} dense"))?;
        Some((name, metric(name, dense, sparse.0)))
    });
    record.metrics = metrics.collect();
    let units = numbers.iter().filter_map(|(name, loss)| {
        let (_, unit) = name.strip_prefix("loss ")?.split_once(' ')?;
        Some(Unit {
            name: unit.to_owned(),
            layers: Vec::new(),
            loss_before: f64::NAN,
            loss_after: loss.0,
            iterations: 0,
            seconds: f64::NAN,
        })
    });
    record.units = units.collect();
    record
}

fn metric(name: &str, dense: f64, sparse: f64) -> Metric {
    let known = METRICS.find(name).ok();
    Metric {
        dense,
        sparse,
        relative: known.and_then(|metric| metric.relative(dense, sparse)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::scale;
    use super::super::{quantities, render};
    use super::*;
    use crate::record::tests::record;
    use std::fs;

    #[test]
    fn what_a_golden_holds_comes_back_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let mut original = record("resnet20", "erk", "none", 0.8, 60.0);
        original.sparsity.achieved = 0.800_01;
        let path = file(root.path(), &case_path(&original.case).unwrap());
        let mut outline = record("resnet20", "erk", "none", 0.8, f64::NAN);
        outline.layers.iter_mut().for_each(|layer| layer.pruned = 0);
        outline.units.clear();
        assert!(accepted(outline.clone(), root.path()).is_err());

        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let numbers = render(&quantities(&original, scale));
        fs::write(&path, format!("---\nsource: x\n---\n{numbers}\n")).unwrap();
        let found = accepted(outline, root.path()).unwrap();
        assert_eq!(found.metrics, original.metrics);
        assert_eq!(found.layers, original.layers);
        assert_eq!(found.sparsity, original.sparsity);
        let unit = &found.units[0];
        assert_eq!((unit.name.as_str(), unit.loss_after), ("layer1.0", 0.125));
    }
}
