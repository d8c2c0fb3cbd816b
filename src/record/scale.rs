//! What must be known of a metric to judge its values.

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
