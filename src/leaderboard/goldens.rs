//! How near to their goldens results are.

use super::entry::Entry;
use super::format::{ABSENT, number, percent};
use crate::golden::Deviation;
use serde::Serialize;

/// The results beside their goldens, those nearest to failing first.
#[derive(Debug, Serialize)]
pub(super) struct GoldensPage<'a> {
    within: usize,
    beyond: usize,
    missing: usize,
    rows: Vec<GoldenRow<'a>>,
}

/// A case with its number that is nearest to failing.
#[derive(Debug, Serialize)]
struct GoldenRow<'a> {
    case: &'a str,
    page: &'a str,
    within: bool,
    number: Option<NumberRow<'a>>,
    problem: Option<String>,
}

/// A number beside its golden.
#[derive(Debug, Serialize)]
pub(super) struct NumberRow<'a> {
    name: &'a str,
    golden: String,
    new: String,
    allowed: String,
    /// The part of the tolerance that is used up, in percent.
    share: String,
    /// The same as the width of a bar, at most 100.
    bar: String,
    within: bool,
}

/// Returns rows in the order of the numbers.
pub(super) fn number_rows(numbers: &[Deviation]) -> Vec<NumberRow<'_>> {
    numbers.iter().map(NumberRow::new).collect()
}

impl<'a> NumberRow<'a> {
    fn new(number: &'a Deviation) -> Self {
        let value = |value: Option<f64>| value.map_or(ABSENT.to_owned(), exact);
        let share = number.share();
        Self {
            name: &number.name,
            golden: value(number.golden),
            new: value(number.new),
            allowed: exact(number.allowed),
            share: percent(share, 0),
            bar: percent(share.clamp(0.0, 1.0), 1),
            within: share <= 1.0,
        }
    }
}

/// Formats a number so that a small difference shows.
fn exact(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e12 {
        format!("{value}")
    } else if value.abs() >= 0.01 && value.is_finite() {
        format!("{value:.4}")
    } else {
        number(value)
    }
}

impl<'a> GoldensPage<'a> {
    /// Gathers the cases that have goldens, or should; `None` if there are none.
    pub(super) fn new(entries: &'a [Entry<'a>]) -> Option<Self> {
        let with_drift = entries
            .iter()
            .filter_map(|entry| Some((entry, entry.drift?)));
        let mut all: Vec<_> = with_drift.collect();
        if all.is_empty() {
            return None;
        }
        all.sort_by(|(_, a), (_, b)| b.share().total_cmp(&a.share()));
        let rows = all.iter().map(|(entry, drift)| GoldenRow {
            case: &entry.record.case,
            page: &entry.page,
            within: drift.is_within(),
            number: drift.tightest().map(NumberRow::new),
            problem: drift.problem(),
        });
        let rows: Vec<GoldenRow> = rows.collect();
        let within = rows.iter().filter(|row| row.within).count();
        let missing = all.iter().filter(|(_, drift)| drift.is_missing()).count();
        Some(Self {
            within,
            missing,
            beyond: rows.len() - within - missing,
            rows,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Drift;
    use crate::record::tests::record;

    fn drift(case: &str, new: f64) -> Drift {
        Drift {
            case: case.to_owned(),
            numbers: Ok(vec![Deviation {
                name: "top1 sparse".to_owned(),
                golden: Some(70.0),
                new: Some(new),
                allowed: 0.5,
            }]),
        }
    }

    #[test]
    fn the_nearest_to_failing_come_first() {
        let records = ["er", "erk", "lamp"].map(|name| record("vit", name, "none", 0.8, 60.0));
        let drift = [
            drift(&records[0].case, 70.125),
            drift(&records[1].case, 69.0),
        ];
        let entries = Entry::gather(&records, &drift, |_| None);
        let page = GoldensPage::new(&entries).unwrap();
        assert_eq!((page.within, page.beyond, page.missing), (1, 1, 0));
        let shown: Vec<(&str, &str, bool)> = page
            .rows
            .iter()
            .map(|row| {
                let number = row.number.as_ref().unwrap();
                (&*number.share, &*number.bar, row.within)
            })
            .collect();
        assert_eq!(shown, [("200", "100.0", false), ("25", "25.0", true)]);
        assert!(GoldensPage::new(&entries[2..]).is_none());
    }

    #[test]
    fn small_differences_show() {
        assert_eq!(exact(70.125), "70.1250");
        assert_eq!(exact(18_432.0), "18432");
        assert_eq!(exact(1.25e-5), "1.25e-5");
    }
}
