//! Which technique is best: techniques of one track compared over the cases that they all have.
//!
//! The overall figure is the one of arXiv 2412.07268: with `E_g` the mean relative performance over the cases of group
//! g = (task, data set), `OM = sqrt(mean over g of E_g^2)`. Techniques are compared like with like: only settings (model,
//! sparsity, the other technique) at which every ranked technique has a result count, for each of them.

use crate::record::Record;
use std::collections::{BTreeMap, BTreeSet};

/// What is ranked; the other technique is fixed within a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Track {
    Allocation,
    Reconstruction,
}

impl Track {
    pub(super) fn technique(self, record: &Record) -> &str {
        match self {
            Self::Allocation => &record.allocator,
            Self::Reconstruction => &record.reconstruction,
        }
    }

    pub(super) fn fixed(self, record: &Record) -> &str {
        match self {
            Self::Allocation => &record.reconstruction,
            Self::Reconstruction => &record.allocator,
        }
    }
}

/// Everything of a case but the ranked technique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Setting<'a> {
    pub(super) task: &'a str,
    pub(super) dataset: &'a str,
    pub(super) model: &'a str,
    pub(super) fixed: &'a str,
    /// The target sparsity in millionths, which have an order and an equality.
    pub(super) sparsity: u32,
}

/// The techniques of a track, best first.
#[derive(Debug)]
pub(super) struct Ranking<'a> {
    /// The settings at which every ranked technique has a result.
    pub(super) common: BTreeSet<Setting<'a>>,
    /// All settings at which any technique has one.
    pub(super) all: usize,
    pub(super) standings: Vec<Standing<'a>>,
    /// Techniques left out for having no setting in common with the rest, with the number of their cases.
    pub(super) unranked: Vec<(&'a str, usize)>,
}

/// A ranked technique.
#[derive(Debug)]
pub(super) struct Standing<'a> {
    /// 1 for the best; techniques with the same overall figure share a rank.
    pub(super) rank: usize,
    pub(super) technique: &'a str,
    /// OM over the common settings.
    pub(super) overall: f64,
    /// `E_g` of each (task, data set).
    pub(super) groups: BTreeMap<(&'a str, &'a str), f64>,
    /// The relative performance at each common setting.
    pub(super) values: Vec<f64>,
    /// The number of all settings at which this technique has a result.
    pub(super) covered: usize,
}

type Results<'a> = BTreeMap<Setting<'a>, f64>;

/// Ranks the techniques of a track; `None` if there are not two that share a setting.
pub(super) fn rank<'a>(track: Track, records: &[&'a Record]) -> Option<Ranking<'a>> {
    let mut techniques: BTreeMap<&str, Results> = BTreeMap::new();
    for &record in records {
        let results = techniques.entry(track.technique(record)).or_default();
        if let Some(rho) = record.relative() {
            results.insert(setting(track, record), rho);
        }
    }
    let all: BTreeSet<Setting> = techniques
        .values()
        .flat_map(|r| r.keys().copied())
        .collect();
    let unranked = set_apart(&mut techniques);
    let common: BTreeSet<Setting> = all
        .iter()
        .filter(|setting| techniques.values().all(|r| r.contains_key(setting)))
        .copied()
        .collect();
    if techniques.len() < 2 || common.is_empty() {
        return None;
    }
    let standings = techniques
        .into_iter()
        .map(|(technique, results)| Standing::new(technique, &results, &common))
        .collect();
    Some(Ranking {
        standings: order(standings),
        all: all.len(),
        common,
        unranked,
    })
}

fn setting(track: Track, record: &Record) -> Setting<'_> {
    Setting {
        task: &record.task,
        dataset: &record.dataset,
        model: &record.model,
        fixed: track.fixed(record),
        sparsity: (record.sparsity.target * 1e6).round() as u32,
    }
}

/// Removes the techniques without a result at the setting that most techniques have, if no setting is common to all.
fn set_apart<'a>(techniques: &mut BTreeMap<&'a str, Results>) -> Vec<(&'a str, usize)> {
    let mut shared: BTreeMap<Setting, usize> = BTreeMap::new();
    for setting in techniques.values().flat_map(BTreeMap::keys) {
        *shared.entry(*setting).or_default() += 1;
    }
    let most = shared
        .iter()
        .rev()
        .max_by_key(|(_, techniques)| **techniques);
    let Some(setting) = most.map(|(setting, _)| *setting) else {
        return Vec::new();
    };
    let mut apart = Vec::new();
    techniques.retain(|&technique, results| {
        let kept = results.contains_key(&setting);
        if !kept {
            apart.push((technique, results.len()));
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
    fn new(technique: &'a str, results: &Results<'a>, common: &BTreeSet<Setting<'a>>) -> Self {
        let mut groups: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
        for setting in common {
            let group = groups.entry((setting.task, setting.dataset)).or_default();
            group.push(results[setting]);
        }
        let groups: BTreeMap<_, f64> = groups.into_iter().map(|(g, v)| (g, mean(&v))).collect();
        let squares: Vec<f64> = groups.values().map(|mean| mean * mean).collect();
        Self {
            rank: 1,
            technique,
            overall: mean(&squares).sqrt(),
            groups,
            values: common.iter().map(|setting| results[setting]).collect(),
            covered: results.len(),
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    fn ranks<'a>(ranking: &Ranking<'a>) -> Vec<(usize, &'a str, f64)> {
        let rows = ranking.standings.iter();
        rows.map(|row| (row.rank, row.technique, row.overall))
            .collect()
    }

    fn rank_all(track: Track, records: &[Record]) -> Option<Ranking<'_>> {
        rank(track, &records.iter().collect::<Vec<_>>())
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
        assert!((best.groups[&("classification", "cifar10")] - 0.6).abs() < 1e-12);
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
            .map(|row| (row.rank, row.technique))
            .collect();
        assert_eq!(ranks, [(1, "lamp"), (2, "er"), (2, "erk"), (4, "uniform")]);
    }

    #[test]
    fn a_technique_that_shares_nothing_is_set_apart() {
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
    fn one_technique_makes_no_ranking() {
        let records = [record("resnet20", "erk", "none", 0.8, 60.0)];
        assert!(rank_all(Track::Allocation, &records).is_none());
        assert!(rank_all(Track::Allocation, &[]).is_none());
        let diverged = ["er", "erk"].map(|name| record("vit", name, "none", 0.8, f64::NAN));
        assert!(rank_all(Track::Allocation, &diverged).is_none());
    }
}
