//! What the page says, in the order in which it says it. The templates loop over this and decide nothing.

use super::Words;
use super::cases::{CaseRow, Fact, case_row, environment};
use super::drawings::{Generator, generators};
use super::format::count;
use super::gallery::Gallery;
use super::rankings::RankingView;
use super::track::{Entry, Track};
use crate::record::{Environment, Failed, Ignored, Loaded, Record};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

/// The whole page.
#[derive(Debug, Serialize)]
pub(super) struct Page<'a> {
    facts: Vec<Fact>,
    suites: Vec<SuiteView<'a>>,
    generators: Vec<Generator<'a>>,
    cases: Vec<CaseRow<'a>>,
    failed: Vec<&'a Failed>,
    ignored: Vec<&'a Ignored>,
    problems: Vec<String>,
    environments: Vec<(String, Vec<Fact>)>,
}

#[derive(Debug, Serialize)]
struct SuiteView<'a> {
    name: &'a str,
    cases: String,
    rankings: Vec<RankingView<'a>>,
}

impl<'a> Page<'a> {
    pub(super) fn new(loaded: &'a Loaded, words: Words) -> Self {
        let scale = &words.scale;
        let records = &loaded.records;
        let failed: Vec<&Failed> = loaded.summaries.iter().flat_map(|s| &s.failed).collect();
        let ignored: Vec<&Ignored> = loaded.summaries.iter().flat_map(|s| &s.ignored).collect();
        let mut suites: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
        for (number, record) in records.iter().enumerate() {
            let entry = Entry {
                number,
                record,
                family: (words.family)(&record.model).unwrap_or(&record.model),
            };
            suites.entry(&record.suite).or_default().push(entry);
        }
        // Cases come after generators, as on the page: what they show again is there already.
        let mut gallery = Gallery::default();
        let generators = generators(records, scale, &mut gallery);
        Self {
            facts: headline(records, failed.len(), ignored.len()),
            suites: suites
                .into_iter()
                .map(|(name, r)| SuiteView::new(name, &r))
                .collect(),
            generators,
            cases: records
                .iter()
                .map(|record| case_row(record, scale, &mut gallery))
                .collect(),
            failed,
            ignored,
            problems: loaded.problems.iter().map(|p| chain(p)).collect(),
            environments: environments(records),
        }
    }
}

fn headline(records: &[Record], failed: usize, ignored: usize) -> Vec<Fact> {
    let distinct =
        |field: fn(&Record) -> &str| records.iter().map(field).collect::<BTreeSet<_>>().len();
    let fact = |number: usize, one: &str, many: &str| {
        Fact::new(if number == 1 { one } else { many }, number.to_string())
    };
    vec![
        fact(records.len(), "case", "cases"),
        fact(distinct(|r| &r.suite), "suite", "suites"),
        fact(distinct(|r| &r.dataset), "data set", "data sets"),
        fact(distinct(|r| &r.model), "model", "models"),
        fact(distinct(|r| &r.allocator), "allocator", "allocators"),
        fact(
            distinct(|r| &r.reconstruction),
            "reconstruction",
            "reconstructions",
        ),
        fact(failed, "failed", "failed"),
        fact(ignored, "ignored", "ignored"),
    ]
}

fn environments(records: &[Record]) -> Vec<(String, Vec<Fact>)> {
    let mut cases: BTreeMap<&Environment, usize> = BTreeMap::new();
    for record in records {
        *cases.entry(&record.environment).or_default() += 1;
    }
    let view = |(which, number)| (count(number, "case"), environment(which));
    cases.into_iter().map(view).collect()
}

/// Returns an error and its causes on one line.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

impl<'a> SuiteView<'a> {
    fn new(name: &'a str, entries: &[Entry<'a>]) -> Self {
        let rankings = Track::ALL.into_iter();
        Self {
            name,
            cases: count(entries.len(), "case"),
            rankings: rankings
                .filter_map(|track| RankingView::new(track, entries))
                .collect(),
        }
    }
}
