//! Two sets of records, case by case and metric by metric.

use super::{Record, Scale, deviation, mean};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What became of every metric of every case.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// One change a case and metric, sorted by case; metrics in the order of the record.
    pub changes: Vec<Change>,
}

/// One metric of one case before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The case id.
    pub case: String,
    /// The name of the metric.
    pub metric: String,
    /// The sparse network's value in the first set, averaged over seeds.
    #[serde(with = "super::number::optional")]
    pub before: Option<f64>,
    /// The sparse network's value in the second set, averaged over seeds.
    #[serde(with = "super::number::optional")]
    pub after: Option<f64>,
    /// Twice the standard error of the difference of the means, where both sets have two seeds or more.
    #[serde(with = "super::number::optional")]
    pub noise: Option<f64>,
    /// What to think of it.
    pub verdict: Verdict,
}

/// Whether a change is one for the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Worse by more than the tolerance and the noise, or no longer a number.
    Worse,
    /// In the first set only.
    Vanished,
    /// Better by more than the tolerance and the noise, or a number at last.
    Better,
    /// In the second set only.
    Appeared,
    /// Equal within the tolerance or the noise.
    Same,
}

/// Compares the records `a` (before) with `b` (after); `scale` says which way a metric is better, and within what
/// tolerance two values count as equal. Records of one case and several seeds are taken together.
pub fn compare(a: &[Record], b: &[Record], scale: impl Fn(&str) -> Scale) -> Comparison {
    let mut pairs: BTreeMap<&str, [Vec<&Record>; 2]> = BTreeMap::new();
    for (side, records) in [a, b].into_iter().enumerate() {
        for record in records {
            pairs.entry(&record.case).or_default()[side].push(record);
        }
    }
    let changes = pairs
        .into_iter()
        .flat_map(|(case, pair)| changes_of(case, &pair, &scale))
        .collect();
    Comparison { changes }
}

fn changes_of(case: &str, pair: &[Vec<&Record>; 2], scale: &impl Fn(&str) -> Scale) -> Vec<Change> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in pair.iter().flatten().flat_map(|r| r.metrics.iter()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let change = |name: &str| {
        let sides = [0, 1].map(|side| values(&pair[side], name));
        let [before, after] = [0, 1].map(|side| square_of_error(&sides[side]));
        let noise = before.zip(after).map(|(a, b)| 2.0 * (a + b).sqrt());
        let [before, after] = sides.map(|side| (!side.is_empty()).then(|| mean(&side)));
        Change {
            case: case.to_owned(),
            metric: name.to_owned(),
            before,
            after,
            noise,
            verdict: judge(before, after, noise, scale(name)),
        }
    };
    names.into_iter().map(change).collect()
}

/// Returns a metric of a case with each seed.
fn values(records: &[&Record], metric: &str) -> Vec<f64> {
    let values = records
        .iter()
        .filter_map(|record| Some(record.metrics.get(metric)?.sparse));
    values.collect()
}

/// Returns the square of the standard error of the mean, if there are two values or more.
fn square_of_error(values: &[f64]) -> Option<f64> {
    Some(deviation(values)?.powi(2) / values.len() as f64)
}

fn judge(before: Option<f64>, after: Option<f64>, noise: Option<f64>, scale: Scale) -> Verdict {
    let (Some(before), Some(after)) = (before, after) else {
        return if before.is_some() {
            Verdict::Vanished
        } else {
            Verdict::Appeared
        };
    };
    let sign = if scale.higher_is_better { 1.0 } else { -1.0 };
    let gain = sign * (after - before);
    let forgiven = noise.map_or(scale.tolerance, |noise| noise.max(scale.tolerance));
    match (before.is_nan(), after.is_nan()) {
        (true, true) => Verdict::Same,
        (true, false) => Verdict::Better,
        (false, true) => Verdict::Worse,
        _ if before.total_cmp(&after).is_eq() || gain.abs() <= forgiven => Verdict::Same,
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

    /// Iterates over what changed, the worst first.
    pub fn changed(&self) -> impl Iterator<Item = &Change> {
        let verdicts = Verdict::ALL[..4].iter();
        verdicts.flat_map(|&verdict| self.of(verdict))
    }

    /// Returns how many there are of each verdict: `1 worse, 0 vanished, ...`.
    pub fn headline(&self) -> String {
        let counts: Vec<String> = Verdict::ALL
            .iter()
            .map(|&verdict| format!("{} {}", self.of(verdict).count(), verdict.word()))
            .collect();
        counts.join(", ")
    }

    /// Returns the same as a table in Markdown.
    pub fn markdown(&self) -> String {
        let rows = self.changed().map(|change| {
            let case = change.case.replace('|', "\\|");
            let [metric, numbers @ ..] = change.cells();
            let word = change.verdict.word();
            format!(
                "| {word} | `{case}` | {metric} | {} |\n",
                numbers.join(" | ")
            )
        });
        let rows: String = rows.collect();
        let table = if rows.is_empty() {
            rows
        } else {
            "\n| verdict | case | metric | before | after | change | noise |\n\
             | --- | --- | --- | ---: | ---: | ---: | ---: |\n"
                .to_owned()
                + &rows
        };
        format!("{}.\n{table}", self.headline())
    }
}

impl fmt::Display for Comparison {
    /// Writes a table of what changed, the worst first, and a line that counts everything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.changed().map(|change| {
            let [metric, numbers @ ..] = change.cells();
            let left = [
                change.verdict.word().to_owned(),
                change.case.clone(),
                metric,
            ];
            (left, numbers)
        });
        let rows: Vec<([String; 3], [String; 4])> = rows.collect();
        if !rows.is_empty() {
            let widest = |column: usize, least: usize| {
                let widths = rows.iter().map(|(left, _)| left[column].chars().count());
                widths.max().unwrap_or_default().max(least)
            };
            let [case, metric] = [widest(1, 4), widest(2, 6)];
            let heading = ["verdict", "case", "metric"].map(str::to_owned);
            let numbers = ["before", "after", "change", "noise"].map(str::to_owned);
            for ([verdict, name, of], numbers) in std::iter::once(&(heading, numbers)).chain(&rows)
            {
                write!(f, "{verdict:9} {name:case$} {of:>metric$}")?;
                for number in numbers {
                    write!(f, " {number:>10}")?;
                }
                writeln!(f)?;
            }
        }
        writeln!(f, "{}", self.headline())
    }
}

impl Change {
    /// Returns the metric, both values, their difference and the noise.
    fn cells(&self) -> [String; 5] {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.4}"));
        let difference = self.before.zip(self.after).map(|(b, a)| a - b);
        [
            self.metric.clone(),
            number(self.before),
            number(self.after),
            difference.map_or("-".to_owned(), |d| format!("{d:+.4}")),
            number(self.noise),
        ]
    }
}

impl Verdict {
    /// Every verdict, in the order in which a table shows them.
    pub const ALL: [Self; 5] = [
        Self::Worse,
        Self::Vanished,
        Self::Better,
        Self::Appeared,
        Self::Same,
    ];

    /// Returns the verdict in a word.
    pub fn word(self) -> &'static str {
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
                let verdict = judge(Some(before), Some(after), None, scale(direction)("top1"));
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
            [
                "verdict", "case", "metric", "before", "after", "change", "noise"
            ]
        );
        assert_eq!(
            rows[1],
            [
                "worse",
                &case("resnet20"),
                "top1",
                "70.0000",
                "68.0000",
                "-2.0000",
                "-"
            ]
        );
        assert_eq!(
            rows[2],
            ["vanished", &case("vit"), "top1", "60.0000", "-", "-", "-"]
        );
        assert_eq!(
            rows[4],
            [
                "appeared",
                &case("mobilenet"),
                "top1",
                "-",
                "50.0000",
                "-",
                "-"
            ]
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

    #[test]
    fn a_change_within_the_noise_of_the_seeds_is_none() {
        let seeded = |values: [f64; 2]| {
            let mut seed = 0;
            values.map(|top1| {
                let mut record = record("vit", "erk", "none", 0.8, top1);
                record.environment.seed = seed;
                seed += 1;
                record
            })
        };
        // Means 61 and 64; each mean's error is 1, so that the noise is twice the root of two.
        let noisy = compare(&seeded([60.0, 62.0]), &seeded([63.0, 65.0]), scale(true));
        let change = &noisy.changes[0];
        assert_eq!((change.before, change.after), (Some(61.0), Some(64.0)));
        assert!((change.noise.unwrap() - 2.0 * 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(change.verdict, Verdict::Better);
        let closer = compare(&seeded([60.0, 62.0]), &seeded([62.5, 64.5]), scale(true));
        assert_eq!(closer.changes[0].verdict, Verdict::Same);
        let text = noisy.markdown();
        let row = text.lines().last().unwrap();
        assert!(
            row.ends_with("| top1 | 61.0000 | 64.0000 | +3.0000 | 2.8284 |"),
            "{row}"
        );
    }
}
