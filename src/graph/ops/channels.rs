//! Channels taken and rearranged, as ShuffleNet does it (Zhang et al. 2018, Ma et al. 2018).

use crate::graph::op::{expect_size, only};
use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Channels `start..start + length` of `[n, c, h, w]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ChannelSlice {
    /// The first channel.
    pub start: usize,
    /// How many.
    pub length: usize,
}

impl Operator for ChannelSlice {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, h, w] = only(inputs)?.exactly()?;
        let end = self.start + self.length;
        expect_size("at least as many channels", end.max(channels), channels)?;
        Ok([self.length, h, w].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        inputs[0].narrow(1, self.start, self.length)?.contiguous()
    }
}

/// Reads the channels of `[n, c, h, w]`, which lie in groups, by their place in the group first.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ChannelShuffle {
    /// How many groups; it divides the number of channels.
    pub groups: usize,
}

impl Operator for ChannelShuffle {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, ..] = only(inputs)?.exactly::<3>()?;
        expect_size("a number of groups", self.groups.max(1), self.groups)?;
        expect_size("channels over after grouping", 0, channels % self.groups)?;
        Ok(inputs[0].clone())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let (n, c, h, w) = inputs[0].dims4()?;
        inputs[0]
            .reshape((n, self.groups, c / self.groups, h * w))?
            .transpose(1, 2)?
            .reshape((n, c, h, w))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// An image of two samples and six channels of two pixels; a pixel is a hundred times its sample, ten times its
    /// channel, and its place.
    fn image() -> Tensor {
        let pixel = |i: usize| (100 * (i / 12) + 10 * (i / 2 % 6) + i % 2) as f32;
        let pixels: Vec<f32> = (0..24).map(pixel).collect();
        Tensor::from_vec(pixels, (2, 6, 1, 2), &Device::Cpu).unwrap()
    }

    /// The channels that an operator makes of [`image`].
    fn channels(op: &dyn Operator) -> Vec<usize> {
        let found: Vec<f32> = op
            .run(&[&image()], &[])
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        let half = found.len() / 2;
        for (i, pixel) in found.iter().enumerate() {
            assert_eq!(
                (i / half, i % 2),
                (*pixel as usize / 100, *pixel as usize % 2)
            );
        }
        found[..half]
            .iter()
            .step_by(2)
            .map(|p| *p as usize / 10)
            .collect()
    }

    #[test]
    fn channels_are_those_of_the_definitions() {
        assert_eq!(
            channels(&ChannelSlice {
                start: 2,
                length: 3
            }),
            [2, 3, 4]
        );
        assert_eq!(channels(&ChannelShuffle { groups: 2 }), [0, 3, 1, 4, 2, 5]);
        assert_eq!(channels(&ChannelShuffle { groups: 3 }), [0, 2, 4, 1, 3, 5]);
    }

    #[test]
    fn channels_that_are_not_there_are_refused() {
        let image = Shape::from([6, 1, 2]);
        let slice = |start, length| ChannelSlice { start, length }.shape(&[&image]);
        assert_eq!(slice(2, 4).unwrap(), [4, 1, 2].into());
        assert!(slice(3, 4).is_err());
        assert!(ChannelShuffle { groups: 4 }.shape(&[&image]).is_err());
        assert!(ChannelShuffle { groups: 0 }.shape(&[&image]).is_err());
    }
}
