//! A part of the cases, for one of several machines.

use super::{Entry, Suite};
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// One of several parts into which cases are dealt: `2/4`.
///
/// Cases are dealt by turns in the order of the hashes of their ids. So parts differ by one case at most, what is dear (a model, a
/// reconstruction) does not fall on one of them by the rhythm of the listing, and nothing depends on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

/// A text that names no part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `I/N`, the I-th of N parts, with I from 1 to N")]
pub struct ShardError;

impl Shard {
    /// Leaves the cases of this part in `suites`, out of those that `selects` picks.
    pub fn deal(self, suites: &mut [Suite], selects: impl Fn(&Entry) -> bool) {
        let entries = suites.iter().flat_map(|suite| &suite.entries);
        let ids = entries.filter(|entry| selects(entry));
        let mut ids: Vec<_> = ids.map(named).collect();
        ids.sort_unstable();
        let own = ids.into_iter().skip(self.index - 1).step_by(self.count);
        let own: HashSet<[u8; 32]> = own.collect();
        for suite in suites {
            suite.entries.retain(|entry| own.contains(&named(entry)));
        }
    }
}

fn named(entry: &Entry) -> [u8; 32] {
    blake3::hash(entry.case.spec.id().as_bytes()).into()
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let (index, count) = text.split_once('/').ok_or(ShardError)?;
        let number = |text: &str| text.parse().map_err(|_| ShardError);
        let (index, count) = (number(index)?, number(count)?);
        if (1..=count).contains(&index) {
            Ok(Self { index, count })
        } else {
            Err(ShardError)
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::load;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const SUITE: &str = "paper/track1-allocation";

    fn suites() -> Vec<Suite> {
        load(
            "/nowhere".as_ref(),
            &["default".to_owned(), SUITE.to_owned()],
        )
        .unwrap()
    }

    fn ids(suites: &[Suite]) -> Vec<String> {
        let entries = suites.iter().flat_map(|suite| &suite.entries);
        entries.map(|entry| entry.case.spec.id()).collect()
    }

    #[test]
    fn what_names_no_part_is_refused() {
        assert_eq!("2/4".parse::<Shard>().unwrap().to_string(), "2/4");
        for text in ["", "1", "0/4", "5/4", "1/0", "-1/4", "a/4", "1/2/3"] {
            assert_eq!(text.parse::<Shard>(), Err(ShardError), "{text}");
        }
    }

    #[test]
    fn the_rhythm_of_a_listing_falls_on_no_part() {
        // Half of the track's cases cost nearly all of its time, and ten cases in a row are half of them.
        for index in 1..=10 {
            let mut suites = suites();
            let selects = |entry: &Entry| entry.case.spec.suite == SUITE;
            Shard { index, count: 10 }.deal(&mut suites, selects);
            let ids = ids(&suites);
            assert_eq!(ids.len(), 28);
            let dear = ids.iter().filter(|id| !id.contains("/none@")).count();
            assert!((7..=21).contains(&dear), "{dear} of part {index}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn parts_are_a_partition(count in 1_usize..500, part in "e") {
            let selects = |entry: &Entry| entry.case.spec.id().contains(&part);
            let whole = ids(&suites());
            let whole: Vec<&String> = whole.iter().filter(|id| id.contains(&part)).collect();
            let mut all = BTreeSet::new();
            let mut sizes = BTreeSet::new();
            for index in 1..=count.min(12) {
                let mut suites = suites();
                Shard { index, count }.deal(&mut suites, selects);
                let own = ids(&suites);
                sizes.insert(own.len());
                for id in own {
                    prop_assert!(whole.contains(&&id));
                    prop_assert!(all.insert(id));
                }
            }
            if count <= 12 {
                prop_assert_eq!(all.len(), whole.len());
            }
            prop_assert!(sizes.last().unwrap() - sizes.first().unwrap() <= 1);
        }
    }
}
