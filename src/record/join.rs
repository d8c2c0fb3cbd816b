//! Records of several runs as those of one: each case and seed once, and what does not fit.

use super::{Failed, Ignored, Loaded, Record, RunSummary, Store, StoreError};
use crate::suite::{Entry, Suite};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::btree_map::Entry as Place;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What a second run of the same case may change. The specification says where weights and data lie, which may differ; what they
/// hold is in the key.
const PASSING: [&str; 4] = ["seconds", "peak_rss_bytes", "environment", "spec"];

/// The results of several runs, taken together.
///
/// Of two records of the same case and seed the first counts.
#[derive(Debug, Default)]
pub struct Join {
    seen: BTreeMap<(String, u64), (PathBuf, Record)>,
    doubles: Vec<Double>,
    summaries: Vec<RunSummary>,
    problems: Vec<StoreError>,
}

/// Two records of the same case and seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Double {
    /// The case id.
    pub case: String,
    /// The seed.
    pub seed: u64,
    /// The record that counts.
    pub first: PathBuf,
    /// The other one.
    pub second: PathBuf,
    /// The fields in which they differ, apart from what any second run changes: times, memory, the machine. None if they are
    /// one result.
    pub differs: Vec<String>,
}

/// A case of a suite without a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The case id.
    pub case: String,
    /// The seed, where the runs have several.
    pub seed: Option<u64>,
    /// What became of it.
    #[serde(flatten)]
    pub fate: Fate,
}

/// What became of a case without a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", content = "why", rename_all = "lowercase")]
pub enum Fate {
    /// No run tells of it.
    Missing,
    /// A run tried it in vain; the message.
    Failed(String),
    /// It could not run; the reason.
    Ignored(String),
}

/// What the runs of a suite say of cases, by their ids.
#[derive(Default)]
struct Rest<'a> {
    failed: BTreeMap<&'a str, &'a Failed>,
    ignored: BTreeMap<&'a str, &'a Ignored>,
}

impl Join {
    /// Adds the records and summaries of the folder `root` ([`Store`]); files that cannot be used are gathered.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn add(&mut self, root: &Path) -> Result<(), StoreError> {
        let store = Store::new(root);
        let loaded = store.load_all()?;
        for record in loaded.records {
            let path = store.path(&record.case)?;
            self.add_record(path, record);
        }
        self.summaries.extend(loaded.summaries);
        self.problems.extend(loaded.problems);
        Ok(())
    }

    /// Adds a record that was read from `path`.
    fn add_record(&mut self, path: PathBuf, record: Record) {
        let (case, seed) = (record.case.clone(), record.environment.seed);
        match self.seen.entry((case.clone(), seed)) {
            Place::Vacant(place) => {
                place.insert((path, record));
            }
            Place::Occupied(place) => {
                let (first, counts) = place.get();
                self.doubles.push(Double {
                    case,
                    seed,
                    first: first.clone(),
                    second: path,
                    differs: differences(counts, &record),
                });
            }
        }
    }

    /// Returns the records that count, sorted by case and seed.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.seen.values().map(|(_, record)| record)
    }

    /// Returns the records that did not count, in the order in which they came.
    pub fn doubles(&self) -> &[Double] {
        &self.doubles
    }

    /// Returns the files that could not be used.
    pub fn problems(&self) -> &[StoreError] {
        &self.problems
    }

    /// Whether any case has records of several seeds.
    pub fn has_several_seeds(&self) -> bool {
        let mut pairs = self.seen.keys().zip(self.seen.keys().skip(1));
        pairs.any(|((a, _), (b, _))| a == b)
    }

    /// Returns one summary a suite, sorted: what any run says of the cases that lack a record. A case that failed in one run
    /// and was ignored by another has failed.
    pub fn summaries(&self) -> Vec<RunSummary> {
        let complete = self.complete();
        let mut suites: BTreeMap<&str, Rest<'_>> = BTreeMap::new();
        for summary in &self.summaries {
            let rest = suites.entry(&summary.suite).or_default();
            for one in &summary.failed {
                rest.failed.entry(&one.case).or_insert(one);
            }
            for one in &summary.ignored {
                rest.ignored.entry(&one.case).or_insert(one);
            }
        }
        let summary = |(suite, Rest { failed, ignored }): (&str, Rest<'_>)| {
            let absent = |case: &str| !complete.contains(case);
            let only_ignored = |case: &str| absent(case) && !failed.contains_key(case);
            RunSummary {
                suite: suite.to_owned(),
                ignored: ignored
                    .into_values()
                    .filter(|one| only_ignored(&one.case))
                    .cloned()
                    .collect(),
                failed: failed
                    .values()
                    .filter(|one| absent(&one.case))
                    .map(|one| (*one).clone())
                    .collect(),
            }
        };
        suites.into_iter().map(summary).collect()
    }

    /// Returns the cases of `suite` that lack a record, in the order of its listing. Where any case of the suite has several seeds,
    /// all of them should have all.
    ///
    /// What could not run is what the runs say; where none of the suite's has said anything, what this machine says.
    pub fn gaps(&self, suite: &Suite) -> Vec<Gap> {
        let mut joint = self.summaries().into_iter();
        let joint = joint.find(|joint| joint.suite == suite.name);
        let told = joint.is_some();
        let mut fates: HashMap<String, Fate> = HashMap::new();
        let joint = joint.unwrap_or_default();
        let ignored = joint.ignored.into_iter();
        fates.extend(ignored.map(|one| (one.case, Fate::Ignored(one.reason))));
        let failed = joint.failed.into_iter();
        fates.extend(failed.map(|one| (one.case, Fate::Failed(one.message))));
        let fate = |entry: &Entry, id: &str| match (fates.get(id), &entry.ignored) {
            (Some(fate), _) => fate.clone(),
            (None, Some(reason)) if !told => Fate::Ignored(reason.clone()),
            (None, _) => Fate::Missing,
        };
        let seeds = self.seeds(&suite.name);
        let mut gaps = Vec::new();
        for entry in &suite.entries {
            let id = entry.case.spec.id();
            let absent = |seed: &Option<u64>| !self.has(&id, *seed);
            gaps.extend(seeds.iter().copied().filter(absent).map(|seed| Gap {
                case: id.clone(),
                seed,
                fate: fate(entry, &id),
            }));
        }
        gaps
    }

    /// Returns the seeds that the cases of a suite should have; one that is not told where none has several.
    fn seeds(&self, suite: &str) -> Vec<Option<u64>> {
        let mut cases: BTreeMap<&str, usize> = BTreeMap::new();
        let mut seeds = BTreeSet::new();
        for record in self.records().filter(|record| record.suite == suite) {
            *cases.entry(&record.case).or_default() += 1;
            seeds.insert(record.environment.seed);
        }
        if cases.into_values().any(|count| count > 1) {
            seeds.into_iter().map(Some).collect()
        } else {
            vec![None]
        }
    }

    /// Returns the cases that have all the records that they should have.
    fn complete(&self) -> HashSet<&str> {
        let suites: BTreeSet<&str> = self.records().map(|record| &*record.suite).collect();
        let wanted: HashMap<&str, usize> = suites
            .into_iter()
            .map(|suite| (suite, self.seeds(suite).len()))
            .collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for record in self.records() {
            *counts.entry(&record.case).or_default() += 1;
        }
        let of_suite = |record: &&Record| counts[&*record.case] == wanted[&*record.suite];
        let complete = self.records().filter(of_suite);
        complete.map(|record| &*record.case).collect()
    }

    /// Whether there is a record of `case`, with this seed if one is given.
    fn has(&self, case: &str, seed: Option<u64>) -> bool {
        let [low, high] = [seed.unwrap_or(0), seed.unwrap_or(u64::MAX)];
        let range = (case.to_owned(), low)..=(case.to_owned(), high);
        self.seen.range(range).next().is_some()
    }

    /// Returns the records that count and the files that could not be used, with what the runs said.
    pub(super) fn into_loaded(self) -> (Loaded, Vec<Double>) {
        let mut summaries: Vec<RunSummary> = Vec::new();
        for summary in self.summaries {
            if !summaries.contains(&summary) {
                summaries.push(summary);
            }
        }
        let loaded = Loaded {
            records: self.seen.into_values().map(|(_, record)| record).collect(),
            summaries,
            problems: self.problems,
        };
        (loaded, self.doubles)
    }

    /// Writes the records that count, and a summary a suite, below `out`: into `out/results` or, where any case has several seeds,
    /// `out/seed<N>/results`. Returns the folder that [`load_runs`](super::load_runs) reads them from. Each file is either old or new.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn save(&self, out: &Path) -> Result<PathBuf, StoreError> {
        let several = self.has_several_seeds();
        let root = |seed: u64| {
            let run = several.then(|| out.join(format!("seed{seed}")));
            run.unwrap_or_else(|| out.to_owned()).join("results")
        };
        let mut roots = BTreeSet::new();
        for record in self.records() {
            let root = root(record.environment.seed);
            Store::new(&root).save(record)?;
            roots.insert(root);
        }
        if roots.is_empty() {
            roots.insert(root(0));
        }
        let summaries = self.summaries();
        for root in roots {
            let store = Store::new(root);
            summaries.iter().try_for_each(|s| store.save_summary(s))?;
        }
        Ok(if several { out.to_owned() } else { root(0) })
    }
}

impl Double {
    /// Whether the two records are different results.
    pub fn is_conflict(&self) -> bool {
        !self.differs.is_empty()
    }
}

/// Returns the fields in which two records are different results.
fn differences(a: &Record, b: &Record) -> Vec<String> {
    let [a, b] = [lasting(a), lasting(b)];
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let differs = |name: &&&String| a.get(**name) != b.get(**name);
    names.iter().filter(differs).copied().cloned().collect()
}

/// Returns a record as JSON, in which what diverged equals itself, without what any second run changes.
fn lasting(record: &Record) -> Map<String, Value> {
    let mut record = record.clone();
    for unit in &mut record.units {
        unit.seconds = 0.0;
    }
    let value = serde_json::to_value(record).expect("a record is JSON");
    let Value::Object(mut fields) = value else {
        unreachable!("a record is an object")
    };
    fields.retain(|name, _| !PASSING.contains(&name.as_str()));
    fields
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::super::{SCHEMA, load_runs};
    use super::*;
    use crate::suite;
    use proptest::prelude::*;
    use std::fs;
    use tempfile::TempDir;

    /// The record of a case of [`suite`].
    fn of(allocator: &str, seed: u64) -> Record {
        let mut record = record("resnet20", allocator, "none", 0.8, 60.0);
        record.environment.seed = seed;
        record
    }

    fn join(records: impl IntoIterator<Item = Record>) -> Join {
        let mut join = Join::default();
        for (index, record) in records.into_iter().enumerate() {
            join.add_record(format!("run{index}").into(), record);
        }
        join
    }

    /// The suite of the cases of `er`, `erk`, `lamp` and `uniform`, none of which can run here.
    fn suite() -> Suite {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("default.toml");
        let text = r#"
            description = "a test"
            [[subjects]]
            model = "resnet20"
            weights = "/nowhere.pth"
            data = "embedded:fashion-mnist"
            [[sections]]
            name = "only"
            allocators = ["er", "erk", "lamp", "uniform"]
            reconstructions = ["none"]
            sparsities = [0.8]
        "#;
        fs::write(&path, text).unwrap();
        let names = [path.to_str().unwrap().to_owned()];
        suite::load("/nowhere".as_ref(), &names).unwrap().remove(0)
    }

    #[test]
    fn what_a_second_run_changes_is_no_conflict() {
        let first = of("erk", 0);
        let mut again = first.clone();
        again.seconds.total = 9.0;
        again.units[0].seconds = 9.0;
        again.peak_rss_bytes = None;
        again.environment.threads = 64;
        again.environment.cpu = "another".to_owned();
        again.spec.insert("weights".to_owned(), "elsewhere".into());
        let mut diverged = again.clone();
        diverged.units[0].loss_after = f64::NAN;
        let join = join([first, again, diverged]);
        let differs: Vec<&[String]> = join.doubles().iter().map(|d| &*d.differs).collect();
        assert_eq!(differs, [&[][..], &["units".to_owned()]]);
        assert_eq!(join.doubles()[1].first, Path::new("run0"));
        assert_eq!(join.records().next().unwrap().seconds.total, 2.0);
    }

    #[test]
    fn another_key_is_a_conflict_and_what_diverged_twice_is_none() {
        let mut first = of("erk", 0);
        first.metrics = [(
            "top1",
            super::super::Metric {
                dense: 80.0,
                sparse: f64::NAN,
                relative: None,
            },
        )]
        .into_iter()
        .collect();
        let mut other = first.clone();
        other.key = "k1".to_owned();
        let join = join([first.clone(), first, other]);
        let conflicts: Vec<bool> = join.doubles().iter().map(Double::is_conflict).collect();
        assert_eq!(conflicts, [false, true]);
        assert_eq!(join.doubles()[1].differs, ["key"]);
    }

    #[test]
    fn gaps_are_told_apart() {
        let suite = suite();
        let id = |index: usize| suite.entries[index].case.spec.id();
        let mut join = join([of("er", 0)]);
        let fates = |join: &Join| -> Vec<Fate> {
            let gaps = join.gaps(&suite).into_iter();
            gaps.map(|gap| gap.fate).collect()
        };
        // No run has said anything: this machine's word counts.
        assert!(matches!(
            &fates(&join)[..],
            [Fate::Ignored(_), Fate::Ignored(_), Fate::Ignored(_)]
        ));
        let summary = |ignored: &[usize], failed: &[usize]| RunSummary {
            suite: "default".to_owned(),
            ignored: ignored
                .iter()
                .map(|&index| Ignored {
                    case: id(index),
                    reason: "no data".to_owned(),
                })
                .collect(),
            failed: failed
                .iter()
                .map(|&index| Failed {
                    case: id(index),
                    message: "diverged".to_owned(),
                })
                .collect(),
        };
        // One run failed where another had got a record, or ignored what another tried.
        join.summaries = vec![summary(&[1, 2], &[0]), summary(&[], &[2])];
        let expected = [
            Fate::Ignored("no data".to_owned()),
            Fate::Failed("diverged".to_owned()),
            Fate::Missing,
        ];
        assert_eq!(fates(&join), expected);
        assert_eq!(join.summaries(), [summary(&[1], &[2])]);
    }

    #[test]
    fn every_seed_is_wanted_of_every_case_where_any_has_several() {
        let suite = suite();
        let full = ["er", "erk", "lamp", "uniform"].map(|allocator| of(allocator, 0));
        let one = join(full.clone());
        assert_eq!(one.gaps(&suite), []);
        let two = join(full.into_iter().chain([of("er", 3), of("lamp", 3)]));
        let gaps: Vec<_> = two.gaps(&suite).into_iter().map(|gap| gap.seed).collect();
        assert_eq!(gaps, [Some(3), Some(3)]);

        let out = TempDir::new().unwrap();
        for (join, place, records) in [(one, "results", 4), (two, "", 6)] {
            let root = join.save(out.path()).unwrap();
            assert_eq!(root, out.path().join(place));
            assert_eq!(load_runs(&root).unwrap().records.len(), records);
        }
    }

    #[test]
    fn files_that_cannot_be_used_are_gathered() {
        let folder = TempDir::new().unwrap();
        fs::write(
            folder.path().join("cut.json"),
            format!("{{\"schema\": {SCHEMA}, "),
        )
        .unwrap();
        let mut join = Join::default();
        join.add(folder.path()).unwrap();
        assert_eq!(join.problems().len(), 1);
        assert!(join.add(&folder.path().join("none")).is_err());
    }

    proptest! {
        /// However cases are dealt to runs, and however often, they come together as what they were.
        #[test]
        fn joining_undoes_dealing(dealt in prop::collection::vec((0_usize..12, 0_u64..2), 0..40)) {
            let case = |&(number, seed): &(usize, u64)| of(&format!("erk(power=0.{number})"), seed);
            let join = join(dealt.iter().map(case));
            let all: BTreeSet<_> = dealt.iter().copied().collect();
            prop_assert_eq!(join.records().count(), all.len());
            prop_assert_eq!(join.doubles().len(), dealt.len() - all.len());
            prop_assert!(!join.doubles().iter().any(Double::is_conflict));
            let ids: Vec<_> = join.records().map(|r| (&r.case, r.environment.seed)).collect();
            prop_assert!(ids.is_sorted());
        }
    }
}
