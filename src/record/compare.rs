//! Two sets of records, case by case and metric by metric.

use super::{Record, Scale};
use std::collections::BTreeMap;
use std::fmt;

/// What became of every metric of every case.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// One change a case and metric, sorted by case; metrics in the order of the record.
    pub changes: Vec<Change>,
}

/// One metric of one case before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The case id.
    pub case: String,
    /// The name of the metric.
    pub metric: String,
    /// The sparse network's value in the first set.
    pub before: Option<f64>,
    /// The sparse network's value in the second set.
    pub after: Option<f64>,
    /// What to think of it.
    pub verdict: Verdict,
}

/// Whether a change is one for the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Worse by more than the tolerance, or no longer a number.
    Worse,
    /// In the first set only.
    Vanished,
    /// Better by more than the tolerance, or a number at last.
    Better,
    /// In the second set only.
    Appeared,
    /// Equal within the tolerance.
    Same,
}

/// Compares the records `a` (before) with `b` (after); `scale` says which way a metric is better, and within what
/// tolerance two values count as equal.
pub fn compare(a: &[Record], b: &[Record], scale: impl Fn(&str) -> Scale) -> Comparison {
    let mut pairs: BTreeMap<&str, [Option<&Record>; 2]> = BTreeMap::new();
    for (side, records) in [a, b].into_iter().enumerate() {
        for record in records {
            pairs.entry(&record.case).or_default()[side] = Some(record);
        }
    }
    let changes = pairs
        .into_iter()
        .flat_map(|(case, pair)| changes_of(case, pair, &scale))
        .collect();
    Comparison { changes }
}

fn changes_of(
    case: &str,
    pair: [Option<&Record>; 2],
    scale: &impl Fn(&str) -> Scale,
) -> Vec<Change> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in pair.iter().flatten().flat_map(|r| r.metrics.iter()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let change = |name: &str| {
        let [before, after] = pair.map(|record| Some(record?.metrics.get(name)?.sparse));
        Change {
            case: case.to_owned(),
            metric: name.to_owned(),
            before,
            after,
            verdict: judge(before, after, scale(name)),
        }
    };
    names.into_iter().map(change).collect()
}

fn judge(before: Option<f64>, after: Option<f64>, scale: Scale) -> Verdict {
    let (Some(before), Some(after)) = (before, after) else {
        return if before.is_some() {
            Verdict::Vanished
        } else {
            Verdict::Appeared
        };
    };
    let sign = if scale.higher_is_better { 1.0 } else { -1.0 };
    let gain = sign * (after - before);
    match (before.is_nan(), after.is_nan()) {
        (true, true) => Verdict::Same,
        (true, false) => Verdict::Better,
        (false, true) => Verdict::Worse,
        _ if before.total_cmp(&after).is_eq() || gain.abs() <= scale.tolerance => Verdict::Same,
        _ if gain > 0.0 => Verdict::Better,
        _ => Verdict::Worse,
    }
}

impl Comparison {
    /// Iterates over the changes with a given verdict.
    pub fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(move |change| change.verdict == verdict)
    }
}

impl fmt::Display for Comparison {
    /// Writes a table of what changed, the worst first, and a line that counts everything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed: Vec<&Change> = Verdict::ALL[..4]
            .iter()
            .flat_map(|&verdict| self.of(verdict))
            .collect();
        let widest = |name: fn(&Change) -> &str| {
            let widths = changed.iter().map(|change| name(change).chars().count());
            widths.max()
        };
        let widths = widest(|change| &change.case).zip(widest(|change| &change.metric));
        if let Some((case, metric)) = widths {
            let metric = metric.max("metric".len());
            writeln!(
                f,
                "{:9} {:case$} {:>metric$} {:>10} {:>10} {:>10}",
                "verdict", "case", "metric", "before", "after", "change"
            )?;
            for change in &changed {
                change.write_row(f, [case, metric])?;
            }
        }
        let counts: Vec<String> = Verdict::ALL
            .iter()
            .map(|&verdict| format!("{} {}", self.of(verdict).count(), verdict.word()))
            .collect();
        writeln!(f, "{}", counts.join(", "))
    }
}

impl Change {
    fn write_row(&self, f: &mut fmt::Formatter<'_>, [case, metric]: [usize; 2]) -> fmt::Result {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.4}"));
        let difference = self.before.zip(self.after).map(|(b, a)| a - b);
        writeln!(
            f,
            "{:9} {:case$} {:>metric$} {:>10} {:>10} {:>10}",
            self.verdict.word(),
            self.case,
            self.metric,
            number(self.before),
            number(self.after),
            difference.map_or("-".to_owned(), |d| format!("{d:+.4}")),
        )
    }
}

impl Verdict {
    /// Every verdict, in the order in which a table shows them.
    const ALL: [Self; 5] = [
        Self::Worse,
        Self::Vanished,
        Self::Better,
        Self::Appeared,
        Self::Same,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Vanished => "vanished",
            Self::Better => "better",
            Self::Appeared => "appeared",
            Self::Same => "same",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    fn scale(higher_is_better: bool) -> impl Fn(&str) -> Scale {
        move |_| Scale {
            unit: "%",
            higher_is_better,
            tolerance: 0.25,
        }
    }

    #[test]
    fn verdicts_follow_direction_and_tolerance() {
        let nan = f64::NAN;
        let inf = f64::INFINITY;
        for (before, after, higher, lower) in [
            (70.0, 70.25, Verdict::Same, Verdict::Same),
            (70.0, 70.5, Verdict::Better, Verdict::Worse),
            (70.0, 69.5, Verdict::Worse, Verdict::Better),
            (nan, nan, Verdict::Same, Verdict::Same),
            (nan, 1.0, Verdict::Better, Verdict::Better),
            (1.0, nan, Verdict::Worse, Verdict::Worse),
            (inf, inf, Verdict::Same, Verdict::Same),
            (inf, 9.0, Verdict::Worse, Verdict::Better),
        ] {
            for (direction, expected) in [(true, higher), (false, lower)] {
                let verdict = judge(Some(before), Some(after), scale(direction)("top1"));
                assert_eq!(verdict, expected, "{before} {after} {direction}");
            }
        }
    }

    #[test]
    fn cases_appear_and_vanish_and_the_table_says_so() {
        let a = [
            record("resnet20", "erk", "none", 0.8, 70.0),
            record("vit", "erk", "none", 0.8, 60.0),
        ];
        let b = [
            record("resnet20", "erk", "none", 0.8, 68.0),
            record("mobilenet", "erk", "none", 0.8, 50.0),
        ];
        let comparison = compare(&a, &b, scale(true));
        let text = comparison.to_string();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let case = |model| format!("default::classification/fashion-mnist/{model}/erk/none@0.80");
        assert_eq!(
            rows[0],
            ["verdict", "case", "metric", "before", "after", "change"]
        );
        assert_eq!(
            rows[1],
            [
                "worse",
                &case("resnet20"),
                "top1",
                "70.0000",
                "68.0000",
                "-2.0000"
            ]
        );
        assert_eq!(
            rows[2],
            ["vanished", &case("vit"), "top1", "60.0000", "-", "-"]
        );
        assert_eq!(
            rows[4],
            ["appeared", &case("mobilenet"), "top1", "-", "50.0000", "-"]
        );
        assert_eq!(
            text.lines().last(),
            Some("1 worse, 2 vanished, 0 better, 2 appeared, 1 same")
        );
    }

    #[test]
    fn equal_sets_have_no_table() {
        let a = [record("resnet20", "erk", "none", 0.8, 70.0)];
        assert_eq!(
            compare(&a, &a, scale(true)).to_string(),
            "0 worse, 0 vanished, 0 better, 0 appeared, 2 same\n"
        );
    }
}
