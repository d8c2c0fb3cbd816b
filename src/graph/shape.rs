//! Shapes of values, for one sample.

use super::OpError;
use serde::Serialize;
use std::fmt;

/// The shape of a value for one sample: without the leading batch dimension that every tensor has at run time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// Returns the sizes, outermost first.
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// Returns the number of elements of one sample.
    pub fn numel(&self) -> usize {
        self.0.iter().product()
    }

    /// Returns the axis of the channels in a batched tensor: 1 for images `[n, c, h, w]` and vectors `[n, c]`, 2 for tokens `[n, t, c]`.
    pub fn channel_axis(&self) -> usize {
        if self.0.len() == 2 { 2 } else { 1 }
    }

    /// Returns the number of channels.
    pub fn channels(&self) -> usize {
        self.0.get(self.channel_axis() - 1).copied().unwrap_or(1)
    }

    /// Returns the sizes if there are exactly `N`.
    ///
    /// # Errors
    /// [`OpError::Rank`] otherwise.
    pub fn exactly<const N: usize>(&self) -> Result<[usize; N], OpError> {
        <[usize; N]>::try_from(self.dims()).map_err(|_| OpError::Rank {
            expected: N,
            found: self.clone(),
        })
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Self(dims.to_vec())
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Self(dims.to_vec())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}
