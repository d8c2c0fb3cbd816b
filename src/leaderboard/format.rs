//! Numbers as the page shows them.

use crate::record::Scale;
use serde::Serialize;

/// A number to read and to sort by.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    pub(super) text: String,
    /// The number itself, written so that a script can read it.
    pub(super) sort: String,
}

impl Figure {
    pub(super) fn new(text: String, value: f64) -> Self {
        let sort = value.to_string();
        Self { text, sort }
    }
}

/// What stands for a value that is not there.
pub(super) const ABSENT: &str = "–";

/// Formats a number with three or four significant digits.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "NaN".to_owned(),
        size if size.is_infinite() => if value > 0.0 { "∞" } else { "−∞" }.to_owned(),
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        size if size >= 1e-3 => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}

/// Formats a share as a percentage without its sign.
pub(super) fn percent(share: f64, decimals: usize) -> String {
    if share.is_finite() {
        format!("{:.decimals$}", share * 100.0)
    } else {
        number(share)
    }
}

/// Adds a deviation to a number, where that is known.
pub(super) fn with(text: String, deviation: Option<String>) -> String {
    match deviation {
        Some(deviation) => format!("{text} ± {deviation}"),
        None => text,
    }
}

/// Formats a share as a percentage with its deviation, where that is known.
pub(super) fn spread(share: f64, deviation: Option<f64>) -> String {
    with(percent(share, 2), deviation.map(|share| percent(share, 2)))
}

/// Formats a sparsity as a percentage without its sign, with as many decimals as it needs, two at most.
pub(super) fn rate(share: f64) -> String {
    ((share * 1e4).round() / 1e2).to_string()
}

/// Formats a round number at a grid line.
pub(super) fn round(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e5).contains(&value.abs()) {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

/// Says which way a metric is better.
pub(super) fn better(scale: Scale) -> &'static str {
    if scale.higher_is_better {
        "higher is better"
    } else {
        "lower is better"
    }
}

/// Formats a span of time.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if !seconds.is_finite() => ABSENT.to_owned(),
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Formats an amount of memory.
pub(super) fn bytes(count: u64) -> String {
    let mebibytes = count as f64 / f64::from(1 << 20);
    if mebibytes < 1024.0 {
        format!("{mebibytes:.0} MiB")
    } else {
        format!("{:.2} GiB", mebibytes / 1024.0)
    }
}

/// Formats a count and its noun in the singular or, with an `s`, the plural.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (91.25, "91.25"),
            (1234.56, "1234.6"),
            (0.125, "0.1250"),
            (-0.5, "-0.5000"),
            (1.25e-5, "1.25e-5"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "−∞"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(percent(0.93756, 2), "93.76");
        assert_eq!(percent(f64::INFINITY, 2), "∞");
    }

    #[test]
    fn round_numbers_have_no_idle_zeros() {
        for (value, text) in [
            (0.1, "0.1"),
            (50.0, "50"),
            (0.0, "0"),
            (-0.25, "-0.25"),
            (1e-4, "1e-4"),
            (2e6, "2e6"),
        ] {
            assert_eq!(round(value), text);
        }
        assert_eq!(rate(0.8), "80");
        assert_eq!(rate(0.975), "97.5");
    }

    #[test]
    fn times_and_sizes_have_fitting_units() {
        for (seconds, text) in [
            (0.04, "0.0 s"),
            (59.4, "59.4 s"),
            (59.6, "1 min 00 s"),
            (125.0, "2 min 05 s"),
            (3_725.0, "1 h 02 min"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(bytes(300 << 20), "300 MiB");
        assert_eq!(bytes(3 << 29), "1.50 GiB");
        assert_eq!(count(1, "case"), "1 case");
        assert_eq!(count(0, "case"), "0 cases");
    }
}
