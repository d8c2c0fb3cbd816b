//! Which is best: the competitors of one track compared over the cases that they all have.
//!
//! The overall figure is the one of arXiv 2412.07268: with `E_g` the mean relative performance over the cases of group
//! g = (task, data set), `OM = sqrt(mean over g of E_g^2)`. Like is compared with like: only settings at which every ranked competitor has
//! a result count, for each of them. Where several cases of a competitor share a setting, such as those of a family's models, it has a
//! result there if it has all of them.

use super::track::{Entry, Member, Setting, Track};
use std::collections::{BTreeMap, BTreeSet};

/// The competitors of a track, best first.
#[derive(Debug)]
pub(super) struct Ranking<'a> {
    /// The settings at which every ranked competitor has a result.
    pub(super) common: BTreeSet<Setting<'a>>,
    /// All settings at which any competitor has one.
    pub(super) all: usize,
    pub(super) standings: Vec<Standing<'a>>,
    /// Competitors left out for having no setting in common with the rest, with the number of settings at which they have a result.
    pub(super) unranked: Vec<(&'a str, usize)>,
}

/// A ranked competitor.
#[derive(Debug)]
pub(super) struct Standing<'a> {
    /// 1 for the best; those with the same overall figure share a rank.
    pub(super) rank: usize,
    pub(super) competitor: &'a str,
    /// OM over the common settings.
    pub(super) overall: f64,
    /// `E_g` of each (task, data set).
    pub(super) groups: BTreeMap<Group<'a>, Mean>,
    /// The relative performance of each case at the common settings.
    pub(super) values: Vec<f64>,
    /// The number of all settings at which this competitor has a result.
    pub(super) covered: usize,
    /// How performance depends on size, in the track of sizes.
    pub(super) sizes: Option<Sizes>,
}

/// A task and a data set.
pub(super) type Group<'a> = (&'a str, &'a str);

/// A mean, and of how many cases.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mean {
    pub(super) value: f64,
    pub(super) cases: usize,
}

/// A family across its sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sizes {
    /// The number of models that differ in size.
    pub(super) count: usize,
    /// The lowest and the highest mean relative performance of a model.
    pub(super) range: [f64; 2],
    /// What ten times as many prunable weights add to it, by least squares.
    pub(super) slope: f64,
}

/// What a competitor has at each setting.
type Results<'a> = BTreeMap<Setting<'a>, BTreeMap<Member<'a>, f64>>;

/// Ranks the competitors of a track; `None` if there are not two that share a setting.
pub(super) fn rank<'a>(track: Track, entries: &[Entry<'a>]) -> Option<Ranking<'a>> {
    let mut competitors: BTreeMap<&str, Results> = BTreeMap::new();
    for entry in entries {
        let results = competitors.entry(track.competitor(*entry)).or_default();
        if let Some(rho) = entry.record.relative() {
            let setting = results.entry(track.setting(*entry)).or_default();
            setting.insert(track.member(*entry), rho);
        }
    }
    let weights = sizes(entries);
    competitors.retain(|_, results| {
        keep_complete(results);
        if track != Track::Size {
            return true;
        }
        results.retain(|_, members| several_sizes(members, &weights));
        !results.is_empty()
    });
    let all: BTreeSet<Setting> = competitors
        .values()
        .flat_map(|results| results.keys().copied())
        .collect();
    let unranked = set_apart(&mut competitors);
    let common: BTreeSet<Setting> = all
        .iter()
        .filter(|setting| competitors.values().all(|r| r.contains_key(setting)))
        .copied()
        .collect();
    if competitors.len() < track.least() || common.is_empty() {
        return None;
    }
    let standings = competitors.into_iter().map(|(competitor, results)| {
        let standing = Standing::new(competitor, &results, &common);
        let sizes = (track == Track::Size).then(|| Sizes::of(&results, &common, &weights));
        Standing { sizes, ..standing }
    });
    Some(Ranking {
        standings: order(standings.collect()),
        all: all.len(),
        common,
        unranked,
    })
}

impl Track {
    /// The number of competitors that make a ranking; a family is compared with its own sizes.
    fn least(self) -> usize {
        if self == Self::Size { 1 } else { 2 }
    }
}

/// Returns the number of prunable weights of each model.
fn sizes<'a>(entries: &[Entry<'a>]) -> BTreeMap<&'a str, usize> {
    let size = |entry: &Entry<'a>| {
        let layers = entry.record.layers.iter();
        (&*entry.record.model, layers.map(|layer| layer.numel).sum())
    };
    entries.iter().map(size).collect()
}

/// Removes the settings at which one of the members is lacking that others of the same task and data set have.
fn keep_complete(results: &mut Results<'_>) {
    let mut members: BTreeMap<Group, BTreeSet<Member>> = BTreeMap::new();
    for (setting, found) in &*results {
        let known = members.entry((setting.task, setting.dataset)).or_default();
        known.extend(found.keys().copied());
    }
    results.retain(|setting, found| found.len() == members[&(setting.task, setting.dataset)].len());
}

fn several_sizes(members: &BTreeMap<Member<'_>, f64>, weights: &BTreeMap<&str, usize>) -> bool {
    let sizes: BTreeSet<usize> = members.keys().map(|member| weights[member.model]).collect();
    sizes.len() > 1
}

/// Removes the competitors without a result at the setting that most of them have, if no setting is common to all.
fn set_apart<'a>(competitors: &mut BTreeMap<&'a str, Results>) -> Vec<(&'a str, usize)> {
    let mut shared: BTreeMap<Setting, usize> = BTreeMap::new();
    for setting in competitors.values().flat_map(BTreeMap::keys) {
        *shared.entry(*setting).or_default() += 1;
    }
    let most = shared.iter().rev().max_by_key(|(_, count)| **count);
    let Some(setting) = most.map(|(setting, _)| *setting) else {
        return Vec::new();
    };
    let mut apart = Vec::new();
    competitors.retain(|&competitor, results| {
        let kept = results.contains_key(&setting);
        if !kept {
            apart.push((competitor, results.len()));
        }
        kept
    });
    apart
}

fn order(mut standings: Vec<Standing>) -> Vec<Standing> {
    standings.sort_by(|a, b| b.overall.total_cmp(&a.overall));
    for index in 1..standings.len() {
        let (better, rest) = standings.split_at_mut(index);
        let (above, this) = (&better[index - 1], &mut rest[0]);
        this.rank = if this.overall < above.overall {
            index + 1
        } else {
            above.rank
        };
    }
    standings
}

impl<'a> Standing<'a> {
    fn new(competitor: &'a str, results: &Results<'a>, common: &BTreeSet<Setting<'a>>) -> Self {
        let cases = || {
            let found = |setting| std::iter::repeat(setting).zip(&results[setting]);
            common.iter().flat_map(found)
        };
        let mut groups: BTreeMap<Group, Vec<f64>> = BTreeMap::new();
        for (setting, (member, rho)) in cases() {
            let group = (
                held(setting.task).unwrap_or(competitor),
                held(setting.dataset).unwrap_or(member.dataset),
            );
            groups.entry(group).or_default().push(*rho);
        }
        let of = |values: Vec<f64>| Mean {
            value: mean(&values),
            cases: values.len(),
        };
        let groups: BTreeMap<Group, Mean> = groups.into_iter().map(|(g, v)| (g, of(v))).collect();
        let squares: Vec<f64> = groups.values().map(|mean| mean.value.powi(2)).collect();
        Self {
            rank: 1,
            competitor,
            overall: mean(&squares).sqrt(),
            groups,
            values: cases().map(|(_, (_, rho))| *rho).collect(),
            covered: results.len(),
            sizes: None,
        }
    }
}

impl Sizes {
    fn of<'a>(
        results: &Results<'a>,
        common: &BTreeSet<Setting<'a>>,
        weights: &BTreeMap<&str, usize>,
    ) -> Self {
        let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (member, rho) in common.iter().flat_map(|setting| &results[setting]) {
            values.entry(member.model).or_default().push(*rho);
        }
        let points = values.iter().map(|(model, values)| {
            let size = weights[model] as f64;
            (size.log10(), mean(values))
        });
        let points: Vec<(f64, f64)> = points.collect();
        let [x, y] = [|p: &(f64, f64)| p.0, |p: &(f64, f64)| p.1].map(|of| {
            let values: Vec<f64> = points.iter().map(of).collect();
            mean(&values)
        });
        let products = points.iter().map(|(size, rho)| (size - x) * (rho - y));
        let squares = points.iter().map(|(size, _)| (size - x).powi(2));
        let means = points.iter().map(|(_, rho)| *rho);
        Self {
            count: points.len(),
            range: [
                means.clone().fold(f64::INFINITY, f64::min),
                means.fold(f64::NEG_INFINITY, f64::max),
            ],
            slope: products.sum::<f64>() / squares.sum::<f64>(),
        }
    }
}

/// Returns what a setting holds fixed, if it does.
fn held(name: &str) -> Option<&str> {
    (!name.is_empty()).then_some(name)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::record::tests::record;

    fn ranks<'a>(ranking: &Ranking<'a>) -> Vec<(usize, &'a str, f64)> {
        let rows = ranking.standings.iter();
        rows.map(|row| (row.rank, row.competitor, row.overall))
            .collect()
    }

    fn rank_all(track: Track, records: &[Record]) -> Option<Ranking<'_>> {
        let entries = records.iter().enumerate().map(|(number, record)| Entry {
            number,
            record,
            family: record.model.split('-').next().unwrap(),
        });
        rank(track, &entries.collect::<Vec<_>>())
    }

    /// A record on a data set, of a model with so many prunable weights.
    fn sized(task: &str, dataset: &str, model: &str, weights: usize, top1: f64) -> Record {
        let mut record = record(model, "erk", "none", 0.8, top1);
        (record.task, record.dataset) = (task.to_owned(), dataset.to_owned());
        record.layers.truncate(1);
        record.layers[0].numel = weights;
        record
    }

    #[test]
    fn only_settings_in_common_count() {
        let records = [
            record("resnet20", "erk", "none", 0.8, 60.0),
            record("resnet20", "uniform", "none", 0.8, 40.0),
            // `uniform` has no case at 50 %, and must not profit from `erk` having an easy one.
            record("resnet20", "erk", "none", 0.5, 80.0),
            record("resnet20", "erk", "block", 0.8, 72.0),
        ];
        let ranking = rank_all(Track::Allocation, &records).unwrap();
        assert_eq!(ranks(&ranking), [(1, "erk", 0.75), (2, "uniform", 0.5)]);
        assert_eq!((ranking.common.len(), ranking.all), (1, 3));
        let covered: Vec<usize> = ranking.standings.iter().map(|row| row.covered).collect();
        assert_eq!(covered, [3, 1]);

        let ranking = rank_all(Track::Reconstruction, &records).unwrap();
        assert_eq!(ranks(&ranking), [(1, "block", 0.9), (2, "none", 0.75)]);
    }

    #[test]
    fn the_overall_figure_is_the_quadratic_mean_over_groups() {
        let on = |dataset: &str, model, allocator, top1| {
            let mut record = record(model, allocator, "none", 0.8, top1);
            record.dataset = dataset.to_owned();
            record
        };
        // E over cifar10 = (0.5 + 0.7) / 2 = 0.6, over fashion-mnist = 0.8: sqrt((0.36 + 0.64) / 2) = sqrt(0.5).
        let records = [
            on("cifar10", "resnet20", "erk", 40.0),
            on("cifar10", "vit", "erk", 56.0),
            on("fashion-mnist", "vit", "erk", 64.0),
            on("cifar10", "resnet20", "er", 8.0),
            on("cifar10", "vit", "er", 8.0),
            on("fashion-mnist", "vit", "er", 8.0),
        ];
        let ranking = rank_all(Track::Allocation, &records).unwrap();
        let best = &ranking.standings[0];
        assert!((best.overall - 0.5_f64.sqrt()).abs() < 1e-12);
        assert!((best.groups[&("classification", "cifar10")].value - 0.6).abs() < 1e-12);
        assert_eq!(best.values.len(), 3);
        assert!((ranking.standings[1].overall - 0.1).abs() < 1e-12);
    }

    #[test]
    fn equal_techniques_share_a_rank() {
        let records = [
            record("vit", "er", "none", 0.8, 60.0),
            record("vit", "erk", "none", 0.8, 60.0),
            record("vit", "uniform", "none", 0.8, 40.0),
            record("vit", "lamp", "none", 0.8, 72.0),
        ];
        let ranking = rank_all(Track::Allocation, &records).unwrap();
        let ranks: Vec<(usize, &str)> = ranking
            .standings
            .iter()
            .map(|row| (row.rank, row.competitor))
            .collect();
        assert_eq!(ranks, [(1, "lamp"), (2, "er"), (2, "erk"), (4, "uniform")]);
    }

    #[test]
    fn what_shares_nothing_is_set_apart() {
        let records = [
            record("resnet20", "erk", "none", 0.8, 60.0),
            record("resnet20", "lamp", "none", 0.8, 64.0),
            record("resnet20", "er", "none", 0.8, 64.0),
            record("vit", "magnitude", "none", 0.5, 79.0),
            record("resnet20", "uniform", "none", 0.8, f64::NAN),
        ];
        let ranking = rank_all(Track::Allocation, &records[..4]).unwrap();
        assert_eq!(ranking.standings.len(), 3);
        assert_eq!(ranking.unranked, [("magnitude", 1)]);
        let ranking = rank_all(Track::Allocation, &records).unwrap();
        assert_eq!(ranking.unranked, [("magnitude", 1), ("uniform", 0)]);
    }

    #[test]
    fn one_competitor_makes_no_ranking() {
        let records = [record("resnet20", "erk", "none", 0.8, 60.0)];
        assert!(rank_all(Track::Allocation, &records).is_none());
        assert!(rank_all(Track::Allocation, &[]).is_none());
        let diverged = ["er", "erk"].map(|name| record("vit", name, "none", 0.8, f64::NAN));
        assert!(rank_all(Track::Allocation, &diverged).is_none());
    }

    #[test]
    fn families_are_compared_by_all_their_models() {
        let of =
            |dataset: &str, model: &str, top1| sized("classification", dataset, model, 1, top1);
        let mut records = vec![
            of("cifar10", "resnet-20", 60.0),
            of("cifar10", "resnet-56", 72.0),
            of("cifar10", "vgg-16", 40.0),
            of("fashion-mnist", "resnet-20", 80.0),
            of("fashion-mnist", "vgg-16", 80.0),
        ];
        // ResNet: E = (0.75 + 0.9) / 2 = 0.825 and 1; VGG: 0.5 and 1.
        let ranking = rank_all(Track::Architecture, &records).unwrap();
        let [resnet, vgg] = [0, 1].map(|i| &ranking.standings[i]);
        assert_eq!((resnet.competitor, vgg.competitor), ("resnet", "vgg"));
        assert_eq!((resnet.values.len(), vgg.values.len()), (3, 2));
        let expected = f64::midpoint(0.825f64.powi(2), 1.0).sqrt();
        assert!((resnet.overall - expected).abs() < 1e-12);
        assert!((vgg.overall - (0.625f64).sqrt()).abs() < 1e-12);

        // At 50 % the smaller ResNet alone has a result: the family has none.
        for model in ["resnet-20", "vgg-16"] {
            let mut record = of("cifar10", model, 79.0);
            record.sparsity.target = 0.5;
            records.push(record);
        }
        let ranking = rank_all(Track::Architecture, &records).unwrap();
        assert_eq!((ranking.common.len(), ranking.all), (2, 3));
        let covered: Vec<usize> = ranking.standings.iter().map(|row| row.covered).collect();
        assert_eq!(covered, [2, 3]);
    }

    #[test]
    fn sizes_of_a_family_have_a_slope() {
        let of =
            |model: &str, weights, top1| sized("classification", "cifar10", model, weights, top1);
        let records = [
            of("resnet-20", 1_000, 40.0),
            of("resnet-56", 10_000, 56.0),
            of("resnet-110", 100_000, 64.0),
            of("vgg-16", 5_000, 72.0),
        ];
        let ranking = rank_all(Track::Size, &records).unwrap();
        assert_eq!(ranking.standings.len(), 1);
        let sizes = ranking.standings[0].sizes.unwrap();
        assert_eq!((sizes.count, sizes.range), (3, [0.5, 0.8]));
        // The middle of three points evenly spaced does not tilt a line.
        assert!((sizes.slope - 0.15).abs() < 1e-12, "{}", sizes.slope);
        assert!(rank_all(Track::Size, &records[2..]).is_none());
    }

    #[test]
    fn tasks_are_compared_under_the_same_techniques() {
        let records = [
            sized("classification", "cifar10", "resnet-20", 1, 60.0),
            sized("classification", "fashion-mnist", "vgg-16", 1, 40.0),
            sized("detection", "coco", "ssd", 1, 20.0),
        ];
        let ranking = rank_all(Track::Application, &records).unwrap();
        let best = &ranking.standings[0];
        assert_eq!(best.competitor, "classification");
        assert_eq!(best.groups.len(), 2);
        assert!((best.groups[&("classification", "cifar10")].value - 0.75).abs() < 1e-12);
        let expected = f64::midpoint(0.5625, 0.25).sqrt();
        assert!((best.overall - expected).abs() < 1e-12);
    }
}
