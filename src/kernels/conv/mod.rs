//! Two-dimensional convolution with its gradients.

pub(super) mod axis;
mod dense;
mod depthwise;
mod op;
mod views;
mod weight;
mod winograd;

pub use op::{Convolution, conv2d};

use axis::Axis;

/// A convolution applied to a certain input.
#[derive(Debug)]
struct Geometry {
    batch: usize,
    in_channels: usize,
    out_channels: usize,
    groups: usize,
    y: Axis,
    x: Axis,
}

impl Geometry {
    /// Input channels a group.
    fn inner(&self) -> usize {
        self.in_channels / self.groups
    }

    /// Output channels a group.
    fn outer(&self) -> usize {
        self.out_channels / self.groups
    }

    /// Taps of the kernel.
    fn taps(&self) -> usize {
        self.y.offsets.len() * self.x.offsets.len()
    }

    /// Whether each group has one channel in and out.
    fn depthwise(&self) -> bool {
        self.inner() == 1 && self.outer() == 1
    }
}

#[cfg(test)]
mod tests;
