//! Between kernels, which know slices, and candle, which knows storages.

use candle_core::{CpuStorage, Device, Layout, Result, Shape, Storage, Tensor, bail};

/// Returns the numbers of a contiguous operand.
///
/// # Errors
/// Numbers that are not f32, or not contiguous.
pub(super) fn numbers<'a>((storage, layout): (&'a CpuStorage, &Layout)) -> Result<&'a [f32]> {
    let numbers = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((first, past)) => Ok(&numbers[first..past]),
        None => bail!("a kernel needs contiguous operands"),
    }
}

/// Calls `f` with the numbers of contiguous tensors: what a gradient needs, which is no operation of its own.
///
/// # Errors
/// What [`numbers`] or `f` says, and tensors that are not on the CPU.
pub(super) fn with_numbers<const N: usize, T>(
    tensors: [&Tensor; N],
    f: impl FnOnce([&[f32]; N]) -> Result<T>,
) -> Result<T> {
    let locked = tensors.map(Tensor::storage_and_layout);
    let mut slices = [[].as_slice(); N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&locked) {
        let Storage::Cpu(storage) = &**storage else {
            bail!("a kernel needs operands on the CPU");
        };
        *slice = numbers((storage, layout))?;
    }
    f(slices)
}

/// Returns numbers as a tensor.
pub(super) fn tensor(numbers: Vec<f32>, dims: &[usize]) -> Result<Tensor> {
    Tensor::from_vec(numbers, dims, &Device::Cpu)
}

/// Returns numbers as the result of an operation.
pub(super) fn result(numbers: Vec<f32>, dims: &[usize]) -> Result<(CpuStorage, Shape)> {
    let shape = Shape::from(dims);
    if shape.elem_count() != numbers.len() {
        bail!("{} numbers do not fill {dims:?}", numbers.len());
    }
    Ok((CpuStorage::F32(numbers), shape))
}
