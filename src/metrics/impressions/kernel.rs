//! The kernel inception distance (Binkowski et al. 2018): the squared maximum mean discrepancy between the features of two sets of images,
//! with the kernel `(x . y / d + 1)^3`.

use candle_core::{DType, Result, Tensor};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

/// Images of a block, of each set: the estimate is the mean over blocks, as published.
const BLOCK: usize = 1000;

/// Returns the unbiased estimate from features `[n, d]` and `[m, d]`, in blocks of 1,000 images of each set, or one block of the smaller
/// set's size; images that fill no block are left out. `None` for less than two images.
///
/// # Errors
/// Tensors of other shapes.
pub(super) fn distance(a: &Tensor, b: &Tensor) -> Result<Option<f64>> {
    let least = a.dim(0)?.min(b.dim(0)?);
    let block = least.min(BLOCK);
    if block < 2 {
        return Ok(None);
    }
    let mut sum = 0.0;
    let blocks = least / block;
    for number in 0..blocks {
        let rows = |set: &Tensor| matrix(&set.narrow(0, number * block, block)?);
        sum += of_block(&rows(a)?, &rows(b)?);
    }
    Ok(Some(sum / blocks as f64))
}

fn matrix(rows: &Tensor) -> Result<Mat<f64>> {
    let rows: Vec<Vec<f64>> = rows.to_dtype(DType::F64)?.to_vec2()?;
    Ok(Mat::from_fn(rows.len(), rows[0].len(), |r, c| rows[r][c]))
}

/// The unbiased estimate from as many rows of each set.
fn of_block(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    let count = a.nrows() as f64;
    let within = |set: &Mat<f64>| {
        let (all, same) = sums(set, set);
        (all - same) / (count * (count - 1.0))
    };
    let (between, _) = sums(a, b);
    within(a) + within(b) - 2.0 * between / (count * count)
}

/// Returns the sum of the kernel over all pairs of rows, and over those of a row with its like.
fn sums(a: &Mat<f64>, b: &Mat<f64>) -> (f64, f64) {
    let mut products = Mat::zeros(a.nrows(), b.nrows());
    let scale = 1.0 / a.ncols() as f64;
    matmul(
        products.as_mut(),
        Accum::Replace,
        a.as_ref(),
        b.transpose(),
        scale,
        Par::Seq,
    );
    let products = &products;
    let kernel = |r, c| (products[(r, c)] + 1.0).powi(3);
    let all = (0..b.nrows()).flat_map(|c| (0..a.nrows()).map(move |r| kernel(r, c)));
    let same = (0..a.nrows().min(b.nrows())).map(|i| kernel(i, i));
    (all.sum(), same.sum())
}
