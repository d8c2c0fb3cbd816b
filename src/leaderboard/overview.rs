//! The first page: what should I use?

use super::address::Address;
use super::case::{Fact, Link};
use super::entry::Entry;
use super::format::{count, rate};
use super::goldens::GoldensPage;
use super::model::{Best, best};
use super::rankings::{RankingView, sparsities};
use super::site::Parts;
use super::track::Track;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a reader sees first.
#[derive(Debug, Serialize)]
pub(super) struct Overview<'a> {
    facts: Vec<Fact>,
    suites: Vec<SuiteOverview<'a>>,
    goldens: Option<GoldensPage<'a>>,
    failed: usize,
    ignored: usize,
    problems: usize,
    models: Vec<Link<'a>>,
    allocators: Vec<Link<'a>>,
    reconstructions: Vec<Link<'a>>,
}

#[derive(Debug, Serialize)]
struct SuiteOverview<'a> {
    name: &'a str,
    cases: String,
    answers: Vec<Answer<'a>>,
    /// The headings of the columns.
    sparsities: Vec<String>,
    networks: Vec<Network<'a>>,
}

/// What a track says.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    question: &'static str,
    page: String,
    kind: &'static str,
    /// The first few.
    leaders: Vec<Leader<'a>>,
    /// How many are ranked over these cases.
    competitors: usize,
    /// How many are ranked over fewer, too.
    all: usize,
    cases: String,
    lead: String,
}

#[derive(Debug, Serialize)]
struct Leader<'a> {
    rank: usize,
    name: &'a str,
    page: Option<String>,
    overall: String,
}

/// How far a network can be pruned.
#[derive(Debug, Serialize)]
struct Network<'a> {
    model: Link<'a>,
    dataset: &'a str,
    task: &'a str,
    cells: Vec<Option<Best<'a>>>,
    /// The highest sparsities at which so much is kept.
    keeps: Vec<String>,
}

impl<'a> Overview<'a> {
    /// How many of a ranking are named.
    const LEADERS: usize = 3;

    pub(super) fn new(parts: &'a Parts<'a>) -> Self {
        let mut suites: BTreeMap<&str, Vec<&'a Entry<'a>>> = BTreeMap::new();
        for entry in &parts.entries {
            suites.entry(&entry.record.suite).or_default().push(entry);
        }
        let links = |names: BTreeSet<&'a str>, address: fn(&'a str) -> Address<'a>| {
            let links = names.into_iter().map(|name| Link::new(name, address));
            links.collect()
        };
        let summaries = &parts.loaded.summaries;
        Self {
            facts: headline(parts),
            suites: suites
                .into_iter()
                .map(|(name, entries)| SuiteOverview::new(name, &entries, &parts.rankings))
                .collect(),
            goldens: GoldensPage::new(&parts.entries),
            failed: summaries.iter().map(|summary| summary.failed.len()).sum(),
            ignored: summaries.iter().map(|summary| summary.ignored.len()).sum(),
            problems: parts.loaded.problems.len(),
            models: links(parts.names(|record| &record.model), Address::Model),
            allocators: links(parts.names(|record| &record.allocator), Address::Allocator),
            reconstructions: links(
                parts.names(|record| &record.reconstruction),
                Address::Reconstruction,
            ),
        }
    }
}

fn headline(parts: &Parts) -> Vec<Fact> {
    let fact = |number: usize, one: &str, many: &str| {
        Fact::new(if number == 1 { one } else { many }, number.to_string())
    };
    let seeds = parts.entries.iter().map(|entry| entry.seeds.len());
    let mut facts = vec![
        fact(parts.entries.len(), "case", "cases"),
        fact(parts.names(|r| &r.dataset).len(), "data set", "data sets"),
        fact(parts.names(|r| &r.model).len(), "model", "models"),
        fact(
            parts.names(|r| &r.allocator).len(),
            "allocator",
            "allocators",
        ),
        fact(
            parts.names(|r| &r.reconstruction).len(),
            "reconstruction",
            "reconstructions",
        ),
    ];
    let most = seeds.max().unwrap_or_default();
    if most > 1 {
        facts.push(Fact::new("seeds", most.to_string()));
    }
    facts
}

impl<'a> SuiteOverview<'a> {
    fn new(
        name: &'a str,
        entries: &[&'a Entry<'a>],
        rankings: &[(Track, RankingView<'a>)],
    ) -> Self {
        let own = rankings.iter().filter(|(_, ranking)| ranking.suite == name);
        let mut networks: BTreeMap<[&str; 3], Vec<&'a Entry<'a>>> = BTreeMap::new();
        for entry in entries {
            let record = entry.record;
            let key = [&*record.task, &*record.dataset, &*record.model];
            networks.entry(key).or_default().push(entry);
        }
        let columns = sparsities(entries.iter().copied());
        Self {
            name,
            cases: count(entries.len(), "case"),
            answers: answers(own),
            networks: networks
                .into_iter()
                .map(|(key, entries)| Network::new(key, &entries, &columns))
                .collect(),
            sparsities: columns.iter().map(|s| rate(*s)).collect(),
        }
    }
}

/// Returns what each track says, by the first of its rankings, which follow each other.
fn answers<'a, 'r>(rankings: impl Iterator<Item = &'r (Track, RankingView<'a>)>) -> Vec<Answer<'a>>
where
    'a: 'r,
{
    let mut answers: Vec<(Track, Answer)> = Vec::new();
    for (track, ranking) in rankings {
        match answers.last_mut() {
            Some((last, answer)) if last == track => answer.all = ranking.rows.len(),
            _ => answers.push((*track, answer(*track, ranking))),
        }
    }
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn answer<'a>(track: Track, ranking: &RankingView<'a>) -> Answer<'a> {
    let leaders = ranking.rows.iter().take(Overview::LEADERS);
    let leader = |row: &super::rankings::RankRow<'a>| Leader {
        rank: row.rank,
        name: row.competitor,
        page: row.page.clone(),
        overall: row.overall.clone(),
    };
    Answer {
        question: track.question(),
        page: Address::Track(track).path(),
        kind: track.kind(),
        leaders: leaders.map(leader).collect(),
        competitors: ranking.rows.len(),
        all: ranking.rows.len(),
        cases: count(ranking.rows.first().map_or(0, |row| row.cases), "case"),
        lead: lead(ranking),
    }
}

/// Says how far the first is ahead of the second, if that can be told.
fn lead(ranking: &RankingView) -> String {
    let [first, second, ..] = &ranking.rows[..] else {
        return String::new();
    };
    let ahead = first.value - second.value;
    let noise = first.deviation.zip(second.deviation).map(|(a, b)| a + b);
    match noise {
        _ if ahead == 0.0 => "level".to_owned(),
        Some(noise) if ahead < noise => {
            "closer to the second than seeds are to each other".to_owned()
        }
        _ => format!("ahead by {:.2} points", 100.0 * ahead),
    }
}

impl<'a> Network<'a> {
    /// What is to be kept, at least.
    const KEPT: [f64; 2] = [0.99, 0.95];

    fn new(
        [task, dataset, model]: [&'a str; 3],
        entries: &[&'a Entry<'a>],
        columns: &[f64],
    ) -> Self {
        let mut found = best(entries);
        let keeps = Self::KEPT.map(|kept| {
            let enough = found.iter().filter(|best| best.rho >= kept);
            let highest = enough.map(|best| best.target).reduce(f64::max);
            highest.map_or("none".to_owned(), |s| format!("{} %", rate(s)))
        });
        let cells = columns.iter().map(|sparsity| {
            let place = found.iter().position(|best| best.target == *sparsity)?;
            Some(found.swap_remove(place))
        });
        Self {
            model: Link::new(model, Address::Model),
            dataset,
            task,
            cells: cells.collect(),
            keeps: keeps.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::testing::entries;
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn a_network_keeps_what_its_best_technique_keeps() {
        let records = [
            record("vit", "er", "none", 0.5, 79.8),
            record("vit", "er", "none", 0.8, 40.0),
            record("vit", "erk", "none", 0.8, 77.0),
            record("vit", "erk", "none", 0.9, 20.0),
        ];
        let entries = entries(&records);
        let all: Vec<&Entry> = entries.iter().collect();
        let network = Network::new(["t", "d", "vit"], &all, &[0.5, 0.7, 0.8, 0.9]);
        assert_eq!(network.keeps, ["50 %", "80 %"]);
        let cells: Vec<Option<&str>> = network
            .cells
            .iter()
            .map(|cell| cell.as_ref().map(|best| best.allocator.name))
            .collect();
        assert_eq!(cells, [Some("er"), None, Some("erk"), Some("erk")]);
    }

    #[test]
    fn a_lead_within_the_seeds_is_none() {
        let mut records = Vec::new();
        for (seed, erk, uniform) in [(0, 56.0, 57.0), (1, 64.0, 60.0)] {
            for (allocator, top1) in [("erk", erk), ("uniform", uniform)] {
                let mut record = record("vit", allocator, "none", 0.8, top1);
                record.environment.seed = seed;
                records.push(record);
            }
        }
        let says = |records: &[crate::record::Record]| {
            let entries = entries(records);
            let all: Vec<&Entry> = entries.iter().collect();
            lead(&RankingView::all("default", Track::Allocation, &all)[0])
        };
        assert!(says(&records).contains("closer"));
        assert_eq!(says(&records[..2]), "ahead by 1.25 points");
    }
}
