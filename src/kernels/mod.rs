//! The hot operations of networks on the CPU, as operations of candle's with gradients of their own.
//!
//! candle's convolution is several times slower than PyTorch's, its depthwise convolution up to a hundred times. These
//! kernels compute in f32 on the CPU; on other devices and in other types the operators of the graph use candle's.
//!
//! Almost everything is one matrix product (`product`), whose factors may lie anywhere: convolutions, their gradients,
//! linear layers and attention differ in where they point it. It is compiled for each instruction set that matters and
//! chosen at run time (`simd`). This is the only module in which unsafe code may stand; it has three blocks.
//!
//! No result depends on the number of threads: work is cut by shape alone wherever cutting changes the order of a sum.

mod affine;
mod attention;
mod clamp;
mod conv;
mod dot;
mod elementwise;
mod exp;
mod gelu;
mod lanes;
mod layer_norm;
mod linear;
mod matrix;
mod pool;
mod product;
mod scratch;
mod simd;
mod softmax;
mod storage;
mod sums;
mod transpose;

pub use affine::scale_and_shift;
pub use attention::attention;
pub use clamp::Clamp;
pub use conv::{Convolution, conv2d};
pub use elementwise::{add, clamp};
pub use gelu::gelu;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use pool::max_pool2d;
pub use sums::{mean_squared_error, squared_distance};

use candle_core::{DType, Tensor};
use elementwise::clamp_gradient;

/// Whether these kernels can take a tensor: they compute on the CPU and in f32.
pub fn serves(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}

#[cfg(test)]
mod testing;
