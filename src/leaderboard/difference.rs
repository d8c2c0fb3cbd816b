//! The page of two sets of records compared.

use super::format::{ABSENT, number};
use super::site::{Frame, fill, templates};
use crate::record::{Change, Comparison, Verdict};
use serde::Serialize;

#[derive(Debug, Serialize)]
struct DifferencePage<'a> {
    before: &'a str,
    after: &'a str,
    headline: String,
    verdicts: Vec<(&'static str, usize)>,
    rows: Vec<ChangeRow<'a>>,
}

#[derive(Debug, Serialize)]
struct ChangeRow<'a> {
    verdict: &'static str,
    case: &'a str,
    metric: &'a str,
    before: String,
    after: String,
    change: String,
    noise: String,
}

/// Returns a page, complete in itself, of what changed between two sets of records, whose names are `before` and `after`.
///
/// # Panics
/// Never on account of the records; only if the embedded templates are broken.
pub fn difference(comparison: &Comparison, [before, after]: &[String; 2]) -> String {
    let counts = Verdict::ALL.map(|verdict| (verdict.word(), comparison.of(verdict).count()));
    let page = DifferencePage {
        before,
        after,
        headline: comparison.headline(),
        verdicts: counts.into(),
        rows: comparison.changed().map(ChangeRow::new).collect(),
    };
    let frame = Frame {
        title: format!("{before} and {after}"),
        root: "",
        complete: true,
        nav: &[],
        path: String::new(),
        goldens: false,
    };
    fill(&templates(), "difference.html", &frame, &page)
}

impl<'a> ChangeRow<'a> {
    fn new(change: &'a Change) -> Self {
        let text = |value: Option<f64>| value.map_or(ABSENT.to_owned(), number);
        let difference = change.before.zip(change.after).map(|(b, a)| a - b);
        Self {
            verdict: change.verdict.word(),
            case: &change.case,
            metric: &change.metric,
            before: text(change.before),
            after: text(change.after),
            change: difference.map_or(ABSENT.to_owned(), |d| format!("{d:+.3}")),
            noise: text(change.noise),
        }
    }
}
