//! The exponential function, without a branch, so that loops over it vectorise.

/// Added to a number below `2^22`, rounds it to the nearest integer, which then stands in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// The part of `ln 2` whose multiples by exponents are exact (Cody and Waite 1980, ch. 6), and the rest.
const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];

/// The inverse factorials from 7 down to 0.
const TAYLOR: [f32; 8] = [
    1.0 / 5040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// Returns `e^x` within three units of the seventh digit: 0 and infinity where that is out of range, NaN for NaN.
///
/// Nothing is fused, so that all machines round alike.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Beyond these the result is 0 or infinite anyway, and the exponent would leave its bits.
    let x = x.clamp(-104.0, 89.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let rest = x - whole * LN_2[0] - whole * LN_2[1];
    let mut power = TAYLOR[0];
    for coefficient in &TAYLOR[1..] {
        power = power * rest + coefficient;
    }
    // In two steps, for 2^128 and the powers below 2^-126 are not numbers of one.
    let exponent = rounded
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .cast_signed();
    let half = exponent >> 1;
    power * two_to(half) * two_to(exponent.wrapping_sub(half))
}

/// Returns `2^exponent` for normal numbers.
#[inline(always)]
fn two_to(exponent: i32) -> f32 {
    f32::from_bits((exponent.wrapping_add(127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn is_close_to_the_exponential_in_f64() {
        for step in 0..1_000_000 {
            let x = -87.0 + 175.0 * (step as f32 / 1e6);
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) / expected - 1.0).abs();
            assert!(error <= 3e-7, "{x}: off by {error:e}");
        }
    }

    #[test]
    fn leaves_its_range_as_it_should() {
        let cases = [
            (0.0, 1.0),
            (-0.0, 1.0),
            (-104.0, 0.0),
            (-1e30, 0.0),
            (f32::NEG_INFINITY, 0.0),
            (88.8, f32::INFINITY),
            (1e30, f32::INFINITY),
            (f32::INFINITY, f32::INFINITY),
        ];
        for (x, expected) in cases {
            assert_eq!(exp(x), expected, "{x}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert!((f64::from(exp(-100.0)) - (-100f64).exp()).abs() < 2e-45);
    }
}
