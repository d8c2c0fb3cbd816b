//! Which is best: the competitors of one track compared over the cases that they all have.
//!
//! The overall figure is the one of arXiv 2412.07268: with `E_g` the mean relative performance over the cases of group
//! g = (task, data set), `OM = sqrt(mean over g of E_g^2)`. Like is compared with like: only settings at which every ranked competitor has
//! a result count, for each of them. Those few that were tried in few settings would leave little in common, so that there are two rankings
//! where it matters: of all, and of those that have the most in common ([`Breadth`]). Where several cases of a competitor share a setting, such as those of a family's models, it has a
//! result there if it has all of them.

use super::entry::Entry;
use super::track::{Member, Setting, Track};
use crate::record::{deviation, mean};
use std::collections::{BTreeMap, BTreeSet};

/// The competitors of a track, best first.
#[derive(Debug)]
pub(super) struct Ranking<'a> {
    /// The settings at which every ranked competitor has a result.
    pub(super) common: BTreeSet<Setting<'a>>,
    /// All settings at which any competitor has one.
    pub(super) all: BTreeSet<Setting<'a>>,
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
    /// OM over the common settings, each case averaged over its seeds.
    pub(super) overall: f64,
    /// The deviation of OM over the seeds, where all cases at the common settings have the same ones.
    pub(super) deviation: Option<f64>,
    /// `E_g` of each (task, data set).
    pub(super) groups: BTreeMap<Group<'a>, Mean>,
    /// The relative performance of each case at the common settings.
    pub(super) values: Vec<f64>,
    /// All settings at which this competitor has a result.
    pub(super) covered: BTreeSet<Setting<'a>>,
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

/// Which competitors are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breadth {
    /// All that share a setting.
    Everyone,
    /// Those that together have the most results at settings in common: the number of competitors times that of settings is the largest.
    Widest,
}

/// Ranks the competitors of a track; `None` if there are not two that share a setting.
pub(super) fn rank<'a>(
    track: Track,
    breadth: Breadth,
    entries: &[&Entry<'a>],
) -> Option<Ranking<'a>> {
    let mut ranking = rank_by(track, breadth, entries, Entry::relative)?;
    let seeds: BTreeSet<u64> = entries
        .iter()
        .flat_map(|entry| entry.seeds.iter().map(|record| record.environment.seed))
        .collect();
    if seeds.len() < 2 {
        return Some(ranking);
    }
    let of_seeds = seeds
        .into_iter()
        .map(|seed| rank_by(track, breadth, entries, |entry| entry.relative_of(seed)))
        .map(|other| other.filter(|other| other.common == ranking.common));
    let Some(of_seeds) = of_seeds.collect::<Option<Vec<Ranking>>>() else {
        return Some(ranking);
    };
    for standing in &mut ranking.standings {
        let same = |other: &Ranking| {
            let mut standings = other.standings.iter();
            let found = standings.find(|row| row.competitor == standing.competitor)?;
            Some(found.overall)
        };
        let overall: Option<Vec<f64>> = of_seeds.iter().map(same).collect();
        standing.deviation = overall.and_then(|values| deviation(&values));
    }
    Some(ranking)
}

/// Ranks the competitors of a track by what `value` says of their cases.
fn rank_by<'a>(
    track: Track,
    breadth: Breadth,
    entries: &[&Entry<'a>],
    value: impl Fn(&Entry<'a>) -> Option<f64>,
) -> Option<Ranking<'a>> {
    let mut competitors: BTreeMap<&str, Results> = BTreeMap::new();
    for entry in entries {
        let results = competitors.entry(track.competitor(entry)).or_default();
        if let Some(rho) = value(entry) {
            let setting = results.entry(track.setting(entry)).or_default();
            setting.insert(track.member(entry), rho);
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
    let mut unranked = set_apart(&mut competitors);
    if breadth == Breadth::Widest {
        unranked.extend(narrow(&mut competitors, track.least()));
    }
    let common = common(competitors.values());
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
        all,
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
fn sizes<'a>(entries: &[&Entry<'a>]) -> BTreeMap<&'a str, usize> {
    let size = |entry: &&Entry<'a>| {
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

/// Removes the competitors without which the rest has the most results at settings in common, as far as leaving out one after the other
/// finds them; at least `least` stay.
fn narrow<'a>(competitors: &mut BTreeMap<&'a str, Results>, least: usize) -> Vec<(&'a str, usize)> {
    let names: Vec<&str> = competitors.keys().copied().collect();
    let mut places: BTreeMap<&Setting, usize> = BTreeMap::new();
    for setting in competitors.values().flat_map(BTreeMap::keys) {
        let next = places.len();
        places.entry(setting).or_insert(next);
    }
    let mut has = vec![vec![false; places.len()]; names.len()];
    for (has, results) in has.iter_mut().zip(competitors.values()) {
        for setting in results.keys() {
            has[places[setting]] = true;
        }
    }
    let kept = widest(&has, least);
    let mut apart = Vec::new();
    for (name, _) in names.iter().zip(kept).filter(|(_, kept)| !kept) {
        let results = competitors.remove(name);
        apart.push((*name, results.map_or(0, |results| results.len())));
    }
    apart
}

/// Returns which rows of a table stay so that the rows that stay, times the columns that all of them have, are the most, as far as taking away
/// one row after the other finds it: the one without which the most columns are common to the rest, of equals one with few columns.
fn widest(has: &[Vec<bool>], least: usize) -> Vec<bool> {
    let columns = has.first().map_or(0, Vec::len);
    let covered: Vec<usize> = has.iter().map(|row| count(row.iter())).collect();
    let mut counts: Vec<usize> = (0..columns)
        .map(|column| count(has.iter().map(|row| &row[column])))
        .collect();
    let mut left = vec![true; has.len()];
    let mut rows = has.len();
    let shared = |counts: &[usize], rows| counts.iter().filter(|n| **n == rows).count();
    let mut best = (rows * shared(&counts, rows), left.clone());
    while rows > least {
        let gain = |row: usize| {
            let alone = counts.iter().zip(&has[row]);
            alone.filter(|(n, has)| **n == rows - 1 && !**has).count()
        };
        let candidates = (0..has.len()).filter(|row| left[*row]);
        let Some(worst) = candidates.max_by_key(|row| (gain(*row), usize::MAX - covered[*row]))
        else {
            break;
        };
        left[worst] = false;
        rows -= 1;
        for (count, has) in counts.iter_mut().zip(&has[worst]) {
            *count -= usize::from(*has);
        }
        let area = rows * shared(&counts, rows);
        if area > best.0 {
            best = (area, left.clone());
        }
    }
    best.1
}

fn count<'b>(flags: impl Iterator<Item = &'b bool>) -> usize {
    flags.filter(|flag| **flag).count()
}

/// Returns the settings at which all have a result.
fn common<'r, 'a: 'r>(all: impl Iterator<Item = &'r Results<'a>>) -> BTreeSet<Setting<'a>> {
    let mut all: Vec<&Results> = all.collect();
    all.sort_by_key(|results| results.len());
    let Some((fewest, rest)) = all.split_first() else {
        return BTreeSet::new();
    };
    let shared = |setting: &&Setting| rest.iter().all(|r| r.contains_key(*setting));
    fewest.keys().filter(shared).copied().collect()
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
            deviation: None,
            groups,
            values: cases().map(|(_, (_, rho))| *rho).collect(),
            covered: results.keys().copied().collect(),
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

#[cfg(test)]
mod tests {
    use super::super::entry::testing::entries;
    use super::*;
    use crate::record::Record;
    use crate::record::tests::record;

    fn ranks<'a>(ranking: &Ranking<'a>) -> Vec<(usize, &'a str, f64)> {
        let rows = ranking.standings.iter();
        rows.map(|row| (row.rank, row.competitor, row.overall))
            .collect()
    }

    fn rank_all(track: Track, records: &[Record]) -> Option<Ranking<'_>> {
        let entries = entries(records);
        rank(
            track,
            Breadth::Everyone,
            &entries.iter().collect::<Vec<_>>(),
        )
    }

    /// A record on a data set, of a model with so many prunable weights.
    fn sized(task: &str, dataset: &str, model: &str, weights: usize, top1: f64) -> Record {
        let mut record = record(model, "erk", "none", 0.8, top1);
        (record.task, record.dataset) = (task.to_owned(), dataset.to_owned());
        record.case = format!("default::{task}/{dataset}/{model}/erk/none@0.80");
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
        assert_eq!((ranking.common.len(), ranking.all.len()), (1, 3));
        let covered: Vec<usize> = ranking
            .standings
            .iter()
            .map(|row| row.covered.len())
            .collect();
        assert_eq!(covered, [3, 1]);

        let ranking = rank_all(Track::Reconstruction, &records).unwrap();
        assert_eq!(ranks(&ranking), [(1, "block", 0.9), (2, "none", 0.75)]);
    }

    #[test]
    fn the_overall_figure_is_the_quadratic_mean_over_groups() {
        let on = |dataset: &str, model, allocator, top1| {
            let mut record = record(model, allocator, "none", 0.8, top1);
            record.dataset = dataset.to_owned();
            record.case =
                format!("default::classification/{dataset}/{model}/{allocator}/none@0.80");
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
    fn the_widest_ranking_leaves_out_who_was_tried_in_few_settings() {
        let mut records = vec![record("vit", "learned", "none", 0.8, 72.0)];
        for sparsity in [0.5, 0.6, 0.7, 0.8] {
            for allocator in ["er", "erk", "lamp"] {
                records.push(record("vit", allocator, "none", sparsity, 60.0));
            }
        }
        let entries = entries(&records);
        let all: Vec<&Entry> = entries.iter().collect();
        let size = |breadth| {
            let ranking = rank(Track::Allocation, breadth, &all).unwrap();
            (
                ranking.standings.len(),
                ranking.common.len(),
                ranking.unranked,
            )
        };
        assert_eq!(size(Breadth::Everyone), (4, 1, vec![]));
        assert_eq!(size(Breadth::Widest), (3, 4, vec![("learned", 1)]));
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
            record.case = record.case.replace("@0.80", "@0.50");
            records.push(record);
        }
        let ranking = rank_all(Track::Architecture, &records).unwrap();
        assert_eq!((ranking.common.len(), ranking.all.len()), (2, 3));
        let covered: Vec<usize> = ranking
            .standings
            .iter()
            .map(|row| row.covered.len())
            .collect();
        assert_eq!(covered, [2, 3]);
    }

    #[test]
    fn the_spread_is_that_of_whole_rankings_of_single_seeds() {
        let mut records = Vec::new();
        for (seed, erk, uniform) in [(0, 56.0, 40.0), (1, 64.0, 40.0)] {
            for (allocator, top1) in [("erk", erk), ("uniform", uniform)] {
                let mut record = record("vit", allocator, "none", 0.8, top1);
                record.environment.seed = seed;
                records.push(record);
            }
        }
        let ranking = rank_all(Track::Allocation, &records).unwrap();
        let [erk, uniform] = [0, 1].map(|i| &ranking.standings[i]);
        assert!((erk.overall - 0.75).abs() < 1e-12);
        // Of 0.7 and 0.8.
        assert!((erk.deviation.unwrap() - 0.05 * 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(uniform.deviation, Some(0.0));
        // One case of one seed alone: nobody's spread can be told.
        records.pop();
        let ranking = rank_all(Track::Allocation, &records).unwrap();
        assert!(ranking.standings.iter().all(|row| row.deviation.is_none()));
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
