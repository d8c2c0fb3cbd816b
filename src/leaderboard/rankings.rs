//! Rankings as the page shows them.

use super::address::Address;
use super::chart::{Axis, Plot, Point, Series, Strip, Tick, symbol};
use super::entry::Entry;
use super::format::{count, percent, rate, spread};
use super::ranking::{Breadth, Group, Ranking, Sizes, Standing, rank};
use super::track::{Setting, Track};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The ranking of a track.
#[derive(Debug, Serialize)]
pub(super) struct RankingView<'a> {
    pub(super) suite: &'a str,
    track: &'static str,
    /// What is ranked.
    kind: &'static str,
    scope: String,
    groups: Vec<String>,
    axis: Vec<Tick>,
    pub(super) rows: Vec<RankRow<'a>>,
    unranked: Vec<(&'a str, String)>,
    /// Whether ranked competitors have no result at some settings.
    gaps: bool,
    all: usize,
    /// Whether the rows tell of sizes.
    sizes: bool,
    /// Whether some competitors have no colour of their own.
    grey: bool,
    charts: Vec<Plot>,
}

#[derive(Debug, Serialize)]
pub(super) struct RankRow<'a> {
    pub(super) rank: usize,
    pub(super) competitor: &'a str,
    /// The page of the competitor, if it has one.
    pub(super) page: Option<String>,
    pub(super) overall: String,
    #[serde(skip)]
    pub(super) value: f64,
    #[serde(skip)]
    pub(super) deviation: Option<f64>,
    groups: Vec<GroupCell>,
    strip: Strip,
    pub(super) cases: usize,
    covered: usize,
    /// The settings at which others have a result.
    missing: Vec<String>,
    sizes: Option<SizesView>,
    class: String,
    symbol: String,
}

#[derive(Debug, Serialize)]
struct GroupCell {
    mean: String,
    cases: usize,
}

#[derive(Debug, Serialize)]
struct SizesView {
    count: usize,
    range: String,
    slope: String,
}

impl<'a> RankingView<'a> {
    /// Ranks the `entries` of a suite: those competitors that have the most in common, and after that all, where these are more.
    pub(super) fn all(suite: &'a str, track: Track, entries: &[&Entry<'a>]) -> Vec<Self> {
        let both = [Breadth::Widest, Breadth::Everyone].map(|b| rank(track, b, entries));
        let mut rankings: Vec<Ranking> = both.into_iter().flatten().collect();
        rankings.dedup_by_key(|ranking| ranking.standings.len());
        let rankings = rankings.iter();
        rankings
            .map(|ranking| Self::new(suite, track, ranking, entries))
            .collect()
    }

    fn new(suite: &'a str, track: Track, ranking: &Ranking<'a>, entries: &[&Entry<'a>]) -> Self {
        let standings = &ranking.standings;
        let axis = Axis::around(standings.iter().flat_map(|row| row.values.iter().copied()));
        let groups = groups(ranking);
        let row = |(index, standing): (usize, &Standing<'a>)| RankRow {
            page: track.page(standing.competitor),
            missing: missing(ranking, standing),
            ..RankRow::new(index, standing, &groups, axis)
        };
        let name = |(task, dataset): &Group| format!("{task} / {dataset}");
        Self {
            suite,
            track: track.title(),
            kind: track.kind(),
            scope: scope(ranking),
            groups: groups.iter().map(name).collect(),
            axis: axis.ticks(Strip::RANGE),
            rows: standings.iter().enumerate().map(row).collect(),
            unranked: ranking
                .unranked
                .iter()
                .map(|&(competitor, settings)| (competitor, count(settings, "setting")))
                .collect(),
            gaps: ranking.common.len() < ranking.all.len(),
            all: ranking.all.len(),
            sizes: track == Track::Size,
            grey: standings.len() > Series::COLOURS,
            charts: charts(track, ranking, entries),
        }
    }
}

/// Says over what the competitors are compared.
fn scope(ranking: &Ranking) -> String {
    let list = |name: &str, of: fn(&Setting) -> String| {
        let values: BTreeSet<String> = ranking.common.iter().map(of).collect();
        let values: Vec<String> = values.into_iter().filter(|v| !v.is_empty()).collect();
        (!values.is_empty()).then(|| format!("{name} {}", values.join(", ")))
    };
    let held = [
        list("task", |s| s.task.to_owned()),
        list("allocator", |s| s.allocator.to_owned()),
        list("reconstruction", |s| s.reconstruction.to_owned()),
        list("model", |s| s.model.to_owned()),
        list("sparsity in %", |s| rate(f64::from(s.sparsity) / 1e6)),
    ];
    let held: Vec<String> = held.into_iter().flatten().collect();
    format!(
        "Compared over the {} of {} that all {} have in common: {}.",
        ranking.common.len(),
        count(ranking.all.len(), "setting"),
        ranking.standings.len(),
        held.join("; "),
    )
}

/// Returns the settings at which others have a result and this competitor has none.
fn missing(ranking: &Ranking, standing: &Standing) -> Vec<String> {
    let missing = ranking.all.difference(&standing.covered);
    missing.map(Setting::to_string).collect()
}

impl Track {
    /// Returns the page of a competitor, if it has one.
    fn page(self, competitor: &str) -> Option<String> {
        let address = match self {
            Self::Allocation => Address::Allocator(competitor),
            Self::Reconstruction => Address::Reconstruction(competitor),
            Self::Architecture | Self::Size | Self::Application => return None,
        };
        Some(address.path())
    }
}

/// Returns the groups that have a column, none where one group says no more than the overall figure.
fn groups<'a>(ranking: &Ranking<'a>) -> Vec<Group<'a>> {
    let all = ranking.standings.iter().flat_map(|row| row.groups.keys());
    let groups: BTreeSet<Group> = all.copied().collect();
    if groups.len() < 2 {
        Vec::new()
    } else {
        groups.into_iter().collect()
    }
}

impl<'a> RankRow<'a> {
    fn new(index: usize, standing: &Standing<'a>, groups: &[Group<'a>], axis: Axis) -> Self {
        let cell = |group: &Group<'a>| match standing.groups.get(group) {
            Some(mean) => GroupCell {
                mean: percent(mean.value, 2),
                cases: mean.cases,
            },
            None => GroupCell {
                mean: "-".to_owned(),
                cases: 0,
            },
        };
        Self {
            rank: standing.rank,
            competitor: standing.competitor,
            page: None,
            overall: spread(standing.overall, standing.deviation),
            value: standing.overall,
            deviation: standing.deviation,
            groups: groups.iter().map(cell).collect(),
            strip: Strip::new(axis, &standing.values, standing.overall),
            cases: standing.values.len(),
            covered: standing.covered.len(),
            missing: Vec::new(),
            sizes: standing.sizes.map(SizesView::from),
            class: Series::class(index),
            symbol: symbol(index, [6.0, 6.0]),
        }
    }
}

impl From<Sizes> for SizesView {
    fn from(sizes: Sizes) -> Self {
        let [low, high] = sizes.range.map(|value| percent(value, 2));
        Self {
            count: sizes.count,
            range: format!("{low} to {high}"),
            slope: format!("{:+.2}", 100.0 * sizes.slope),
        }
    }
}

/// Makes charts of the cases that the ranking rests on, one of each data set, and model or pair of techniques that does not compete; every
/// point is one case, none an average. There is none where a competitor has several cases at a sparsity, which no line would join, and none of
/// a single sparsity.
fn charts(track: Track, ranking: &Ranking, entries: &[&Entry]) -> Vec<Plot> {
    let held: BTreeSet<[&str; 2]> = ranking.common.iter().map(techniques).collect();
    let mut plots: BTreeMap<[&str; 4], Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        let setting = track.setting(entry);
        if held.contains(&techniques(&setting)) && entry.relative().is_some() {
            let [allocator, reconstruction] = techniques(&setting);
            let plot = [setting.dataset, setting.model, allocator, reconstruction];
            plots.entry(plot).or_default().push(*entry);
        }
    }
    let ranked: BTreeSet<&str> = ranking.standings.iter().map(|row| row.competitor).collect();
    plots.retain(|_, entries| {
        entries.retain(|entry| ranked.contains(track.competitor(entry)));
        let places = entries.iter().map(|entry| {
            let sparsity = track.setting(entry).sparsity;
            (sparsity, track.competitor(entry))
        });
        let seen: BTreeSet<(u32, &str)> = places.collect();
        let distinct = seen.len() == entries.len();
        let sparsities: BTreeSet<u32> = seen.into_iter().map(|(sparsity, _)| sparsity).collect();
        distinct && sparsities.len() > 1
    });
    let shown = || plots.values().flatten().copied();
    let y = Axis::around(shown().filter_map(Entry::relative));
    let sparsities = sparsities(shown());
    let chart = |(held, entries): ([&str; 4], Vec<&Entry>)| {
        let words: Vec<&str> = held.into_iter().filter(|word| !word.is_empty()).collect();
        let (title, rest) = match held {
            [dataset, "", ..] => (dataset, words[1..].join(", ")),
            [dataset, model, ..] => (model, [&[dataset], &words[2..]].concat().join(", ")),
        };
        let names = [title.to_owned(), rest];
        Plot::over_sparsity(names, lines(track, ranking, &entries), &sparsities, y)
    };
    plots.into_iter().map(chart).collect()
}

/// Returns the allocator and the reconstruction that are held fixed.
fn techniques<'a>(setting: &Setting<'a>) -> [&'a str; 2] {
    [setting.allocator, setting.reconstruction]
}

/// Returns the sparsities of cases, ascending.
pub(super) fn sparsities<'a>(entries: impl IntoIterator<Item = &'a Entry<'a>>) -> Vec<f64> {
    let targets = entries
        .into_iter()
        .map(|entry| entry.record.sparsity.target);
    // Positive numbers have the order of their bits.
    let bits: BTreeSet<u64> = targets.map(f64::to_bits).collect();
    bits.into_iter().map(f64::from_bits).collect()
}

fn lines(track: Track, ranking: &Ranking, entries: &[&Entry]) -> Vec<(usize, Vec<Point>)> {
    let line = |(index, standing): (usize, &Standing)| {
        let own = entries
            .iter()
            .filter(|entry| track.competitor(entry) == standing.competitor);
        let points = own.filter_map(|entry| point(track.competitor(entry), entry));
        let points = ascending(points);
        (!points.is_empty()).then_some((index, points))
    };
    ranking
        .standings
        .iter()
        .enumerate()
        .filter_map(line)
        .collect()
}

/// Returns points from left to right.
pub(super) fn ascending(points: impl Iterator<Item = Point>) -> Vec<Point> {
    let mut points: Vec<Point> = points.collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    points
}

/// Returns the point of a case over sparsity, if it has a result.
pub(super) fn point(name: &str, entry: &Entry) -> Option<Point> {
    let rho = entry.relative()?;
    let sparsity = entry.record.sparsity.target;
    Some(Point {
        x: sparsity,
        y: rho,
        title: format!(
            "{name}: {} % at {} % sparsity",
            percent(rho, 2),
            rate(sparsity)
        ),
        page: entry.page.clone(),
    })
}
