//! What tests of operators have in common.

use candle_core::{DType, Device, Tensor};

/// Numbers between -1 and 1.
pub(super) fn noise(seed: usize, dims: &[usize]) -> Tensor {
    let value = |i: usize| ((i * 2_654_435_761 + seed * 40_503) % 1013) as f32 / 506.5 - 1.0;
    let values: Vec<f32> = (0..dims.iter().product()).map(value).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

/// All elements in f32.
pub(super) fn flat(tensor: &Tensor) -> Vec<f32> {
    let tensor = tensor.to_dtype(DType::F32).unwrap();
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}
