//! Products whose factors are whole matrices, shared out among threads.

use super::Clamp;
use super::product::{Product, Start, Term};
use super::scratch::filled;
use super::simd::Level;
use super::transpose::transpose;
use candle_core::{Result, bail};

/// Tasks a thread, where there is enough to do: they even out threads that are held up.
const TASKS: usize = 4;

/// Rows that fill tiles of any height.
const TILES: usize = 24;

/// The most rows a task: their part of the left side stays in the second-level cache.
const TALLEST: usize = 8 * TILES;

/// Columns turned over, or summed, a task.
const COLUMNS: usize = 64;

/// Numbers summed at a time by [`column_sums`].
const BLOCK: usize = 1024;

/// Returns the terms of a sum of `count` products, whose factors lie `a` and `b` elements apart.
///
/// # Errors
/// A sum that reaches further than terms can tell.
pub(super) fn terms(count: usize, a: usize, b: usize) -> Result<Vec<Term>> {
    let reach = count.saturating_sub(1).checked_mul(a.max(b));
    if reach.is_none_or(|reach| u32::try_from(reach).is_err()) {
        bail!("a sum of {count} products {} apart is too long", a.max(b));
    }
    let term = |t: usize| Term {
        a: (t * a) as u32,
        b: (t * b) as u32,
    };
    Ok((0..count).map(term).collect())
}

/// Returns how many of `rows` make a task.
pub(super) fn rows_a_task(rows: usize) -> usize {
    let even = rows.div_ceil(TASKS * rayon::current_num_threads());
    even.next_multiple_of(TILES).clamp(TILES, TALLEST)
}

/// Multiplies `a` `[rows, inner]` by `b` `[inner, columns]`.
pub(super) fn product(
    level: Level,
    [a, b]: [&[f32]; 2],
    [rows, inner, columns]: [usize; 3],
    start: Start<'_>,
) -> Result<Vec<f32>> {
    let terms = terms(inner, 1, columns)?;
    let task = rows_a_task(rows);
    Ok(filled(rows * columns, task * columns, |index, c| {
        let first = index * task;
        let product = Product {
            a: &a[first * inner..],
            row_stride: inner,
            b,
            terms: &terms,
            rows: c.len() / columns,
            columns,
            start: match start {
                Start::Rows(bias) => Start::Rows(&bias[first..]),
                other => other,
            },
            clamp: Clamp::NONE,
        };
        product.run(level, c, columns);
    }))
}

/// Turns over `from` `[rows, columns]`.
pub(super) fn turned(level: Level, from: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    filled(from.len(), COLUMNS * rows, |index, to| {
        let first = index * COLUMNS;
        let count = COLUMNS.min(columns - first);
        transpose(level, &from[first..], columns, rows, count, to);
    })
}

/// Sums the rows of `from` `[rows, columns]`.
pub(super) fn column_sums(level: Level, from: &[f32], columns: usize) -> Result<Vec<f32>> {
    let block = BLOCK.min(from.len() / columns.max(1)).max(1);
    let terms = terms(block, 0, columns)?;
    Ok(filled(columns, COLUMNS, |index, sums| {
        for rows in from.chunks(block * columns) {
            let product = Product {
                a: &[1.0],
                row_stride: 0,
                b: &rows[index * COLUMNS..],
                terms: &terms[..rows.len() / columns],
                rows: 1,
                columns: sums.len(),
                start: Start::Kept,
                clamp: Clamp::NONE,
            };
            product.run(level, sums, columns);
        }
    }))
}
