//! The page of a case: all that its record holds.

use super::address::Address;
use super::chart::{Bars, Losses, Plot};
use super::entry::Entry;
use super::exhibit::{ExhibitRow, exhibit_row};
use super::format::{ABSENT, better, bytes, duration, number, percent, rate};
use super::gallery::Gallery;
use super::goldens::{NumberRow, number_rows};
use crate::allocate::{Evidence, Learning, Sensitivity};
use crate::record::{Environment, Layer, Metric, Record, Scale, Unit};
use serde::Serialize;

/// All that is known of a case.
#[derive(Debug, Serialize)]
pub(super) struct CasePage<'a> {
    case: &'a str,
    task: &'a str,
    dataset: &'a str,
    suite: &'a str,
    model: Link<'a>,
    allocator: Link<'a>,
    reconstruction: Link<'a>,
    sparsity: String,
    achieved: String,
    metrics: Vec<MetricRow<'a>>,
    seeds: Vec<SeedRow>,
    rates: Bars,
    layers: Vec<LayerRow<'a>>,
    learning: Vec<Plot>,
    sensitivity: Option<SensitivityTable<'a>>,
    units: Vec<UnitRow<'a>>,
    losses: Option<Losses>,
    golden: Option<Vec<NumberRow<'a>>>,
    facts: Vec<(&'static str, Vec<Fact>)>,
    notes: &'a [String],
    exhibits: Vec<ExhibitRow<'a>>,
    command: String,
}

/// A name and its page.
#[derive(Debug, Serialize)]
pub(super) struct Link<'a> {
    pub(super) name: &'a str,
    pub(super) page: String,
}

/// A label and its value.
#[derive(Debug, Serialize)]
pub(super) struct Fact {
    label: String,
    value: String,
}

impl Fact {
    pub(super) fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            value: value.into(),
        }
    }
}

#[derive(Debug, Serialize)]
struct MetricRow<'a> {
    name: &'a str,
    unit: &'static str,
    better: &'static str,
    dense: String,
    sparse: String,
    relative: String,
}

/// The first metric with one seed.
#[derive(Debug, Serialize)]
struct SeedRow {
    seed: u64,
    dense: String,
    sparse: String,
    relative: String,
    seconds: String,
}

#[derive(Debug, Serialize)]
struct LayerRow<'a> {
    name: &'a str,
    numel: usize,
    pruned: usize,
    rate: String,
}

#[derive(Debug, Serialize)]
struct UnitRow<'a> {
    name: &'a str,
    layers: String,
    before: String,
    after: String,
    ratio: String,
    iterations: String,
    seconds: String,
}

/// What pruning each layer alone costs.
#[derive(Debug, Serialize)]
struct SensitivityTable<'a> {
    rates: Vec<String>,
    layers: Vec<(&'a str, Vec<String>)>,
}

impl<'a> CasePage<'a> {
    pub(super) fn new(entry: &'a Entry<'a>, scale: impl Fn(&str) -> Scale) -> Self {
        let record = entry.record;
        let mut gallery = Gallery::default();
        let exhibits = record.exhibits.iter();
        let golden = entry.drift.and_then(|drift| drift.numbers.as_ref().ok());
        Self {
            case: &record.case,
            task: &record.task,
            dataset: &record.dataset,
            suite: &record.suite,
            model: Link::new(&record.model, Address::Model),
            allocator: Link::new(&record.allocator, Address::Allocator),
            reconstruction: Link::new(&record.reconstruction, Address::Reconstruction),
            sparsity: rate(record.sparsity.target),
            achieved: percent(record.sparsity.achieved, 3),
            metrics: record
                .metrics
                .iter()
                .map(|(name, metric)| metric_row(name, metric, scale(name)))
                .collect(),
            seeds: seeds(entry),
            rates: rates(record),
            layers: record.layers.iter().map(layer_row).collect(),
            learning: learning(record.evidence.as_ref()),
            sensitivity: sensitivity(record.evidence.as_ref()),
            units: record.units.iter().map(unit_row).collect(),
            losses: Losses::new(&record.units),
            golden: golden.map(|numbers| number_rows(numbers)),
            facts: facts(record),
            notes: &record.notes,
            exhibits: exhibits
                .filter_map(|exhibit| exhibit_row(exhibit, &mut gallery))
                .collect(),
            command: command(record),
        }
    }
}

impl<'a> Link<'a> {
    pub(super) fn new(name: &'a str, address: fn(&'a str) -> Address<'a>) -> Self {
        Self {
            name,
            page: address(name).path(),
        }
    }
}

fn relative(rho: Option<f64>) -> String {
    rho.map_or(ABSENT.to_owned(), |rho| percent(rho, 2))
}

fn metric_row<'a>(name: &'a str, metric: &Metric, scale: Scale) -> MetricRow<'a> {
    MetricRow {
        name,
        unit: scale.unit,
        better: better(scale),
        dense: number(metric.dense),
        sparse: number(metric.sparse),
        relative: relative(metric.relative),
    }
}

/// Returns a row a seed, where there are several.
fn seeds(entry: &Entry) -> Vec<SeedRow> {
    if entry.seeds.len() < 2 {
        return Vec::new();
    }
    let row = |record: &&Record| {
        let (_, metric) = record.metrics.first()?;
        Some(SeedRow {
            seed: record.environment.seed,
            dense: number(metric.dense),
            sparse: number(metric.sparse),
            relative: relative(metric.relative),
            seconds: duration(record.seconds.total),
        })
    };
    entry.seeds.iter().filter_map(row).collect()
}

fn rates(record: &Record) -> Bars {
    let bars = record.layers.iter().map(|layer| {
        let rate = percent(layer.sparsity, 1);
        let title = format!("{}: {rate} % of {} weights pruned", layer.name, layer.numel);
        (layer.sparsity, title)
    });
    Bars::new(bars, record.sparsity.achieved)
}

fn layer_row(layer: &Layer) -> LayerRow<'_> {
    LayerRow {
        name: &layer.name,
        numel: layer.numel,
        pruned: layer.pruned,
        rate: percent(layer.sparsity, 1),
    }
}

/// Draws the course of an allocation that was learned.
fn learning(evidence: Option<&Evidence>) -> Vec<Plot> {
    let Some(Evidence::Learning(Learning {
        losses,
        constraint,
        moments,
        ..
    })) = evidence
    else {
        return Vec::new();
    };
    let of_batches: Vec<_> = losses.iter().copied().enumerate().collect();
    let of_all = moments.iter().map(|moment| (moment.step, moment.loss));
    let of_all: Vec<_> = of_all.collect();
    let gaps: Vec<_> = constraint.iter().copied().enumerate().collect();
    let curves = [
        (
            ["Loss while learning", "of each step's batch"],
            "loss",
            of_batches,
        ),
        (
            ["Loss on the way", "over all calibration samples"],
            "loss",
            of_all,
        ),
        (
            ["Distance from the target", "sparsity less target"],
            "sparsity",
            gaps,
        ),
    ];
    let drawn = curves.into_iter().filter(|(.., points)| {
        points.len() > 1 && points.iter().all(|(_, value)| value.is_finite())
    });
    drawn
        .map(|(names, y, points)| Plot::over_steps(names.map(str::to_owned), y, &points))
        .collect()
}

fn sensitivity(evidence: Option<&Evidence>) -> Option<SensitivityTable<'_>> {
    let Some(Evidence::Sensitivity(Sensitivity { rates, layers })) = evidence else {
        return None;
    };
    let row = |losses: &[f64]| losses.iter().copied().map(number).collect();
    Some(SensitivityTable {
        rates: rates.iter().map(|rate| percent(*rate, 1)).collect(),
        layers: layers
            .iter()
            .map(|layer| (&*layer.name, row(&layer.losses)))
            .collect(),
    })
}

fn unit_row(unit: &Unit) -> UnitRow<'_> {
    let known = |value: f64, text: String| {
        if value.is_nan() {
            ABSENT.to_owned()
        } else {
            text
        }
    };
    let ratio = unit.loss_after / unit.loss_before;
    UnitRow {
        name: &unit.name,
        layers: unit.layers.join(", "),
        before: known(unit.loss_before, number(unit.loss_before)),
        after: number(unit.loss_after),
        ratio: if ratio.is_finite() {
            percent(ratio, 1)
        } else {
            ABSENT.to_owned()
        },
        iterations: known(unit.seconds, unit.iterations.to_string()),
        seconds: duration(unit.seconds),
    }
}

fn facts(record: &Record) -> Vec<(&'static str, Vec<Fact>)> {
    let seconds = record.seconds;
    let times = [
        ("allocate", seconds.allocate),
        ("mask", seconds.mask),
        ("correct", seconds.correct),
        ("reconstruct", seconds.reconstruct),
        ("evaluate", seconds.evaluate),
        ("total", seconds.total),
    ];
    let known = times.into_iter().filter(|(_, seconds)| !seconds.is_nan());
    let mut cost: Vec<Fact> = known
        .map(|(stage, seconds)| Fact::new(stage, duration(seconds)))
        .collect();
    if let Some(peak) = record.peak_rss_bytes {
        cost.push(Fact::new("peak memory", bytes(peak)));
    }
    let spec = record.spec.iter().map(|(key, value)| match value {
        serde_json::Value::String(text) => Fact::new(key, text),
        other => Fact::new(key, other.to_string()),
    });
    let mut groups = vec![("Cost", cost), ("Settings", spec.collect())];
    if record.environment.is_known() {
        groups.push(("Environment", environment(&record.environment)));
    }
    groups.retain(|(_, facts)| !facts.is_empty());
    groups
}

/// Returns what a case ran on as labels and values.
pub(super) fn environment(environment: &Environment) -> Vec<Fact> {
    let commit = environment.commit.as_deref().unwrap_or("unknown");
    vec![
        Fact::new("device", &environment.device),
        Fact::new("threads", environment.threads.to_string()),
        Fact::new("processor", &environment.cpu),
        Fact::new("ptsbench", &environment.version),
        Fact::new("commit", commit),
        Fact::new("seed", environment.seed.to_string()),
    ]
}

/// Returns the shell command that computes a case anew.
fn command(record: &Record) -> String {
    let [suite, case] = [&record.suite, &record.case].map(|text| quote(text));
    let seed = match record.environment.seed {
        0 => String::new(),
        seed => format!(" --seed {seed}"),
    };
    format!("ptsbench run --suite {suite}{seed} --force {case}")
}

/// Quotes a word for a POSIX shell where it needs it.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+.,:/@=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::testing::entries;
    use super::*;
    use crate::allocate::{LayerSensitivity, Moment};
    use crate::record::tests::record;

    #[test]
    fn the_command_is_quoted_for_the_shell() {
        for (word, quoted) in [
            ("default", "default"),
            ("a::b/c@0.80", "a::b/c@0.80"),
            ("adam(lr=1e-3)", "'adam(lr=1e-3)'"),
            ("$(rm -rf ~)", "'$(rm -rf ~)'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quote(word), quoted);
        }
        let mut seeded = record("vit", "erk", "none", 0.8, 60.0);
        seeded.environment.seed = 7;
        assert!(command(&seeded).starts_with("ptsbench run --suite default --seed 7 --force "));
    }

    #[test]
    fn a_page_reads_like_its_record() {
        let records = [record("resnet20", "erk", "none", 0.8, 60.0)];
        let entries = entries(&records);
        let page = CasePage::new(&entries[0], |_| Scale::default());
        assert_eq!(page.layers[1].rate, "94.4");
        assert_eq!(page.units[0].ratio, "25.0");
        assert_eq!(page.metrics[0].relative, "75.00");
        assert_eq!(page.allocator.page, "allocators/erk.html");
        assert!(
            page.rates.columns[0]
                .title
                .contains("conv1: 50.0 % of 1000")
        );
        assert!(page.seeds.is_empty() && page.golden.is_none());
    }

    #[test]
    fn what_rates_were_chosen_by_is_shown() {
        let learned = Evidence::Learning(Learning {
            layers: vec!["conv1".to_owned()],
            losses: vec![2.0, 1.0],
            constraint: vec![0.0, f64::NAN],
            moments: [0, 2]
                .map(|step| Moment {
                    step,
                    loss: 1.0,
                    rates: vec![0.5],
                })
                .to_vec(),
        });
        let titles: Vec<String> = learning(Some(&learned))
            .into_iter()
            .map(|p| p.title)
            .collect();
        assert_eq!(titles, ["Loss while learning", "Loss on the way"]);
        let seen = Evidence::Sensitivity(Sensitivity {
            rates: vec![0.5],
            layers: vec![LayerSensitivity {
                name: "fc".to_owned(),
                losses: vec![0.25],
            }],
        });
        let table = sensitivity(Some(&seen)).unwrap();
        assert_eq!(table.layers, [("fc", vec!["0.2500".to_owned()])]);
    }
}
