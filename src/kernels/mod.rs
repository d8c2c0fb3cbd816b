//! The hot operations of networks on the CPU, as operations of candle's with gradients of their own.
//!
//! candle's convolution is several times slower than PyTorch's, its depthwise convolution up to a hundred times. These
//! kernels compute in f32 on the CPU; on other devices and in other types the operators of the graph use candle's.
//!
//! Almost everything is one matrix product (`product`), whose factors may lie anywhere: convolutions, their gradients,
//! linear layers and attention differ in where they point it. It is compiled for each instruction set that matters and
//! chosen at run time (`simd`). This is the only module in which unsafe code may stand; it has four blocks.
//!
//! No result depends on the number of threads: work is cut by shape alone wherever cutting changes the order of a sum.

mod adam;
mod affine;
mod attention;
mod clamp;
mod conv;
mod dot;
mod elementwise;
mod exp;
mod gates;
mod gelu;
mod heap;
mod lanes;
mod layer_norm;
mod linear;
mod matrix;
mod mean;
mod nearest;
mod pool;
mod product;
mod scratch;
mod simd;
mod softmax;
mod sparse;
mod storage;
mod sums;
mod transpose;

pub use adam::{AdamStep, Moments};
pub use affine::scale_and_shift;
pub use attention::attention;
pub use clamp::Clamp;
pub use conv::{Convolution, conv2d, conv2d_gradients};
pub use elementwise::{add, clamp, clamp_gradient, scaled_difference};
pub use gates::{Gate, gate, gate_gradient};
pub use gelu::{gelu, gelu_gradient};
pub use heap::hold_back_briefly;
pub use layer_norm::layer_norm;
pub use linear::{linear, linear_gradients};
pub use mean::plane_means;
pub use nearest::nearest;
pub use pool::{max_pool2d, max_pool2d_gradient};
pub use sums::squared_distance;

use candle_core::{DType, Tensor};

/// Which part of a gradient somebody wants.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// None of it.
    No,
    /// All of it.
    All,
    /// The elements for which a tensor of the same shape is not zero. Others may come out as anything.
    Where(&'a Tensor),
}

impl Wanted<'_> {
    /// Whether any of it is wanted.
    pub fn any(self) -> bool {
        !matches!(self, Self::No)
    }

    /// Returns what candle wants of the gradient of a tensor.
    fn by_candle(tensor: &Tensor) -> Self {
        if tensor.track_op() {
            Self::All
        } else {
            Self::No
        }
    }
}

/// Whether these kernels can take a tensor: they compute on the CPU and in f32.
pub fn serves(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}

#[cfg(test)]
mod testing;
