//! Two-dimensional convolution.

use super::{MatMul, per_channel, weight_and_bias};
use crate::graph::op::{Op, expect_size, only};
use crate::graph::{Call, Gradients, Motif, OpError, Operator, ParamDecl, Shape};
use crate::kernels::{self, Clamp, Convolution};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// Cross-correlation of `[n, in, h, w]` as PyTorch's `Conv2d`; weight `[out, in / groups, kh, kw]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Conv2d {
    /// The channels taken.
    pub in_channels: usize,
    /// The channels made.
    pub out_channels: usize,
    /// The height and width of the kernel.
    pub kernel: [usize; 2],
    /// The step, in both directions.
    pub stride: usize,
    /// The zeros added at the upper and lower, and at the left and right border.
    pub padding: [usize; 2],
    /// The step between taps of the kernel.
    pub dilation: usize,
    /// How many groups the channels fall into; it divides both numbers of channels.
    pub groups: usize,
    /// Whether a bias per output channel is added.
    pub bias: bool,
}

impl Conv2d {
    /// Makes a convolution with a square kernel and without bias that keeps the size at stride 1.
    pub const fn same(in_channels: usize, out_channels: usize, kernel: usize) -> Self {
        Self::rectangular(in_channels, out_channels, [kernel; 2])
    }

    /// Makes a convolution with a kernel of some height and width and without bias that keeps the size at stride 1.
    pub const fn rectangular(in_channels: usize, out_channels: usize, kernel: [usize; 2]) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel,
            stride: 1,
            padding: [kernel[0] / 2, kernel[1] / 2],
            dilation: 1,
            groups: 1,
            bias: false,
        }
    }

    /// Sets the stride.
    #[must_use]
    pub const fn stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the zeros added at all borders.
    #[must_use]
    pub const fn padding(mut self, padding: usize) -> Self {
        self.padding = [padding; 2];
        self
    }

    /// Sets the number of groups.
    #[must_use]
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Adds a bias.
    #[must_use]
    pub const fn biased(mut self) -> Self {
        self.bias = true;
        self
    }

    fn attributes(&self) -> Convolution {
        Convolution {
            stride: [self.stride; 2],
            padding: self.padding,
            dilation: [self.dilation; 2],
            groups: self.groups,
        }
    }

    fn check(&self) -> std::result::Result<(), OpError> {
        for (what, number) in [
            ("a kernel", self.kernel[0].min(self.kernel[1])),
            ("a stride", self.stride),
            ("a dilation", self.dilation),
            ("a number of groups", self.groups),
        ] {
            expect_size(what, number.max(1), number)?;
        }
        expect_size(
            "channels over after grouping",
            0,
            self.in_channels % self.groups,
        )?;
        expect_size(
            "channels over after grouping",
            0,
            self.out_channels % self.groups,
        )
    }

    /// Returns the height and width of the output.
    fn sides(&self, input: [usize; 2]) -> std::result::Result<[usize; 2], OpError> {
        let side = |axis: usize| {
            let window = self.dilation * (self.kernel[axis] - 1) + 1;
            let size = input[axis] + 2 * self.padding[axis];
            let room = size.checked_sub(window);
            room.map(|room| room / self.stride + 1)
                .ok_or(OpError::Window { window, size })
        };
        Ok([side(0)?, side(1)?])
    }

    fn output_size(&self, input: &Tensor) -> Result<[usize; 2]> {
        let (_, _, h, w) = input.dims4()?;
        self.sides([h, w]).map_err(candle_core::Error::wrap)
    }

    fn padded(&self, input: &Tensor) -> Result<Tensor> {
        let [vertical, horizontal] = self.padding;
        input
            .pad_with_zeros(2, vertical, vertical)?
            .pad_with_zeros(3, horizontal, horizontal)
    }

    /// Returns, for each tap of the kernel in row-major order, what it sees at every output pixel: `[n, in, oh, ow]`.
    fn taps(&self, input: &Tensor) -> Result<Vec<Tensor>> {
        let [oh, ow] = self.output_size(input)?;
        let padded = self.padded(input)?;
        let strided = |x: &Tensor, axis: usize, tap: usize, count: usize| {
            let span = self.stride * (count - 1) + 1;
            let window = x.narrow(axis, tap * self.dilation, span)?;
            every(&window, axis, self.stride)
        };
        let mut taps = Vec::with_capacity(self.kernel.iter().product());
        for ky in 0..self.kernel[0] {
            let lines = strided(&padded, 2, ky, oh)?;
            for kx in 0..self.kernel[1] {
                taps.push(strided(&lines, 3, kx, ow)?);
            }
        }
        Ok(taps)
    }

    /// Sums shifted copies: candle would launch one convolution per channel.
    fn depthwise(&self, input: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let taps = self.taps(input)?;
        let weight = weight.reshape((1, self.out_channels, taps.len()))?;
        let term =
            |(i, tap): (usize, &Tensor)| tap.broadcast_mul(&weight.narrow(2, i, 1)?.unsqueeze(3)?);
        let mut terms = taps.iter().enumerate().map(term);
        let first = terms
            .next()
            .ok_or_else(|| candle_core::Error::Msg("a kernel of size 0".to_owned()))??;
        terms.try_fold(first, |sum, term| sum + term?)
    }
}

/// Takes every `step`-th entry along `axis`.
fn every(x: &Tensor, axis: usize, step: usize) -> Result<Tensor> {
    if step == 1 {
        return Ok(x.clone());
    }
    let size = x.dim(axis)? as u32;
    let indices: Vec<u32> = (0..size).step_by(step).collect();
    x.contiguous()?
        .index_select(&Tensor::new(indices, x.device())?, axis)
}

impl Operator for Conv2d {
    fn params(&self) -> Vec<ParamDecl> {
        let shape = [
            self.out_channels,
            self.in_channels / self.groups.max(1),
            self.kernel[0],
            self.kernel[1],
        ];
        weight_and_bias(shape, self.bias)
    }

    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [channels, h, w] = only(inputs)?.exactly()?;
        expect_size("channels", self.in_channels, channels)?;
        self.check()?;
        let [oh, ow] = self.sides([h, w])?;
        Ok([self.out_channels, oh, ow].into())
    }

    fn macs(&self, _inputs: &[&Shape], output: &Shape) -> u64 {
        let taps = self.in_channels / self.groups * self.kernel.iter().product::<usize>();
        (output.numel() * taps) as u64
    }

    fn run(&self, inputs: &[&Tensor], params: &[&Tensor]) -> Result<Tensor> {
        self.run_clamped(inputs, params, Clamp::NONE)
    }

    fn run_clamped(&self, inputs: &[&Tensor], params: &[&Tensor], clamp: Clamp) -> Result<Tensor> {
        let (input, weight, bias) = (inputs[0], params[0], params.get(1).copied());
        if kernels::serves(input) {
            return kernels::conv2d(input, weight, bias, self.attributes(), clamp);
        }
        let depthwise = self.groups == self.in_channels && self.groups == self.out_channels;
        let output = if depthwise && self.groups > 1 {
            self.depthwise(input, weight)?
        } else {
            // candle pads all borders alike.
            let padded = self.padded(input)?;
            padded.conv2d(weight, 0, self.stride, self.dilation, self.groups)?
        };
        let output = match bias {
            Some(bias) => output.broadcast_add(&per_channel(bias, 4)?)?,
            None => output,
        };
        super::clamped(&output, clamp)
    }

    fn gradients(&self, call: &Call<'_>, gradient: &Tensor) -> Result<Gradients> {
        if !kernels::serves(gradient) {
            return call.by_candle(self, gradient);
        }
        let (operands, wanted) = call.layer();
        let gradients = kernels::conv2d_gradients(operands, gradient, self.attributes(), wanted)?;
        Ok(Gradients::of_layer(gradients))
    }

    fn prunable(&self) -> bool {
        true
    }

    fn motif(&self) -> Motif {
        if self.groups > 1 && self.groups == self.in_channels {
            Motif::Depthwise
        } else if self.kernel == [1, 1] && self.groups == 1 {
            Motif::Pointwise
        } else {
            Motif::Other
        }
    }

    fn with_bias(&self) -> Option<Op> {
        Some(
            Self {
                bias: true,
                ..*self
            }
            .into(),
        )
    }

    fn as_matmul(&self) -> Option<&dyn MatMul> {
        Some(self)
    }
}

impl MatMul for Conv2d {
    fn groups(&self) -> usize {
        self.groups
    }

    fn rows(&self, input: &Tensor) -> Result<Tensor> {
        let [oh, ow] = self.output_size(input)?;
        let (n, per_group) = (input.dim(0)?, self.in_channels / self.groups);
        let taps = Tensor::stack(&self.taps(input)?, 2)?;
        let k = self.kernel.iter().product::<usize>();
        taps.reshape((n, self.groups, per_group * k, oh * ow))?
            .permute((1, 0, 3, 2))?
            .reshape((self.groups, n * oh * ow, per_group * k))
    }

    fn targets(&self, output: &Tensor) -> Result<Tensor> {
        let (n, channels, h, w) = output.dims4()?;
        let per_group = channels / self.groups;
        output
            .reshape((n, self.groups, per_group, h * w))?
            .permute((1, 0, 3, 2))?
            .reshape((self.groups, n * h * w, per_group))
    }
}
