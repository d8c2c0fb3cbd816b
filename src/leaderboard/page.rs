//! What the page says, in the order in which it says it. The templates loop over this and decide nothing.

use super::cases::{CaseRow, Fact, case_row, environment};
use super::chart::{Axis, Lines, Point, Series, Strip, Tick, symbol};
use super::drawings::{Generator, generators};
use super::format::{count, percent};
use super::gallery::Gallery;
use super::ranking::{Ranking, Standing, Track, rank};
use crate::record::{Environment, Failed, Ignored, Loaded, Record, Scale};
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

#[derive(Debug, Serialize)]
struct RankingView<'a> {
    track: &'static str,
    scope: String,
    groups: Vec<String>,
    axis: Vec<Tick>,
    rows: Vec<RankRow<'a>>,
    unranked: Vec<(&'a str, String)>,
    all: usize,
    /// Whether some techniques have no colour of their own.
    grey: bool,
    charts: Vec<Lines>,
}

#[derive(Debug, Serialize)]
struct RankRow<'a> {
    rank: usize,
    technique: &'a str,
    overall: String,
    groups: Vec<String>,
    strip: Strip,
    cases: usize,
    covered: usize,
    class: String,
    symbol: String,
}

/// Numbered records: a record's number is its place in the table of cases.
type Numbered<'a> = (usize, &'a Record);

impl<'a> Page<'a> {
    pub(super) fn new(loaded: &'a Loaded, scale: &impl Fn(&str) -> Scale) -> Self {
        let records = &loaded.records;
        let failed: Vec<&Failed> = loaded.summaries.iter().flat_map(|s| &s.failed).collect();
        let ignored: Vec<&Ignored> = loaded.summaries.iter().flat_map(|s| &s.ignored).collect();
        let mut suites: BTreeMap<&str, Vec<Numbered>> = BTreeMap::new();
        for (number, record) in records.iter().enumerate() {
            suites
                .entry(&record.suite)
                .or_default()
                .push((number, record));
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
    fn new(name: &'a str, records: &[Numbered<'a>]) -> Self {
        let tracks = [Track::Allocation, Track::Reconstruction].into_iter();
        Self {
            name,
            cases: count(records.len(), "case"),
            rankings: tracks
                .filter_map(|track| RankingView::new(track, records))
                .collect(),
        }
    }
}

impl<'a> RankingView<'a> {
    fn new(track: Track, records: &[Numbered<'a>]) -> Option<Self> {
        let plain: Vec<&Record> = records.iter().map(|(_, record)| *record).collect();
        let ranking = rank(track, &plain)?;
        let values = ranking
            .standings
            .iter()
            .flat_map(|row| row.values.iter().copied());
        let axis = Axis::around(values);
        let row = |(index, standing)| RankRow::new(index, standing, axis);
        Some(Self {
            track: match track {
                Track::Allocation => "Allocators",
                Track::Reconstruction => "Reconstructions",
            },
            scope: scope(track, &ranking),
            groups: group_names(&ranking),
            axis: axis.ticks(Strip::RANGE),
            rows: ranking.standings.iter().enumerate().map(row).collect(),
            unranked: ranking
                .unranked
                .iter()
                .map(|&(technique, cases)| (technique, count(cases, "case")))
                .collect(),
            all: ranking.all,
            grey: ranking.standings.len() > Series::COLOURS,
            charts: charts(track, &ranking, records),
        })
    }
}

/// Says over what the techniques are compared.
fn scope(track: Track, ranking: &Ranking) -> String {
    let list = |items: BTreeSet<String>| items.into_iter().collect::<Vec<_>>().join(", ");
    let common = ranking.common.iter();
    let fixed = match track {
        Track::Allocation => "reconstruction",
        Track::Reconstruction => "allocator",
    };
    format!(
        "Compared over the {} of {} that all {} have in common: {fixed} {}; model {}; sparsity {} %.",
        ranking.common.len(),
        count(ranking.all, "setting"),
        ranking.standings.len(),
        list(common.clone().map(|s| s.fixed.to_owned()).collect()),
        list(common.clone().map(|s| s.model.to_owned()).collect()),
        list(
            common
                .map(|s| percent(f64::from(s.sparsity) / 1e6, 0))
                .collect()
        ),
    )
}

/// Returns the headings of the groups' columns, none where one group says no more than the overall figure.
fn group_names(ranking: &Ranking) -> Vec<String> {
    let mut sizes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for setting in &ranking.common {
        *sizes.entry((setting.task, setting.dataset)).or_default() += 1;
    }
    let name = |((task, dataset), size)| format!("{task} / {dataset} (n = {size})");
    if sizes.len() < 2 {
        Vec::new()
    } else {
        sizes.into_iter().map(name).collect()
    }
}

impl<'a> RankRow<'a> {
    fn new(index: usize, standing: &Standing<'a>, axis: Axis) -> Self {
        let groups = standing.groups.values().map(|&mean| percent(mean, 2));
        Self {
            rank: standing.rank,
            technique: standing.technique,
            overall: percent(standing.overall, 2),
            groups: groups.filter(|_| standing.groups.len() > 1).collect(),
            strip: Strip::new(axis, &standing.values, standing.overall),
            cases: standing.values.len(),
            covered: standing.covered,
            class: Series::class(index),
            symbol: symbol(index, [6.0, 6.0]),
        }
    }
}

/// Makes a chart of each model and fixed technique that the ranking rests on; every point is one case, none an average.
fn charts(track: Track, ranking: &Ranking, records: &[Numbered]) -> Vec<Lines> {
    let fixed: BTreeSet<&str> = ranking.common.iter().map(|s| s.fixed).collect();
    let mut plots: BTreeMap<[&str; 3], Vec<Numbered>> = BTreeMap::new();
    for &(number, record) in records {
        let known = fixed.contains(track.fixed(record));
        if known && record.relative().is_some() {
            let plot = [&*record.dataset, &*record.model, track.fixed(record)];
            plots.entry(plot).or_default().push((number, record));
        }
    }
    let y = Axis::around(
        plots
            .values()
            .flatten()
            .filter_map(|(_, record)| record.relative()),
    );
    let sparsities: BTreeSet<u64> = plots
        .values()
        .flatten()
        .map(|(_, record)| record.sparsity.target.to_bits())
        .collect();
    // Positive numbers have the order of their bits.
    let sparsities: Vec<f64> = sparsities.into_iter().map(f64::from_bits).collect();
    plots
        .into_iter()
        .map(|([dataset, model, fixed], records)| {
            let names = [model.to_owned(), format!("{dataset}, {fixed}")];
            Lines::new(names, lines(track, ranking, &records), &sparsities, y)
        })
        .collect()
}

fn lines(track: Track, ranking: &Ranking, records: &[Numbered]) -> Vec<(usize, Vec<Point>)> {
    let line = |(index, standing): (usize, &Standing)| {
        let own = records
            .iter()
            .filter(|(_, record)| track.technique(record) == standing.technique);
        let mut points: Vec<Point> = own.filter_map(|&numbered| point(track, numbered)).collect();
        points.sort_by(|a, b| a.sparsity.total_cmp(&b.sparsity));
        (!points.is_empty()).then_some((index, points))
    };
    ranking
        .standings
        .iter()
        .enumerate()
        .filter_map(line)
        .collect()
}

fn point(track: Track, (case, record): Numbered) -> Option<Point> {
    let rho = record.relative()?;
    let sparsity = record.sparsity.target;
    Some(Point {
        sparsity,
        rho,
        title: format!(
            "{}: {} % at {} % sparsity",
            track.technique(record),
            percent(rho, 2),
            percent(sparsity, 0)
        ),
        case,
    })
}
