//! The hot operations of networks on the CPU, as operations of candle's with gradients of their own.
//!
//! candle's convolution is several times slower than PyTorch's, its depthwise convolution up to a hundred times. These
//! kernels compute in f32 on the CPU; on other devices and in other types [`crate::graph::ops`] uses candle's operations.
//!
//! Almost everything is one matrix product (`product`), whose factors may lie anywhere: convolutions, their gradients,
//! linear layers and attention differ in where they point it. It is compiled for each instruction set that matters and
//! chosen at run time (`simd`). This is the only module in which unsafe code may stand; it has three blocks.
//!
//! No result depends on the number of threads: work is cut by shape alone wherever cutting changes the order of a sum.

mod clamp;
mod conv;
mod dot;
mod elementwise;
mod product;
mod scratch;
mod simd;
mod storage;
mod sums;
mod transpose;

pub use clamp::Clamp;
pub use conv::{Convolution, conv2d};
pub use elementwise::{add, clamp};
pub use sums::{mean_squared_error, squared_distance};

use elementwise::clamp_gradient;

/// Whether these kernels compute on such tensors: on the CPU, in f32.
pub fn serves(tensor: &candle_core::Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == candle_core::DType::F32
}
