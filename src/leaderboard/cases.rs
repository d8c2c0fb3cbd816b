//! The table of cases, and what is shown of one case on demand.

use super::chart::Bars;
use super::exhibit::{ExhibitRow, exhibit_row};
use super::format::{Figure, better, bytes, duration, number, percent};
use super::gallery::Gallery;
use crate::record::{Environment, Layer, Metric, Record, Scale, Unit};
use serde::Serialize;

/// A row of the table.
#[derive(Debug, Serialize)]
pub(super) struct CaseRow<'a> {
    case: &'a str,
    suite: &'a str,
    dataset: &'a str,
    model: &'a str,
    allocator: &'a str,
    reconstruction: &'a str,
    sparsity: Figure,
    metric: &'a str,
    dense: Figure,
    sparse: Figure,
    relative: Figure,
    seconds: Figure,
    /// What the filter looks in, in lower case.
    search: String,
    metrics: Vec<MetricRow<'a>>,
    rates: Bars,
    layers: Vec<LayerRow<'a>>,
    units: Vec<UnitRow<'a>>,
    facts: Vec<(&'static str, Vec<Fact>)>,
    notes: &'a [String],
    exhibits: Vec<ExhibitRow<'a>>,
    command: String,
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
    iterations: usize,
    seconds: String,
}

/// Makes the row of a record.
pub(super) fn case_row<'a>(
    record: &'a Record,
    scale: &impl Fn(&str) -> Scale,
    gallery: &mut Gallery<'a>,
) -> CaseRow<'a> {
    let first = record.metrics.first();
    let value = |value: Option<f64>| {
        Figure::new(
            value.map_or(ABSENT.into(), number),
            value.unwrap_or(f64::NAN),
        )
    };
    let rho = first.and_then(|(_, metric)| metric.relative);
    CaseRow {
        case: &record.case,
        suite: &record.suite,
        dataset: &record.dataset,
        model: &record.model,
        allocator: &record.allocator,
        reconstruction: &record.reconstruction,
        sparsity: Figure::new(percent(record.sparsity.target, 0), record.sparsity.target),
        metric: first.map_or("", |(name, _)| name),
        dense: value(first.map(|(_, metric)| metric.dense)),
        sparse: value(first.map(|(_, metric)| metric.sparse)),
        relative: Figure::new(relative(rho), rho.unwrap_or(f64::NAN)),
        seconds: Figure::new(duration(record.seconds.total), record.seconds.total),
        search: record.case.to_lowercase(),
        metrics: record
            .metrics
            .iter()
            .map(|(name, metric)| metric_row(name, metric, scale(name)))
            .collect(),
        rates: rates(record),
        layers: record.layers.iter().map(layer_row).collect(),
        units: record.units.iter().map(unit_row).collect(),
        facts: facts(record),
        notes: &record.notes,
        exhibits: record
            .exhibits
            .iter()
            .filter_map(|exhibit| exhibit_row(exhibit, gallery))
            .collect(),
        command: command(record),
    }
}

const ABSENT: &str = "–";

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

fn unit_row(unit: &Unit) -> UnitRow<'_> {
    let ratio = unit.loss_after / unit.loss_before;
    UnitRow {
        name: &unit.name,
        layers: unit.layers.join(", "),
        before: number(unit.loss_before),
        after: number(unit.loss_after),
        ratio: if ratio.is_finite() {
            percent(ratio, 1)
        } else {
            ABSENT.to_owned()
        },
        iterations: unit.iterations,
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
    let mut cost: Vec<Fact> = times
        .into_iter()
        .map(|(stage, seconds)| Fact::new(stage, duration(seconds)))
        .collect();
    if let Some(peak) = record.peak_rss_bytes {
        cost.push(Fact::new("peak memory", bytes(peak)));
    }
    let spec = record.spec.iter().map(|(key, value)| match value {
        serde_json::Value::String(text) => Fact::new(key, text),
        other => Fact::new(key, other.to_string()),
    });
    vec![
        ("Cost", cost),
        ("Settings", spec.collect()),
        ("Environment", environment(&record.environment)),
    ]
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
    format!("ptsbench run --suite {suite} --force {case}")
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
    use super::*;
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
    }

    #[test]
    fn a_row_reads_like_its_record() {
        let record = record("resnet20", "erk", "none", 0.8, 60.0);
        let row = case_row(&record, &|_| Scale::default(), &mut Gallery::default());
        assert_eq!((row.metric, row.dense.text.as_str()), ("top1", "80.00"));
        assert_eq!(
            (row.sparse.text.as_str(), row.relative.text.as_str()),
            ("60.00", "75.00")
        );
        assert_eq!(row.relative.sort, "0.75");
        assert_eq!(row.layers[1].rate, "94.4");
        assert_eq!(row.units[0].ratio, "25.0");
        assert!(row.rates.columns[0].title.contains("conv1: 50.0 % of 1000"));
    }

    #[test]
    fn what_diverged_or_is_absent_is_said() {
        let mut record = record("resnet20", "erk", "none", 0.8, f64::NAN);
        let row = case_row(&record, &|_| Scale::default(), &mut Gallery::default());
        assert_eq!(
            (row.sparse.text.as_str(), row.relative.text.as_str()),
            ("NaN", "NaN")
        );
        record.metrics = std::iter::empty::<(&str, _)>().collect();
        let row = case_row(&record, &|_| Scale::default(), &mut Gallery::default());
        assert_eq!(
            (row.sparse.text.as_str(), row.relative.text.as_str()),
            ("–", "–")
        );
    }
}
