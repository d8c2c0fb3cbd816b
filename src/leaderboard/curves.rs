//! Relative performance over sparsity, with the key to its lines.

use super::chart::{Axis, Plot, Series, symbol};
use super::entry::Entry;
use super::rankings::{ascending, point, sparsities};
use serde::Serialize;
use std::collections::BTreeMap;

/// A chart and its key.
#[derive(Debug, Serialize)]
pub(super) struct Curves {
    plot: Plot,
    key: Vec<Key>,
    /// How many lines are grey.
    grey: usize,
    /// The names in the order of their colours.
    #[serde(skip)]
    pub(super) order: Vec<String>,
}

/// What a colour and a symbol mean.
#[derive(Debug, Serialize)]
struct Key {
    class: String,
    symbol: String,
    name: String,
}

impl Curves {
    /// Draws a line through the cases of each name, the best at the sparsity that most of them have in the first colour; `None` where no
    /// name has results at two sparsities.
    pub(super) fn new(title: [String; 2], lines: &BTreeMap<String, Vec<&Entry>>) -> Option<Self> {
        let ordered = order(lines);
        let points = ordered.iter().map(|name| {
            let entries = lines[name].iter();
            ascending(entries.filter_map(|entry| point(name, entry)))
        });
        let points: Vec<_> = points.enumerate().filter(|(_, p)| !p.is_empty()).collect();
        if points.iter().all(|(_, points)| points.len() < 2) {
            return None;
        }
        let y = Axis::around(points.iter().flat_map(|(_, p)| p.iter().map(|p| p.y)));
        let shown = lines.values().flatten().copied();
        let sparsities = sparsities(shown.filter(|entry| entry.relative().is_some()));
        let coloured = ordered.iter().take(Series::COLOURS).enumerate();
        let key = coloured.map(|(index, name)| Key {
            class: Series::class(index),
            symbol: symbol(index, [6.0, 6.0]),
            name: name.clone(),
        });
        Some(Self {
            key: key.collect(),
            grey: ordered.len().saturating_sub(Series::COLOURS),
            plot: Plot::over_sparsity(title, points, &sparsities, y),
            order: ordered,
        })
    }
}

/// Orders names by their results at the sparsity that most of them have; those without one there come last.
fn order(lines: &BTreeMap<String, Vec<&Entry>>) -> Vec<String> {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for entry in lines.values().flatten() {
        if entry.relative().is_some() {
            let bits = entry.record.sparsity.target.to_bits();
            *counts.entry(bits).or_default() += 1;
        }
    }
    let most = counts.iter().max_by_key(|(bits, count)| (**count, **bits));
    let most = most.map(|(bits, _)| *bits);
    let at_most = |entries: &[&Entry]| {
        let mut here = entries
            .iter()
            .filter(|entry| Some(entry.record.sparsity.target.to_bits()) == most);
        here.find_map(|entry| entry.relative())
    };
    let mut names: Vec<(f64, &String)> = lines
        .iter()
        .map(|(name, entries)| (at_most(entries).unwrap_or(f64::NEG_INFINITY), name))
        .collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0));
    names.into_iter().map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::entry::testing::entries;
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn the_best_where_most_have_a_result_comes_first() {
        let records = [
            record("vit", "er", "none", 0.5, 80.0),
            record("vit", "er", "none", 0.8, 20.0),
            record("vit", "erk", "none", 0.5, 79.0),
            record("vit", "erk", "none", 0.8, 40.0),
            record("vit", "lamp", "none", 0.5, 70.0),
        ];
        let entries = entries(&records);
        let mut lines: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
        for entry in &entries {
            let line = lines.entry(entry.record.allocator.clone()).or_default();
            line.push(entry);
        }
        let curves = Curves::new([String::new(), String::new()], &lines).unwrap();
        assert_eq!(curves.order, ["er", "erk", "lamp"]);
        assert_eq!(curves.plot.series.last().unwrap().index, 0);
        assert_eq!(curves.plot.x.len(), 2);
        lines.retain(|name, _| name == "lamp");
        assert!(Curves::new([String::new(), String::new()], &lines).is_none());
    }
}
