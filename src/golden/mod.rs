//! Goldens: accepted results, kept as text beside the code and compared within tolerances.
//!
//! A golden holds what must not drift as one flat list of named numbers: the metrics of the dense and of the sparse
//! network, the number of weights pruned in each layer, the loss of each unit after reconstruction. Times and memory are
//! left out. It lies in `<root>/<suite>/<task>/<dataset>/<model>/<allocator>/<reconstruction>@<sparsity>.snap`, with the
//! case's specification in its header, and is an [insta](https://insta.rs) snapshot, so that `cargo insta review` and
//! `INSTA_UPDATE` work on it. Only the comparison is ours: a number within its allowance passes and leaves the file
//! alone, which rounding could not do (it flips at a rounding edge).
//!
//! | quantity | allowance |
//! | --- | --- |
//! | `<metric> dense`, `<metric> sparse` | the metric's tolerance |
//! | `sparsity` | 1e-4 |
//! | `pruned <layer>` | 2 weights or 0.1 % of the layer, whichever is more |
//! | `loss <index> <unit>` | 10 % |

mod accepted;
mod drift;

pub use accepted::accepted;
pub use drift::Drift;

use crate::panics::caught;
use crate::record::{CaseIdError, Number, Ordered, Record, Scale, case_path};
use insta::Comparator;
use insta::internals::SnapshotContents;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A record that does not agree with its golden.
#[derive(Debug, thiserror::Error)]
#[error("golden of `{case}`: {kind}")]
pub struct GoldenError {
    /// The case id.
    pub case: String,
    /// What is wrong.
    pub kind: GoldenErrorKind,
}

/// What is wrong between a record and its golden. Every message ends in how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum GoldenErrorKind {
    /// The case id names no file.
    #[error(transparent)]
    Case(#[from] CaseIdError),
    /// There is no golden yet.
    #[error("`{}` does not exist\n{ACCEPT}", path.display())]
    Missing {
        /// Where it belongs.
        path: PathBuf,
    },
    /// The golden's file cannot be understood.
    #[error(
        "`{}` is corrupt ({why}); restore it from version control, or accept the new result\n{ACCEPT}",
        path.display()
    )]
    Corrupt {
        /// The golden's file.
        path: PathBuf,
        /// What was found in it.
        why: String,
    },
    /// Numbers differ by more than they may.
    #[error("`{}` differs\n{}{ACCEPT}", path.display(), table(deviations))]
    Differs {
        /// The golden's file.
        path: PathBuf,
        /// The numbers that differ by more than they may.
        deviations: Vec<Deviation>,
    },
    /// The file system or the settings of insta stand in the way.
    #[error("cannot compare with `{}`: {why}", path.display())]
    Insta {
        /// The golden's file.
        path: PathBuf,
        /// What insta says.
        why: String,
    },
}

const ACCEPT: &str =
    "to accept the new result: `cargo insta review`, or `INSTA_UPDATE=always cargo test --release`";

/// A number beside its golden.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deviation {
    /// The name of the quantity, for example `top1 sparse`.
    pub name: String,
    /// The accepted value; `None` if the golden lacks it.
    pub golden: Option<f64>,
    /// The new value; `None` if the record lacks it.
    pub new: Option<f64>,
    /// By how much they may differ.
    pub allowed: f64,
}

/// How far a number may lie from its golden.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Allowance {
    Absolute(f64),
    Relative(f64),
}

/// One number that must not drift.
#[derive(Debug, Clone)]
struct Quantity {
    name: String,
    value: f64,
    allowance: Allowance,
}

/// Compares `record` with its golden below `root`; `scale` tells the tolerance of a metric.
///
/// Outside CI, a record that is not within the tolerances leaves a `.snap.new` beside the golden; under CI (the variable
/// `CI` is set) nothing is written. `INSTA_UPDATE` overrides both, see insta's documentation.
///
/// # Errors
/// The golden is missing or corrupt, or a quantity is outside its tolerance.
pub fn check(
    record: &Record,
    root: &Path,
    scale: impl Fn(&str) -> Scale,
) -> Result<(), GoldenError> {
    let compared = || {
        let relative = case_path(&record.case)?;
        compare_files(record, root, &relative, quantities(record, scale))
    };
    compared().map_err(GoldenErrorKind::of(record))
}

impl GoldenErrorKind {
    /// Returns a function that says whose golden it is, for `map_err`.
    fn of(record: &Record) -> impl FnOnce(Self) -> GoldenError {
        let case = record.case.clone();
        move |kind| GoldenError { case, kind }
    }
}

/// Returns the file of a case's golden, whose path below `root` is `relative` without its extension.
fn file(root: &Path, relative: &Path) -> PathBuf {
    let mut path = root.join(relative).into_os_string();
    path.push(".snap");
    path.into()
}

fn compare_files(
    record: &Record,
    root: &Path,
    relative: &Path,
    quantities: Vec<Quantity>,
) -> Result<(), GoldenErrorKind> {
    let path = file(root, relative);
    let root = std::path::absolute(root).map_err(|error| GoldenErrorKind::Insta {
        path: path.clone(),
        why: error.to_string(),
    })?;
    let text = render(&quantities);
    let outcome = Arc::default();
    let within = Within {
        quantities: quantities.into(),
        outcome: Arc::clone(&outcome),
    };
    let settings = settings(record, &root.join(relative), within);
    let answer = settings.bind(|| assert(&root, relative, &text));
    let outcome = std::mem::take(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner));
    match answer {
        Ok(()) => Ok(()),
        Err(Refusal::Trouble(why)) => Err(GoldenErrorKind::Insta { path, why }),
        Err(Refusal::Mismatch) => Err(explain(outcome, path)),
    }
}

fn settings(record: &Record, file: &Path, within: Within) -> insta::Settings {
    let mut settings = insta::Settings::new();
    settings.set_comparator(Box::new(within));
    settings.set_snapshot_path(file.parent().unwrap_or(file));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(&record.case);
    settings.set_info(&record.spec);
    settings
}

/// Why insta did not accept a snapshot.
enum Refusal {
    /// It differs from the golden, or there is none.
    Mismatch,
    /// Files or settings are in the way.
    Trouble(String),
}

/// Asserts as `insta::assert_snapshot!` does, but hands back what the macro would panic with.
fn assert(root: &Path, relative: &Path, text: &str) -> Result<(), Refusal> {
    let name = relative.file_name().map(|name| name.to_string_lossy());
    let value = (name.map(String::from), text).into();
    // What the macro expands to, less its search for the workspace: it starts `cargo metadata` in every process, and
    // there may be no cargo where this runs.
    let answer = caught(|| {
        insta::_macro_support::assert_snapshot(
            value,
            root.parent().unwrap_or(root),
            "check",
            module_path!(),
            file!(),
            line!(),
            "",
        )
        .map_err(|error| error.to_string())
    });
    match answer {
        Ok(result) => result.map_err(Refusal::Trouble),
        Err(message) if message.starts_with("snapshot assertion") => Err(Refusal::Mismatch),
        Err(message) => Err(Refusal::Trouble(message)),
    }
}

fn explain(outcome: Outcome, path: PathBuf) -> GoldenErrorKind {
    match outcome {
        Outcome::Deviations(deviations) => GoldenErrorKind::Differs { path, deviations },
        Outcome::Unreadable(why) => GoldenErrorKind::Corrupt { path, why },
        // insta does not ask the comparator when it finds no golden, or one whose header it cannot read.
        Outcome::NotCompared if path.exists() => GoldenErrorKind::Corrupt {
            path,
            why: "its header is not that of a snapshot".to_owned(),
        },
        Outcome::NotCompared => GoldenErrorKind::Missing { path },
    }
}

fn quantities(record: &Record, scale: impl Fn(&str) -> Scale) -> Vec<Quantity> {
    let quantity = |name: String, value, allowance| Quantity {
        name,
        value,
        allowance,
    };
    let metrics = record.metrics.iter().flat_map(|(name, metric)| {
        let allowance = Allowance::Absolute(scale(name).tolerance);
        [("dense", metric.dense), ("sparse", metric.sparse)]
            .map(|(which, value)| quantity(format!("{name} {which}"), value, allowance))
    });
    let sparsity = quantity(
        "sparsity".to_owned(),
        record.sparsity.achieved,
        Allowance::Absolute(1e-4),
    );
    let layers = record.layers.iter().map(|layer| {
        let allowance = Allowance::Absolute((layer.numel as f64 * 1e-3).max(2.0));
        let name = format!("pruned {}", layer.name);
        quantity(name, layer.pruned as f64, allowance)
    });
    let units = record.units.iter().enumerate().map(|(index, unit)| {
        let name = format!("loss {index} {}", unit.name);
        quantity(name, unit.loss_after, Allowance::Relative(0.1))
    });
    let numbers = metrics.chain([sparsity]).chain(layers).chain(units);
    numbers.collect()
}

fn render(quantities: &[Quantity]) -> String {
    let numbers: Ordered<Number> = quantities
        .iter()
        .map(|quantity| (quantity.name.clone(), Number(quantity.value)))
        .collect();
    serde_json::to_string_pretty(&numbers).expect("names and numbers have a JSON form")
}

fn deviations(golden: &Ordered<Number>, new: &[Quantity]) -> Vec<Deviation> {
    let mut all = side_by_side(golden, new);
    all.retain(|number| !number.is_within());
    all
}

/// Puts the numbers of a golden and of a record beside each other.
fn side_by_side(golden: &Ordered<Number>, new: &[Quantity]) -> Vec<Deviation> {
    let accepted: HashMap<&str, f64> = golden.iter().map(|(name, n)| (name, n.0)).collect();
    let known = new.iter().map(|quantity| {
        let golden = accepted.get(quantity.name.as_str()).copied();
        quantity.beside(golden)
    });
    let gone = golden
        .iter()
        .filter(|(name, _)| !new.iter().any(|quantity| quantity.name == *name))
        .map(|(name, number)| Deviation {
            name: name.to_owned(),
            golden: Some(number.0),
            new: None,
            allowed: 0.0,
        });
    known.chain(gone).collect()
}

impl Quantity {
    fn beside(&self, golden: Option<f64>) -> Deviation {
        Deviation {
            name: self.name.clone(),
            golden,
            new: Some(self.value),
            allowed: golden.map_or(0.0, |golden| self.allowance.around(golden)),
        }
    }
}

impl Deviation {
    /// Returns the part of the allowance that is used up: 0 where the numbers are equal, above 1 where they differ by more than they
    /// may, infinity where one is absent.
    pub fn share(&self) -> f64 {
        let (Some(golden), Some(new)) = (self.golden, self.new) else {
            return f64::INFINITY;
        };
        let both_nan = golden.is_nan() && new.is_nan();
        if both_nan || golden.total_cmp(&new).is_eq() || golden == new {
            return 0.0;
        }
        let share = (new - golden).abs() / self.allowed;
        if share.is_nan() { f64::INFINITY } else { share }
    }

    fn is_within(&self) -> bool {
        self.share() <= 1.0
    }
}

impl Allowance {
    /// The difference that is forgiven whatever the value: a loss of nearly nothing is all rounding.
    const FLOOR: f64 = 1e-9;

    fn around(self, golden: f64) -> f64 {
        match self {
            Self::Absolute(allowed) => allowed,
            // An infinite golden allows nothing but itself.
            Self::Relative(_) if !golden.is_finite() => 0.0,
            Self::Relative(share) => share * golden.abs() + Self::FLOOR,
        }
    }
}

/// Formats deviations as a table, a line each.
fn table(deviations: &[Deviation]) -> String {
    let number =
        |value: Option<f64>| value.map_or("absent".to_owned(), |value| Short(value).to_string());
    let mut rows = vec![["metric", "golden", "new", "delta", "allowed"].map(str::to_owned)];
    rows.extend(deviations.iter().map(|row| {
        let delta = row.golden.zip(row.new).map(|(golden, new)| new - golden);
        [
            row.name.clone(),
            number(row.golden),
            number(row.new),
            delta.map_or("-".to_owned(), |delta| Short(delta).to_string()),
            Short(row.allowed).to_string(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 5] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let line = |row: &[String; 5]| {
        let [name, numbers @ ..] = row;
        let name = format!("{name:width$}", width = widths[0]);
        let numbers = numbers.iter().zip(&widths[1..]);
        let cells = numbers.fold(name, |line, (text, width)| {
            format!("{line}  {text:>width$}")
        });
        cells + "\n"
    };
    rows.iter().map(line).collect()
}

/// A number as people read it: few digits, an exponent only where it helps.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.abs() {
            size if size == 0.0 || size.fract() == 0.0 || !size.is_finite() => self.0.fmt(f),
            size if size < 1e-3 => write!(f, "{:.3e}", self.0),
            _ => write!(f, "{:.4}", self.0),
        }
    }
}

/// Reads the numbers of a golden.
fn numbers(snapshot: &insta::Snapshot) -> serde_json::Result<Ordered<Number>> {
    let text = match snapshot.contents() {
        SnapshotContents::Text(text) => text.to_string(),
        SnapshotContents::Binary(_) => String::new(),
    };
    serde_json::from_str(&text)
}

/// The comparison that insta asks for; keeps what it found for the message.
#[derive(Clone)]
struct Within {
    quantities: Arc<[Quantity]>,
    outcome: Arc<Mutex<Outcome>>,
}

#[derive(Debug, Default)]
enum Outcome {
    #[default]
    NotCompared,
    Unreadable(String),
    Deviations(Vec<Deviation>),
}

impl Comparator for Within {
    fn matches(&self, reference: &insta::Snapshot, _: &insta::Snapshot) -> bool {
        let outcome = match numbers(reference) {
            Ok(golden) => Outcome::Deviations(deviations(&golden, &self.quantities)),
            Err(error) => Outcome::Unreadable(error.to_string()),
        };
        let matches = matches!(&outcome, Outcome::Deviations(none) if none.is_empty());
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
        matches
    }

    fn dyn_clone(&self) -> Box<dyn Comparator> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    pub(super) fn scale(_: &str) -> Scale {
        Scale {
            tolerance: 0.5,
            ..Scale::default()
        }
    }

    fn names_outside(golden: &Record, new: &Record) -> Vec<String> {
        let golden = serde_json::from_str(&render(&quantities(golden, scale))).unwrap();
        let rows = deviations(&golden, &quantities(new, scale));
        rows.into_iter().map(|row| row.name).collect()
    }

    #[test]
    fn every_quantity_has_its_own_allowance() {
        type Edit = fn(&mut Record);
        let golden = record("resnet20", "erk", "none", 0.8, 70.0);
        let cases: &[(&str, Edit, &[&str])] = &[
            ("times", |r| r.seconds.total = 99.0, &[]),
            ("host", |r| r.environment.threads = 64, &[]),
            ("sparsity", |r| r.sparsity.achieved += 2e-4, &["sparsity"]),
            ("two weights", |r| r.layers[0].pruned += 2, &[]),
            (
                "three of 1,000",
                |r| r.layers[0].pruned += 3,
                &["pruned conv1"],
            ),
            ("nine of 9,000", |r| r.layers[1].pruned -= 9, &[]),
            ("ten of 9,000", |r| r.layers[1].pruned -= 10, &["pruned fc"]),
            ("loss + 9 %", |r| r.units[0].loss_after *= 1.09, &[]),
            (
                "loss + 11 %",
                |r| r.units[0].loss_after *= 1.11,
                &["loss 0 layer1.0"],
            ),
            (
                "loss NaN",
                |r| r.units[0].loss_after = f64::NAN,
                &["loss 0 layer1.0"],
            ),
            ("unit gone", |r| r.units.clear(), &["loss 0 layer1.0"]),
            (
                "layer renamed",
                |r| r.layers[1].name = "head".into(),
                &["pruned head", "pruned fc"],
            ),
        ];
        for (what, edit, expected) in cases {
            let mut new = golden.clone();
            edit(&mut new);
            assert_eq!(names_outside(&golden, &new), *expected, "{what}");
        }
    }

    #[test]
    fn metrics_are_compared_within_their_tolerance() {
        let golden = record("resnet20", "erk", "none", 0.8, 70.0);
        for (top1, within) in [
            (70.5, true),
            (69.5, true),
            (70.51, false),
            (f64::NAN, false),
            (f64::INFINITY, false),
        ] {
            let new = record("resnet20", "erk", "none", 0.8, top1);
            assert_eq!(names_outside(&golden, &new).is_empty(), within, "{top1}");
        }
    }

    #[test]
    fn what_diverged_must_diverge_in_the_same_way() {
        for (golden, new, within) in [
            (f64::NAN, f64::NAN, true),
            (f64::INFINITY, f64::INFINITY, true),
            (f64::INFINITY, f64::NEG_INFINITY, false),
            (f64::INFINITY, 1.0, false),
            (f64::NAN, 1.0, false),
        ] {
            let [golden_record, new_record] = [golden, new].map(|loss| {
                let mut record = record("resnet20", "erk", "none", 0.8, 70.0);
                record.units[0].loss_after = loss;
                record
            });
            let outside = names_outside(&golden_record, &new_record);
            assert_eq!(outside.is_empty(), within, "{golden} {new}");
        }
    }

    #[test]
    fn the_table_is_aligned() {
        let row = |name: &str, golden, new, allowed| Deviation {
            name: name.to_owned(),
            golden,
            new,
            allowed,
        };
        let text = table(&[
            row("top1 sparse", Some(70.0), Some(68.25), 0.5),
            row("loss 0 a", Some(2e-5), Some(f64::NAN), 2e-6),
            row("pruned fc", None, Some(8_500.0), 0.0),
        ]);
        assert_eq!(
            text,
            "metric         golden      new    delta   allowed\n\
             top1 sparse        70  68.2500  -1.7500    0.5000\n\
             loss 0 a     2.000e-5      NaN      NaN  2.000e-6\n\
             pruned fc      absent     8500        -         0\n"
        );
    }
}
