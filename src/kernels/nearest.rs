//! The nearest of some points.

use super::serves;
use super::storage::with_numbers;
use candle_core::{D, Device, Result, Tensor};
use rayon::prelude::*;

/// Rows whose distances are in memory at once where candle computes them.
const ROWS: usize = 256;

/// Returns for each row of `rows` `[r, d]` the number of the row of `codes` `[k, d]` at the smallest squared distance, `[r]` in u32, on any
/// device. On the CPU in f32 it is the first of those at the same one. Differences are squared, not products subtracted, so that small
/// distances are not lost in the rounding of large numbers.
///
/// # Errors
/// No codes, or codes of another dimension.
pub fn nearest(rows: &Tensor, codes: &Tensor) -> Result<Tensor> {
    let ((count, dim), (_, code_dim)) = (rows.dims2()?, codes.dims2()?);
    if codes.elem_count() == 0 || dim != code_dim {
        candle_core::bail!("no nearest of {:?} to {:?}", codes.dims(), rows.dims());
    }
    if !serves(rows) || !serves(codes) {
        return by_candle(rows, codes);
    }
    let operands = [&rows.contiguous()?, &codes.contiguous()?];
    let found = with_numbers(operands, |[rows, codes]| {
        let rows = rows.par_chunks_exact(dim);
        Ok(rows.map(|row| closest(row, codes)).collect::<Vec<u32>>())
    });
    Tensor::from_vec(found?, count, &Device::Cpu)
}

/// Returns the number of the code nearest to a row.
fn closest(row: &[f32], codes: &[f32]) -> u32 {
    let distance = |code: &[f32]| -> f32 {
        let gaps = code.iter().zip(row).map(|(a, b)| a - b);
        gaps.map(|gap| gap * gap).sum()
    };
    let distances = codes.chunks_exact(row.len()).map(distance);
    let (found, _) = distances
        .enumerate()
        .fold((0, f32::INFINITY), |best, (index, distance)| {
            if distance < best.1 {
                (index, distance)
            } else {
                best
            }
        });
    found as u32
}

fn by_candle(rows: &Tensor, codes: &Tensor) -> Result<Tensor> {
    let codes = codes.unsqueeze(0)?;
    let count = rows.dim(0)?;
    let found = (0..count).step_by(ROWS).map(|first| {
        let rows = rows.narrow(0, first, ROWS.min(count - first))?;
        let gaps = rows.unsqueeze(1)?.broadcast_sub(&codes)?;
        gaps.sqr()?.sum(D::Minus1)?.argmin(D::Minus1)
    });
    Tensor::cat(&found.collect::<Result<Vec<Tensor>>>()?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;
    use proptest::prelude::*;

    /// Points on a grid of halves, among which many distances are the same.
    fn points(seed: usize, count: usize, dim: usize) -> Tensor {
        let value = |i: usize| ((i * 2_654_435_761 + seed * 40_503) % 1013 % 7) as f32 / 2.0 - 1.5;
        let values: Vec<f32> = (0..count * dim).map(value).collect();
        Tensor::from_vec(values, (count, dim), &Device::Cpu).unwrap()
    }

    proptest! {
        #[test]
        fn is_the_first_of_the_nearest(seed in 0..1000_usize, count in 1..600_usize, codes in 1..40_usize, dim in 1..5_usize) {
            let (rows, codes) = (points(seed, count, dim), points(seed + 7, codes, dim));
            let found: Vec<u32> = nearest(&rows, &codes).unwrap().to_vec1().unwrap();
            let distances = |row: &Tensor| -> Vec<f32> {
                let gaps = codes.broadcast_sub(row).unwrap().sqr().unwrap();
                gaps.sum(1).unwrap().to_vec1().unwrap()
            };
            for (row, found) in found.iter().enumerate() {
                let distances = distances(&rows.get(row).unwrap());
                let least = distances.iter().copied().fold(f32::INFINITY, f32::min);
                let first = distances.iter().position(|distance| *distance == least);
                prop_assert_eq!(first, Some(*found as usize));
            }
        }
    }

    #[test]
    fn other_types_find_the_nearest_too() {
        let (rows, codes) = (points(1, 2 * ROWS + 3, 3), points(2, 9, 3));
        let [wide_rows, wide_codes] = [&rows, &codes].map(|t| t.to_dtype(DType::F64).unwrap());
        let found = nearest(&wide_rows, &wide_codes).unwrap();
        assert_eq!(found.dims(), [2 * ROWS + 3]);
        let expected = nearest(&rows, &codes).unwrap();
        let distances = |found: &Tensor| {
            let gaps = (codes.index_select(found, 0).unwrap() - &rows).unwrap();
            let distances = gaps.sqr().unwrap().sum(1).unwrap();
            distances.to_vec1::<f32>().unwrap()
        };
        assert_eq!(distances(&found), distances(&expected));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for codes in [points(1, 0, 3), points(1, 4, 2)] {
            assert!(nearest(&points(1, 5, 3), &codes).is_err());
        }
    }
}
