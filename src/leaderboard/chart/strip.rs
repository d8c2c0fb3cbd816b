//! The spread of a competitor's cases.

use super::axis::Axis;
use super::coordinate;
use serde::Serialize;

/// The cases of a technique on an axis, and their overall figure.
#[derive(Debug, Serialize)]
pub(in crate::leaderboard) struct Strip {
    values: Vec<String>,
    overall: String,
}

impl Strip {
    /// The coordinates of the axis, in percent of the width.
    pub(in crate::leaderboard) const RANGE: [f64; 2] = [3.0, 97.0];

    pub(in crate::leaderboard) fn new(axis: Axis, values: &[f64], overall: f64) -> Self {
        let place = |value| coordinate(axis.place(value, Self::RANGE));
        Self {
            values: values.iter().copied().map(place).collect(),
            overall: place(overall),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_placed_in_proportion() {
        let strip = Strip::new(Axis::around([0.0, 1.0]), &[0.0, 1.0], 0.5);
        assert_eq!(strip.values, ["3.0", "97.0"]);
        assert_eq!(strip.overall, "50.0");
    }
}
