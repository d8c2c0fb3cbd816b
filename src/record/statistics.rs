//! What several seeds say together.

/// Returns the arithmetic mean.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the sample standard deviation, where there are two values or more.
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let squares = values.iter().map(|value| (value - mean).powi(2));
    let freedom = values.len().checked_sub(1).filter(|n| *n > 0)?;
    Some((squares.sum::<f64>() / freedom as f64).sqrt())
}
