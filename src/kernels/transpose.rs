//! Matrices turned over.

use super::simd::Level;

/// Writes `to[j * rows + i] = from[i * stride + j]` for `i < rows` and `j < columns`.
pub(super) fn transpose(
    level: Level,
    from: &[f32],
    stride: usize,
    rows: usize,
    columns: usize,
    to: &mut [f32],
) {
    let (tall, wide) = match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(simd) => tiles(*simd, from, stride, rows, columns, to),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(simd) => tiles(simd, from, stride, rows, columns, to),
        _ => (0, 0),
    };
    for i in 0..rows {
        let rest = if i < tall { wide } else { 0 };
        for j in rest..columns {
            to[j * rows + i] = from[i * stride + j];
        }
    }
}

/// Turns over tiles of eight by eight, and returns how many rows and columns they cover.
#[cfg(target_arch = "x86_64")]
fn tiles(
    simd: pulp::x86::V3,
    from: &[f32],
    stride: usize,
    rows: usize,
    columns: usize,
    to: &mut [f32],
) -> (usize, usize) {
    struct Tiles<'a> {
        simd: pulp::x86::V3,
        from: &'a [f32],
        stride: usize,
        rows: usize,
        tall: usize,
        wide: usize,
        to: &'a mut [f32],
    }
    impl pulp::NullaryFnOnce for Tiles<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            for i in (0..self.tall).step_by(8) {
                for j in (0..self.wide).step_by(8) {
                    let from = |r: usize| &self.from[(i + r) * self.stride + j..][..8];
                    let load =
                        |r: usize| pulp::cast::<[f32; 8], _>(from(r).try_into().expect("eight"));
                    let turned = turned(self.simd, std::array::from_fn(load));
                    for (r, row) in turned.into_iter().enumerate() {
                        let row: [f32; 8] = pulp::cast(row);
                        self.to[(j + r) * self.rows + i..][..8].copy_from_slice(&row);
                    }
                }
            }
        }
    }
    let (tall, wide) = (rows / 8 * 8, columns / 8 * 8);
    pulp::Simd::vectorize(
        simd,
        Tiles {
            simd,
            from,
            stride,
            rows,
            tall,
            wide,
            to,
        },
    );
    (tall, wide)
}

/// Turns over eight rows of eight.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn turned(
    simd: pulp::x86::V3,
    rows: [std::arch::x86_64::__m256; 8],
) -> [std::arch::x86_64::__m256; 8] {
    let avx = simd.avx;
    let pairs: [_; 8] = std::array::from_fn(|i| {
        let (a, b) = (rows[i / 2 * 2], rows[i / 2 * 2 + 1]);
        if i % 2 == 0 {
            avx._mm256_unpacklo_ps(a, b)
        } else {
            avx._mm256_unpackhi_ps(a, b)
        }
    });
    let fours: [_; 8] = std::array::from_fn(|i| {
        let (a, b) = (
            pairs[i / 4 * 4 + i % 4 / 2],
            pairs[i / 4 * 4 + i % 4 / 2 + 2],
        );
        if i % 2 == 0 {
            avx._mm256_shuffle_ps::<0x44>(a, b)
        } else {
            avx._mm256_shuffle_ps::<0xee>(a, b)
        }
    });
    std::array::from_fn(|i| {
        let (a, b) = (fours[i % 4], fours[i % 4 + 4]);
        if i < 4 {
            avx._mm256_permute2f128_ps::<0x20>(a, b)
        } else {
            avx._mm256_permute2f128_ps::<0x31>(a, b)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_element_moves(rows in 1..40_usize, columns in 1..40_usize, slack in 0..3_usize) {
            let stride = columns + slack;
            let from: Vec<f32> = (0..rows * stride).map(|i| i as f32).collect();
            for level in Level::all() {
                let mut to = vec![-1.0; rows * columns];
                transpose(level, &from, stride, rows, columns, &mut to);
                for i in 0..rows {
                    for j in 0..columns {
                        prop_assert_eq!(to[j * rows + i], from[i * stride + j]);
                    }
                }
            }
        }
    }
}
