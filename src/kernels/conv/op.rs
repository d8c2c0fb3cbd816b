//! Convolution as an operation of candle's.

use super::{Axis, Geometry, dense, depthwise, kept, weight};
use crate::kernels::simd::Level;
use crate::kernels::storage::{numbers, result, tensor, with_numbers};
use crate::kernels::sums::channel_sums;
use crate::kernels::{Clamp, Wanted, clamp_gradient};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// The attributes of a convolution; pairs are vertical, horizontal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// How far the window moves.
    pub stride: [usize; 2],
    /// The zeros added at each border.
    pub padding: [usize; 2],
    /// The distance between taps.
    pub dilation: [usize; 2],
    /// Into how many groups the channels fall.
    pub groups: usize,
}

/// Correlates `input` `[n, in, h, w]` with `weight` `[out, in / groups, kh, kw]`, adds `bias` `[out]` and clamps: PyTorch's
/// `conv2d`, on the CPU and in f32. Gradients flow to each of the three.
///
/// # Errors
/// Shapes that do not go together.
pub fn conv2d(
    input: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    attributes: Convolution,
    clamp: Clamp,
) -> Result<Tensor> {
    let (input, weight) = (input.contiguous()?, weight.contiguous()?);
    let op = Forward { attributes, clamp };
    match bias {
        Some(bias) => input.apply_op3(&weight, &bias.contiguous()?, op),
        None => input.apply_op2(&weight, op),
    }
}

impl Convolution {
    /// Works out how an input and a weight of these dimensions meet.
    pub(super) fn geometry(&self, input: &[usize], weight: &[usize]) -> Result<Geometry> {
        let (&[batch, in_channels, h, w], &[out_channels, inner, kh, kw]) = (input, weight) else {
            bail!(
                "a convolution needs an input and a weight of rank 4, not {input:?} and {weight:?}"
            );
        };
        if [h, w, in_channels, out_channels].contains(&0) {
            bail!("nothing to convolve in an input {input:?} and a weight {weight:?}");
        }
        let groups = self.groups;
        if groups == 0 || in_channels != inner * groups || out_channels % groups != 0 {
            bail!("a weight {weight:?} does not fit an input {input:?} in {groups} groups");
        }
        let axis = |i: usize, size, kernel| {
            let axis = Axis::new(
                size,
                kernel,
                self.stride[i],
                self.padding[i],
                self.dilation[i],
            );
            axis.ok_or_else(|| {
                candle_core::Error::Msg(format!(
                    "a window of {kernel} ({self:?}) does not fit an input of {size}"
                ))
            })
        };
        let (y, x) = (axis(0, h, kh)?, axis(1, w, kw)?);
        let geometry = Geometry {
            batch,
            in_channels,
            out_channels,
            groups,
            y,
            x,
        };
        Ok(geometry)
    }
}

/// The convolution itself.
#[derive(Debug, Clone, Copy)]
struct Forward {
    attributes: Convolution,
    clamp: Clamp,
}

impl Forward {
    fn run(
        &self,
        input: (&CpuStorage, &Layout),
        weight: (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let geometry = self.attributes.geometry(input.1.dims(), weight.1.dims())?;
        if let Some(bias) = bias.filter(|bias| bias.len() != geometry.out_channels) {
            bail!(
                "a bias of {} for {} channels",
                bias.len(),
                geometry.out_channels
            );
        }
        let shape = [
            geometry.batch,
            geometry.out_channels,
            geometry.y.output,
            geometry.x.output,
        ];
        let output = dense::forward(
            Level::best(),
            &geometry,
            numbers(input)?,
            numbers(weight)?,
            bias,
            self.clamp,
        );
        result(output, &shape)
    }
}

/// Returns the gradients of input, weight and bias, where wanted, for the gradient of what [`conv2d`] made before its clamp.
///
/// # Errors
/// Shapes that do not go together.
pub fn conv2d_gradients(
    [input, weight]: [&Tensor; 2],
    gradient: &Tensor,
    attributes: Convolution,
    wanted: [Wanted<'_>; 3],
) -> Result<[Option<Tensor>; 3]> {
    let level = Level::best();
    let (input, weight) = (&input.contiguous()?, &weight.contiguous()?);
    let geometry = attributes.geometry(input.dims(), weight.dims())?;
    let gradient = &gradient.contiguous()?;
    let [for_input, for_weight, for_bias] = wanted;
    let for_input = for_input.any().then(|| {
        let numbers = with_numbers([weight, gradient], |[weight, gradient]| {
            Ok(dense::input_gradient(level, &geometry, weight, gradient))
        });
        tensor(numbers?, input.dims())
    });
    let for_weight = for_weight.any().then(|| {
        let numbers = match for_weight {
            Wanted::Where(mask) => with_numbers([input, gradient, &mask.contiguous()?], |o| {
                Ok(weight_gradient(level, &geometry, [o[0], o[1]], Some(o[2])))
            }),
            _ => with_numbers([input, gradient], |operands| {
                Ok(weight_gradient(level, &geometry, operands, None))
            }),
        };
        tensor(numbers?, weight.dims())
    });
    let for_bias = for_bias.any().then(|| {
        let (channels, plane) = (geometry.out_channels, geometry.y.output * geometry.x.output);
        let sums = with_numbers([gradient], |g| channel_sums(g, |[g]| g, plane, channels));
        tensor(sums?, &[channels])
    });
    Ok([
        for_input.transpose()?,
        for_weight.transpose()?,
        for_bias.transpose()?,
    ])
}

/// Returns the gradient of the weight, at least where `mask` is not zero, by the way that is fastest.
pub(super) fn weight_gradient(
    level: Level,
    geometry: &Geometry,
    [input, gradient]: [&[f32]; 2],
    mask: Option<&[f32]>,
) -> Vec<f32> {
    if geometry.depthwise() {
        return depthwise::weight_gradient(level, geometry, input, gradient);
    }
    let kept = mask.and_then(|mask| kept::weight_gradient(level, geometry, mask, input, gradient));
    kept.unwrap_or_else(|| weight::weight_gradient(level, geometry, input, gradient))
}

impl CustomOp2 for Forward {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        l1: &Layout,
        weight: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run((input, l1), (weight, l2), None)
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let wanted = [
            Wanted::by_candle(input),
            Wanted::by_candle(weight),
            Wanted::No,
        ];
        let gradient = clamp_gradient(output, gradient, self.clamp)?;
        let [input, weight, _] =
            conv2d_gradients([input, weight], &gradient, self.attributes, wanted)?;
        Ok((input, weight))
    }
}

impl CustomOp3 for Forward {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        l1: &Layout,
        weight: &CpuStorage,
        l2: &Layout,
        bias: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run((input, l1), (weight, l2), Some(numbers((bias, l3))?))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let wanted = [input, weight, bias].map(Wanted::by_candle);
        let gradient = clamp_gradient(output, gradient, self.clamp)?;
        let [input, weight, bias] =
            conv2d_gradients([input, weight], &gradient, self.attributes, wanted)?;
        Ok((input, weight, bias))
    }
}
