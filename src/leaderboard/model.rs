//! The page of a model: what is left of it after every technique, and what that costs.

use super::address::Address;
use super::case::Link;
use super::chart::{Heat, Losses, Plot, Point, time_title};
use super::curves::Curves;
use super::entry::Entry;
use super::format::{duration, rate, spread};
use super::rankings::sparsities;
use super::table::Row;
use crate::record::Record;
use serde::Serialize;
use std::collections::BTreeMap;

/// What became of a model.
#[derive(Debug, Serialize)]
pub(super) struct ModelPage<'a> {
    model: &'a str,
    family: &'a str,
    about: Option<&'static str>,
    sections: Vec<Section<'a>>,
    rows: Vec<Row<'a>>,
}

/// A model on one data set, in one suite.
#[derive(Debug, Serialize)]
struct Section<'a> {
    suite: &'a str,
    task: &'a str,
    dataset: &'a str,
    /// Prunable weights and layers.
    size: String,
    best: Vec<Best<'a>>,
    curves: Option<Curves>,
    fronts: Vec<Plot>,
    rates: Vec<Rates>,
    losses: Vec<UnitLosses<'a>>,
}

/// The best case at a sparsity.
#[derive(Debug, Serialize)]
pub(super) struct Best<'a> {
    sparsity: String,
    relative: String,
    /// The relative performance in tenths, from 0 to 10, as a shade.
    shade: u8,
    pub(super) allocator: Link<'a>,
    reconstruction: Link<'a>,
    page: &'a str,
    seconds: String,
    /// Of how many cases it is the best.
    cases: usize,
    /// The relative performance, averaged over seeds.
    #[serde(skip)]
    pub(super) rho: f64,
    /// The target.
    #[serde(skip)]
    pub(super) target: f64,
}

/// How allocators share out a sparsity.
#[derive(Debug, Serialize)]
struct Rates {
    sparsity: String,
    heat: Heat,
}

/// What reconstruction did to the units of the best case of a sparsity.
#[derive(Debug, Serialize)]
struct UnitLosses<'a> {
    sparsity: String,
    page: &'a str,
    losses: Losses,
}

impl<'a> ModelPage<'a> {
    /// Gathers the cases of a model, of which there are some.
    pub(super) fn new(entries: &[&'a Entry<'a>], about: Option<&'static str>) -> Self {
        let mut sections: BTreeMap<[&str; 3], Vec<&'a Entry<'a>>> = BTreeMap::new();
        for entry in entries {
            let record = entry.record;
            let key = [&*record.suite, &*record.task, &*record.dataset];
            sections.entry(key).or_default().push(entry);
        }
        let first = entries.first();
        Self {
            model: first.map_or("", |entry| &entry.record.model),
            family: first.map_or("", |entry| entry.family),
            about,
            sections: sections
                .into_iter()
                .map(|(key, entries)| Section::new(key, &entries))
                .collect(),
            rows: entries.iter().map(|entry| Row::new(entry)).collect(),
        }
    }
}

impl<'a> Section<'a> {
    fn new([suite, task, dataset]: [&'a str; 3], entries: &[&'a Entry<'a>]) -> Self {
        let mut lines: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
        for entry in entries {
            lines.entry(technique(entry)).or_default().push(entry);
        }
        let names = ["All techniques".to_owned(), dataset.to_owned()];
        let curves = Curves::new(names, &lines);
        let order = curves.as_ref().map_or(&[][..], |curves| &curves.order);
        let best = best(entries);
        let by_sparsity = || sparsities(entries.iter().copied()).into_iter().rev();
        let at = |sparsity: f64| -> Vec<&'a Entry<'a>> {
            let here = entries.iter().copied();
            here.filter(|entry| entry.record.sparsity.target == sparsity)
                .collect()
        };
        Self {
            suite,
            task,
            dataset,
            size: size(entries),
            fronts: by_sparsity()
                .filter_map(|s| front(s, &at(s), order))
                .collect(),
            rates: by_sparsity().filter_map(|s| rates(s, &at(s))).collect(),
            losses: by_sparsity().filter_map(|s| losses(s, &at(s))).collect(),
            best,
            curves,
        }
    }
}

/// Returns the best case of each sparsity, ascending.
pub(super) fn best<'a>(entries: &[&'a Entry<'a>]) -> Vec<Best<'a>> {
    let mut found: BTreeMap<u64, Vec<(f64, &'a Entry<'a>)>> = BTreeMap::new();
    for entry in entries {
        if let Some(rho) = entry.relative() {
            let bits = entry.record.sparsity.target.to_bits();
            found.entry(bits).or_default().push((rho, entry));
        }
    }
    let best = |(bits, all): (u64, Vec<(f64, &'a Entry<'a>)>)| {
        let cases = all.len();
        let best = all
            .into_iter()
            .reduce(|best, new| if new.0 > best.0 { new } else { best });
        let (rho, entry) = best?;
        let record = entry.record;
        Some(Best {
            sparsity: rate(f64::from_bits(bits)),
            relative: spread(rho, entry.deviation(Record::relative)),
            shade: (rho.clamp(0.0, 1.0) * 10.0) as u8,
            allocator: Link::new(&record.allocator, Address::Allocator),
            reconstruction: Link::new(&record.reconstruction, Address::Reconstruction),
            page: &entry.page,
            seconds: duration(entry.seconds()),
            cases,
            rho,
            target: f64::from_bits(bits),
        })
    };
    found.into_iter().filter_map(best).collect()
}

fn technique(entry: &Entry) -> String {
    let record = entry.record;
    format!("{} / {}", record.allocator, record.reconstruction)
}

fn size(entries: &[&Entry]) -> String {
    let Some(entry) = entries.first() else {
        return String::new();
    };
    let layers = &entry.record.layers;
    let weights: usize = layers.iter().map(|layer| layer.numel).sum();
    format!(
        "{} weights in {} prunable layers",
        grouped(weights),
        layers.len()
    )
}

/// Writes a count with its thousands apart.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Draws quality against time at a sparsity, where there are several cases with both.
fn front(sparsity: f64, entries: &[&Entry], order: &[String]) -> Option<Plot> {
    let mut points: BTreeMap<usize, Vec<Point>> = BTreeMap::new();
    for entry in entries {
        let seconds = Some(entry.seconds()).filter(|seconds| seconds.is_finite() && *seconds > 0.0);
        let (Some(rho), Some(seconds)) = (entry.relative(), seconds) else {
            continue;
        };
        let name = technique(entry);
        let index = order.iter().position(|known| *known == name);
        let place = points.entry(index.unwrap_or(order.len())).or_default();
        place.push(Point {
            x: seconds,
            y: rho,
            title: time_title(&name, rho, seconds),
            page: entry.page.clone(),
        });
    }
    if points.values().flatten().count() < 2 {
        return None;
    }
    let title = format!("{} % sparsity", rate(sparsity));
    let names = [title, "quality against time".to_owned()];
    let points: Vec<(usize, Vec<Point>)> = points.into_iter().collect();
    Some(Plot::over_time(names, &points))
}

/// Maps the rates of all allocators at a sparsity, one case of each.
fn rates(sparsity: f64, entries: &[&Entry]) -> Option<Rates> {
    let columns: Vec<&str> = layer_names(entries.first()?.record);
    let mut rows: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in entries {
        if layer_names(entry.record) == columns {
            rows.entry(&entry.record.allocator).or_insert(entry);
        }
    }
    let rows = rows.into_iter().map(|(allocator, entry)| {
        let shares = entry.record.layers.iter().map(|layer| layer.sparsity);
        (allocator.to_owned(), entry.page.clone(), shares.collect())
    });
    Some(Rates {
        sparsity: rate(sparsity),
        heat: Heat::new(&columns, rows),
    })
}

fn layer_names(record: &Record) -> Vec<&str> {
    record.layers.iter().map(|layer| &*layer.name).collect()
}

/// Draws the losses of the best case with units at a sparsity.
fn losses<'a>(sparsity: f64, entries: &[&'a Entry<'a>]) -> Option<UnitLosses<'a>> {
    let with_units = entries.iter().filter_map(|entry| {
        let losses = Losses::new(&entry.record.units)?;
        Some((entry.relative()?, *entry, losses))
    });
    let (_, entry, losses) = with_units.max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(UnitLosses {
        sparsity: rate(sparsity),
        page: &entry.page,
        losses,
    })
}

#[cfg(test)]
mod tests {
    use super::super::entry::testing::entries;
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn the_best_of_each_sparsity_is_found() {
        let records = [
            record("vit", "er", "none", 0.8, 40.0),
            record("vit", "erk", "none", 0.5, 72.0),
            record("vit", "erk", "none", 0.8, 60.0),
            record("vit", "lamp", "none", 0.8, f64::NAN),
        ];
        let entries = entries(&records);
        let all: Vec<&Entry> = entries.iter().collect();
        let best: Vec<(String, &str, usize, u8)> = best(&all)
            .into_iter()
            .map(|best| (best.sparsity, best.allocator.name, best.cases, best.shade))
            .collect();
        let expected = [
            ("50".to_owned(), "erk", 1, 9),
            ("80".to_owned(), "erk", 2, 7),
        ];
        assert_eq!(best, expected);
        let page = ModelPage::new(&all, None);
        assert_eq!(page.sections.len(), 1);
        let section = &page.sections[0];
        assert_eq!(section.size, "10,000 weights in 2 prunable layers");
        assert_eq!(section.fronts.len(), 1);
        assert_eq!(section.rates.len(), 2);
        assert_eq!(section.losses.len(), 2);
        assert_eq!(page.rows.len(), 4);
    }

    #[test]
    fn thousands_stand_apart() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(count), text);
        }
    }
}
