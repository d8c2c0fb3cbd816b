//! What must be known of a metric to judge its values.

use crate::metrics::{Direction, METRICS};

/// The unit, direction and tolerance of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The unit, for example `%`, or nothing.
    pub unit: &'static str,
    /// Whether a higher value is a better one.
    pub higher_is_better: bool,
    /// The absolute difference up to which two values count as equal.
    pub tolerance: f64,
}

impl Scale {
    /// Returns the scale of the metric called `name`, or that of one of which nothing is known.
    pub fn of(name: &str) -> Self {
        METRICS.find(name).map_or_else(
            |_| Self::default(),
            |metric| Self {
                unit: metric.unit,
                higher_is_better: metric.direction == Direction::HigherIsBetter,
                tolerance: metric.tolerance,
            },
        )
    }
}

impl Default for Scale {
    /// Returns the scale of a metric of which nothing is known: no unit, higher is better, no tolerance.
    fn default() -> Self {
        Self {
            unit: "",
            higher_is_better: true,
            tolerance: 0.0,
        }
    }
}
