//! Axes between round numbers.

use super::coordinate;
use crate::leaderboard::format::percent;
use serde::Serialize;

/// A line of the grid, at a coordinate.
#[derive(Debug, Serialize)]
pub(in crate::leaderboard) struct Tick {
    pub(in crate::leaderboard) at: String,
    pub(in crate::leaderboard) label: String,
}

impl Tick {
    pub(super) fn new(at: f64, label: String) -> Self {
        Self {
            at: coordinate(at),
            label,
        }
    }
}

/// A linear scale.
#[derive(Debug, Clone, Copy)]
pub(in crate::leaderboard) struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    const MOST_TICKS: f64 = 6.0;

    /// Makes an axis of shares that holds all `values`, which are finite and at least one. Those closer than two hundredths are not drawn
    /// apart: it would make much of nothing.
    pub(in crate::leaderboard) fn around(values: impl IntoIterator<Item = f64>) -> Self {
        Self::spanning(values, 0.02)
    }

    /// Makes an axis at least `least` long.
    pub(super) fn spanning(values: impl IntoIterator<Item = f64>, least: f64) -> Self {
        let [low, high] = ends(values);
        let span = (high - low).max(least);
        let rough = 10_f64.powf((span / Self::MOST_TICKS).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|factor| factor * rough)
            .into_iter()
            .find(|step| span / step <= Self::MOST_TICKS - 1.0)
            .unwrap_or(10.0 * rough);
        let low = (low / step).floor() * step;
        let high = ((high / step).ceil() * step).max(low + step);
        Self { low, high, step }
    }

    /// Returns where `value` lies between the coordinates `from` and `to` of the ends.
    pub(in crate::leaderboard) fn place(self, value: f64, [from, to]: [f64; 2]) -> f64 {
        from + (value - self.low) / (self.high - self.low) * (to - from)
    }

    /// Returns the grid between two coordinates, labelled in percent.
    pub(in crate::leaderboard) fn ticks(self, range: [f64; 2]) -> Vec<Tick> {
        let decimals = usize::from(self.step < 0.01);
        self.labelled(range, |value| percent(value, decimals))
    }

    /// Returns the grid between two coordinates.
    pub(super) fn labelled(self, range: [f64; 2], label: impl Fn(f64) -> String) -> Vec<Tick> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count)
            .map(|index| self.low + index as f64 * self.step)
            .map(|value| Tick::new(self.place(value, range), label(value)))
            .collect()
    }
}

/// A logarithmic scale of positive numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogAxis {
    low: f64,
    high: f64,
}

impl LogAxis {
    /// Makes an axis that holds all `values`, which are finite, positive and at least one.
    pub(super) fn around(values: impl IntoIterator<Item = f64>) -> Self {
        let [low, high] = ends(values.into_iter().map(f64::log10));
        let low = low.floor();
        Self {
            low,
            high: high.ceil().max(low + 1.0),
        }
    }

    pub(super) fn place(self, value: f64, [from, to]: [f64; 2]) -> f64 {
        from + (value.log10() - self.low) / (self.high - self.low) * (to - from)
    }

    /// Returns a grid of powers of ten, and between few of them their double and fivefold too.
    pub(super) fn ticks(self, range: [f64; 2], label: impl Fn(f64) -> String) -> Vec<Tick> {
        let decades = (self.high - self.low) as i32;
        let factors: &[f64] = if decades < 3 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let every = (decades / 5).max(1);
        let powers = (0..=decades).filter(|decade| decade % every == 0);
        let values = powers.flat_map(|decade| {
            let power = 10_f64.powf(self.low + f64::from(decade));
            factors.iter().map(move |factor| factor * power)
        });
        values
            .filter(|value| value.log10() <= self.high + 1e-9)
            .map(|value| Tick::new(self.place(value, range), label(value)))
            .collect()
    }
}

fn ends(values: impl IntoIterator<Item = f64>) -> [f64; 2] {
    values
        .into_iter()
        .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| {
            [low.min(v), high.max(v)]
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> String {
        let labels: Vec<&str> = ticks.iter().map(|tick| tick.label.as_str()).collect();
        labels.join(" ")
    }

    #[test]
    fn an_axis_ends_at_round_numbers_and_holds_its_values() {
        for (values, expected) in [
            (vec![0.62, 0.97], "60 70 80 90 100"),
            (vec![0.941, 0.985], "94 95 96 97 98 99"),
            (vec![0.5], "50.0 50.5"),
            (vec![0.0, 1.0], "0 20 40 60 80 100"),
        ] {
            let axis = Axis::around(values.clone());
            assert_eq!(labels(&axis.ticks([0.0, 1.0])), expected);
            for value in values {
                assert!(
                    (0.0..=1.0).contains(&axis.place(value, [0.0, 1.0])),
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn values_are_placed_in_proportion() {
        let axis = Axis::around([0.0, 1.0]);
        assert!((axis.place(0.25, [100.0, 0.0]) - 75.0).abs() < 1e-12);
    }

    #[test]
    fn a_logarithmic_axis_gives_each_decade_the_same_length() {
        let axis = LogAxis::around([0.03, 20.0]);
        assert!((axis.place(1.0, [0.0, 100.0]) - 50.0).abs() < 1e-9);
        let plain = |value: f64| format!("{value:.2}");
        assert_eq!(
            labels(&axis.ticks([0.0, 1.0], plain)),
            "0.01 0.10 1.00 10.00 100.00"
        );
        let short = LogAxis::around([3.0]);
        assert_eq!(
            labels(&short.ticks([0.0, 1.0], plain)),
            "1.00 2.00 5.00 10.00"
        );
    }
}
