//! Piecewise linear activations, cheap enough to ride along with whatever comes before them.

use pulp::Simd;

/// Bounds between which values are clamped: nothing, ReLU or ReLU6. NaNs stay what they are, as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clamp {
    low: Option<f32>,
    high: Option<f32>,
}

impl Clamp {
    /// Changes nothing.
    pub const NONE: Self = Self {
        low: None,
        high: None,
    };
    /// `max(x, 0)`.
    pub const RELU: Self = Self {
        low: Some(0.0),
        high: None,
    };
    /// `min(max(x, 0), 6)`.
    pub const RELU6: Self = Self {
        low: Some(0.0),
        high: Some(6.0),
    };

    /// Returns the lower bound.
    pub fn low(self) -> Option<f32> {
        self.low
    }

    /// Returns the upper bound.
    pub fn high(self) -> Option<f32> {
        self.high
    }

    /// Returns the clamped value.
    #[inline(always)]
    pub(super) fn value(self, x: f32) -> f32 {
        match (self.low, self.high) {
            (Some(low), _) if x < low => low,
            (_, Some(high)) if x > high => high,
            _ => x,
        }
    }

    /// Whether the gradient passes where the clamped value is `y`: strictly between the bounds, as in PyTorch.
    #[inline(always)]
    pub(super) fn passes(self, y: f32) -> bool {
        self.low.is_none_or(|low| y > low) && self.high.is_none_or(|high| y < high)
    }

    /// Returns the bounds in every lane.
    #[inline(always)]
    pub(super) fn splat<S: Simd>(self, simd: S) -> Lanes<S> {
        Lanes {
            low: self.low.map(|low| simd.splat_f32s(low)),
            high: self.high.map(|high| simd.splat_f32s(high)),
        }
    }
}

/// A [`Clamp`] in vector registers.
pub(super) struct Lanes<S: Simd> {
    low: Option<S::f32s>,
    high: Option<S::f32s>,
}

impl<S: Simd> Lanes<S> {
    #[inline(always)]
    pub(super) fn apply(&self, simd: S, mut x: S::f32s) -> S::f32s {
        if let Some(low) = self.low {
            x = simd.select_f32s(simd.less_than_f32s(x, low), low, x);
        }
        if let Some(high) = self.high {
            x = simd.select_f32s(simd.greater_than_f32s(x, high), high, x);
        }
        x
    }
}
