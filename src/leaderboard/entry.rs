//! A case of the leaderboard: the records of all its seeds.

use super::address::Address;
use crate::golden::Drift;
use crate::record::{Record, deviation, mean};
use std::collections::BTreeMap;

/// A case.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// The record of the lowest seed, which stands for all where one must.
    pub(super) record: &'a Record,
    /// The records of all seeds, ascending.
    pub(super) seeds: Vec<&'a Record>,
    /// The family of its model.
    pub(super) family: &'a str,
    /// Its page.
    pub(super) page: String,
    /// How far it is from its golden, where it has one.
    pub(super) drift: Option<&'a Drift>,
}

impl<'a> Entry<'a> {
    /// Gathers the cases of `records`, in the order of their ids; of two records of one seed the first counts.
    pub(super) fn gather(
        records: &'a [Record],
        drift: &'a [Drift],
        family: impl Fn(&str) -> Option<&'static str>,
    ) -> Vec<Self> {
        let mut cases: BTreeMap<&str, BTreeMap<u64, &Record>> = BTreeMap::new();
        for record in records {
            let seeds = cases.entry(&record.case).or_default();
            seeds.entry(record.environment.seed).or_insert(record);
        }
        let drift: BTreeMap<&str, &Drift> = drift.iter().map(|d| (&*d.case, d)).collect();
        let entry = |(case, seeds): (&'a str, BTreeMap<u64, &'a Record>)| {
            let seeds: Vec<&Record> = seeds.into_values().collect();
            let record = *seeds.first()?;
            Some(Self {
                record,
                seeds,
                family: family(&record.model).unwrap_or(&record.model),
                page: Address::Case(case).path(),
                drift: drift.get(case).copied(),
            })
        };
        cases.into_iter().filter_map(entry).collect()
    }

    /// Returns the relative performance, averaged over the seeds, where it is a number for all of them.
    pub(super) fn relative(&self) -> Option<f64> {
        self.mean(Record::relative)
    }

    /// Returns the relative performance with one seed.
    pub(super) fn relative_of(&self, seed: u64) -> Option<f64> {
        let mut seeds = self.seeds.iter();
        let record = seeds.find(|record| record.environment.seed == seed)?;
        record.relative()
    }

    /// Returns the mean over the seeds of what all of them have.
    pub(super) fn mean(&self, of: impl Fn(&'a Record) -> Option<f64>) -> Option<f64> {
        let values: Option<Vec<f64>> = self.seeds.iter().map(|record| of(record)).collect();
        values.map(|values| mean(&values))
    }

    /// Returns the time that the case took, averaged over the seeds; NaN where it is not known.
    pub(super) fn seconds(&self) -> f64 {
        let seconds = self.mean(|record| Some(record.seconds.total));
        seconds.unwrap_or(f64::NAN)
    }

    /// Returns the deviation over the seeds of what all of them have, where there are several.
    pub(super) fn deviation(&self, of: impl Fn(&'a Record) -> Option<f64>) -> Option<f64> {
        let values: Option<Vec<f64>> = self.seeds.iter().map(|record| of(record)).collect();
        deviation(&values?)
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Gathers records without goldens, with the part of a model's name before the first hyphen as its family.
    pub(in super::super) fn entries(records: &[Record]) -> Vec<Entry<'_>> {
        let mut entries = Entry::gather(records, &[], |_| None);
        for entry in &mut entries {
            entry.family = entry.record.model.split('-').next().unwrap_or_default();
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::testing::entries;
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn seeds_of_a_case_are_one_entry() {
        let seeded = |seed, top1| {
            let mut record = record("resnet20", "erk", "none", 0.8, top1);
            record.environment.seed = seed;
            record
        };
        let records = [
            seeded(2, 64.0),
            seeded(0, 56.0),
            seeded(0, 1.0),
            record("vit", "erk", "none", 0.8, 40.0),
        ];
        let entries = entries(&records);
        assert_eq!(entries.len(), 2);
        let [both, single] = [&entries[0], &entries[1]];
        assert_eq!(both.record.environment.seed, 0);
        assert_eq!(both.seeds.len(), 2);
        assert_eq!(both.relative(), Some(0.75));
        assert_eq!(both.relative_of(2), Some(0.8));
        assert_eq!(both.relative_of(1), None);
        // Of 0.7 and 0.8: half the distance times the root of two.
        let deviation = both.deviation(Record::relative).unwrap();
        assert!((deviation - 0.05 * 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(single.deviation(Record::relative), None);
    }

    #[test]
    fn what_one_seed_lacks_has_no_mean() {
        let mut diverged = record("vit", "erk", "none", 0.8, f64::NAN);
        diverged.environment.seed = 1;
        let records = [record("vit", "erk", "none", 0.8, 40.0), diverged];
        assert_eq!(entries(&records)[0].relative(), None);
    }
}
