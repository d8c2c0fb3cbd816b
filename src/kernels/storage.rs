//! Between kernels, which know slices, and candle, which knows storages.

use candle_core::{CpuStorage, Layout, Result, Shape, bail};

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

/// Returns numbers as the result of an operation.
pub(super) fn result(numbers: Vec<f32>, dims: &[usize]) -> Result<(CpuStorage, Shape)> {
    let shape = Shape::from(dims);
    if shape.elem_count() != numbers.len() {
        bail!("{} numbers do not fill {dims:?}", numbers.len());
    }
    Ok((CpuStorage::F32(numbers), shape))
}
