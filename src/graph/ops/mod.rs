//! The operators, one file each: its struct (the fields are its attributes), shape, cost and run, on the project's kernels on the CPU and on
//! candle's operations elsewhere.

mod activation;
mod add;
mod attention;
mod average;
mod avg_pool;
mod batch_norm;
mod channel_norm;
mod channels;
mod concat;
mod conv2d;
mod flatten;
mod focus;
mod group_norm;
mod layer_norm;
mod layer_norm2d;
mod layer_scale;
mod linear;
mod option_a;
mod pool;
mod pool_mixer;
mod predictions;
mod quantize;
mod relocate;
mod scale;
mod shift;
mod squeeze;
mod timesteps;
mod tokens;
mod upsample;
mod window_attention;
mod windows;
mod zero_pad;

pub use activation::Activation;
pub use add::Add;
pub use attention::Attention;
pub use average::Average;
pub use avg_pool::{AdaptiveAvgPool2d, AvgPool2d};
pub use batch_norm::BatchNorm2d;
pub use channel_norm::ChannelNorm;
pub use channels::{ChannelShuffle, ChannelSlice};
pub use concat::Concat;
pub use conv2d::Conv2d;
pub use flatten::Flatten;
pub use focus::Focus;
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use layer_norm2d::LayerNorm2d;
pub use layer_scale::LayerScale;
pub use linear::Linear;
pub use option_a::OptionAShortcut;
pub use pool::{GlobalAvgPool, MaxPool2d};
pub use pool_mixer::PoolMixer;
pub use predictions::Predictions;
pub use quantize::Quantize;
pub use relocate::{Motion, Relocate};
pub use scale::Scale;
pub use shift::Shift;
pub use squeeze::Squeeze;
pub use timesteps::Timesteps;
pub use tokens::{
    ClassToken, PatchTokens, PositionEmbedding, TakeToken, TokenMean, TokensToImage,
    TransposeTokens,
};
pub use upsample::Upsample;
pub use window_attention::WindowAttention;
pub use windows::{FromWindows, PatchMerging, ToWindows, Windows};
pub use zero_pad::ZeroPad2d;

use crate::graph::op::expect_size;
use crate::graph::{OpError, ParamDecl, Role, Shape};
use crate::kernels::{self, Clamp};
use candle_core::{Result, Tensor};

/// A layer seen as a matrix product, `outputs = rows x weight^T`, group by group: what closed-form reconstruction needs.
///
/// With `g` groups, `r` rows (one an output position of a sample), `k` weights and `o` outputs a group, the weight of the
/// layer is `[g * o, k]` when flattened.
pub trait MatMul {
    /// Returns the number of groups `g`.
    fn groups(&self) -> usize;

    /// Returns the input as rows `[g, r, k]`; k runs as the flattened weight does.
    ///
    /// # Errors
    /// What candle says.
    fn rows(&self, input: &Tensor) -> Result<Tensor>;

    /// Returns an output laid out as `[g, r, o]`.
    ///
    /// # Errors
    /// What candle says.
    fn targets(&self, output: &Tensor) -> Result<Tensor>;
}

/// An operator that only scales and shifts channels, and can therefore be folded into the layer before it.
pub trait ChannelAffine {
    /// Returns its `(scale, shift)`, each `[c]`, in f64.
    ///
    /// # Errors
    /// What candle says.
    fn scale_and_shift(&self, params: &[&Tensor]) -> Result<(Tensor, Tensor)>;

    /// Returns parameters with which it adds `shift` `[c]` and changes nothing else, to the bit.
    ///
    /// # Errors
    /// What candle says.
    fn pure_shift(&self, shift: &Tensor) -> Result<Vec<Tensor>>;
}

/// Declares a weight and, if wanted, a bias of one number an output channel.
fn weight_and_bias(weight: impl Into<Vec<usize>>, bias: bool) -> Vec<ParamDecl> {
    let weight = ParamDecl::new("weight", weight, Role::Weight);
    let channels = weight.shape[0];
    let bias = bias.then(|| ParamDecl::new("bias", [channels], Role::Bias));
    std::iter::once(weight).chain(bias).collect()
}

/// Returns the shape of what has the first input's, an image, where the second one has a number for each channel: `[c]` or `[c, 1, 1]`.
fn shape_with_numbers(inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
    let [image, numbers] = inputs else {
        return Err(OpError::Arity {
            expected: 2,
            found: inputs.len(),
        });
    };
    let [channels, ..] = image.exactly::<3>()?;
    let first = numbers.dims().first().copied();
    expect_size("channels", channels, first.unwrap_or(0))?;
    expect_size("numbers", channels, numbers.numel())?;
    Ok((*image).clone())
}

/// Scales and shifts each channel of each sample on the kernels, by numbers `[n, c]` in any shape.
fn scale_and_shift_samples(x: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    // The channels of all samples, as those of one.
    let channels = x.reshape((1, n * c, h * w))?;
    let (scale, shift) = (scale.reshape(n * c)?, shift.reshape(n * c)?);
    kernels::scale_and_shift(&channels, &scale, &shift, Clamp::NONE)?.reshape((n, c, h, w))
}

/// Returns a per-channel vector `[c]` shaped to broadcast over a batch with its channels on axis 1.
fn per_channel(vector: &Tensor, rank: usize) -> Result<Tensor> {
    let mut shape = vec![1; rank];
    shape[1] = vector.elem_count();
    vector.reshape(shape)
}

/// Clamps every element.
pub(super) fn clamped(tensor: &Tensor, clamp: Clamp) -> Result<Tensor> {
    if clamp == Clamp::NONE {
        return Ok(tensor.clone());
    }
    if kernels::serves(tensor) {
        return kernels::clamp(tensor, clamp);
    }
    let tensor = match clamp.low() {
        Some(low) => tensor.maximum(low)?,
        None => tensor.clone(),
    };
    match clamp.high() {
        Some(high) => tensor.minimum(high),
        None => Ok(tensor),
    }
}

/// Returns the gradient before a clamp, from its output and the gradient after it.
pub(super) fn clamp_gradient(output: &Tensor, gradient: &Tensor, clamp: Clamp) -> Result<Tensor> {
    if kernels::serves(output) {
        return kernels::clamp_gradient(output, gradient, clamp);
    }
    let mut gradient = gradient.clone();
    if let Some(low) = clamp.low() {
        gradient = (gradient * output.gt(low)?.to_dtype(output.dtype())?)?;
    }
    if let Some(high) = clamp.high() {
        gradient = (gradient * output.lt(high)?.to_dtype(output.dtype())?)?;
    }
    Ok(gradient)
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
