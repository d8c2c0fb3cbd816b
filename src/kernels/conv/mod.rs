//! Two-dimensional convolution with its gradients.

pub(super) mod axis;
mod dense;
mod depthwise;
mod kept;
mod layout;
mod op;
mod views;
mod weight;
mod winograd;

pub use op::{Convolution, conv2d, conv2d_gradients};

use super::Clamp;
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

/// Where the kernels of a correlation lie among those of a weight.
#[derive(Debug, Clone, Copy)]
struct Kernels {
    rows: usize,
    channels: usize,
    /// From the kernel of one row to that of the next.
    row_stride: usize,
    /// From the kernel of one channel to that of the next.
    channel_stride: usize,
}

/// What the rows of a result need besides their sums.
#[derive(Debug, Clone, Copy)]
struct Rows<'a> {
    /// The first row, among those of all groups.
    first: usize,
    /// The kernel of the first row and channel.
    kernel: usize,
    count: usize,
    bias: Option<&'a [f32]>,
    clamp: Clamp,
}

#[cfg(test)]
mod tests;
