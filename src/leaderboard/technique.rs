//! The page of an allocator or of a reconstruction: where it stands, and what it leaves of each network.

use super::address::Address;
use super::curves::Curves;
use super::entry::Entry;
use super::rankings::RankingView;
use super::table::Row;
use super::track::Track;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a technique does.
#[derive(Debug, Serialize)]
pub(super) struct TechniquePage<'a> {
    /// `allocator` or `reconstruction`.
    kind: &'static str,
    name: &'a str,
    about: Option<String>,
    standings: Vec<StandingRow<'a>>,
    charts: Vec<Curves>,
    rows: Vec<Row<'a>>,
}

/// Where it stands in a ranking.
#[derive(Debug, Serialize)]
struct StandingRow<'a> {
    suite: &'a str,
    rank: usize,
    of: usize,
    overall: String,
    cases: usize,
    page: String,
}

impl<'a> TechniquePage<'a> {
    /// Gathers the cases of a technique, which `track` compares with others of its kind.
    pub(super) fn new(
        track: Track,
        name: &'a str,
        about: Option<String>,
        rankings: &[(Track, RankingView<'a>)],
        entries: &[&'a Entry<'a>],
    ) -> Self {
        let mut charts: BTreeMap<[&str; 2], BTreeMap<String, Vec<&Entry>>> = BTreeMap::new();
        for entry in entries {
            let record = entry.record;
            let partner = match track {
                Track::Allocation => &record.reconstruction,
                _ => &record.allocator,
            };
            let network = format!("{} / {}", record.dataset, record.model);
            let lines = charts.entry([partner, &record.suite]).or_default();
            lines.entry(network).or_default().push(entry);
        }
        let own = rankings.iter().filter(|(other, _)| *other == track);
        Self {
            kind: match track {
                Track::Allocation => "allocator",
                _ => "reconstruction",
            },
            name,
            about,
            standings: own
                .filter_map(|(_, ranking)| standing(track, name, ranking))
                .collect(),
            charts: charts
                .into_iter()
                .filter_map(|([partner, suite], lines)| {
                    let names = [format!("with {partner}"), format!("suite {suite}")];
                    Curves::new(names, &lines)
                })
                .collect(),
            rows: entries.iter().map(|entry| Row::new(entry)).collect(),
        }
    }
}

fn standing<'a>(track: Track, name: &str, ranking: &RankingView<'a>) -> Option<StandingRow<'a>> {
    let row = ranking.rows.iter().find(|row| row.competitor == name)?;
    Some(StandingRow {
        suite: ranking.suite,
        rank: row.rank,
        of: ranking.rows.len(),
        overall: row.overall.clone(),
        cases: row.cases,
        page: Address::Track(track).path(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::entry::testing::entries;
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn a_technique_is_shown_on_every_network_and_where_it_stands() {
        let mut records = Vec::new();
        for model in ["resnet20", "vit"] {
            for sparsity in [0.5, 0.8] {
                records.push(record(model, "erk", "none", sparsity, 60.0));
                records.push(record(model, "uniform", "none", sparsity, 40.0));
            }
        }
        let entries = entries(&records);
        let all: Vec<&Entry> = entries.iter().collect();
        let track = Track::Allocation;
        let rankings = RankingView::all("default", track, &all).into_iter();
        let rankings: Vec<_> = rankings.map(|ranking| (track, ranking)).collect();
        let own: Vec<&Entry> = entries
            .iter()
            .filter(|entry| entry.record.allocator == "uniform")
            .collect();
        let page = TechniquePage::new(track, "uniform", None, &rankings, &own);
        let standing = &page.standings[0];
        assert_eq!((standing.rank, standing.of, standing.cases), (2, 2, 4));
        assert_eq!(standing.overall, "50.00");
        assert_eq!((page.charts.len(), page.rows.len()), (1, 4));
        assert_eq!(page.charts[0].order.len(), 2);
    }
}
