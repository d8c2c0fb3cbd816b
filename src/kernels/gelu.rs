//! The Gaussian error linear unit (Hendrycks and Gimpel 2016), `x * Phi(x)`.
//!
//! The normal distribution function comes from formula 7.1.26 of Abramowitz and Stegun (1964) for the error function,
//! whose error is at most 1.5e-7.

use super::elementwise::map;
use super::exp::exp;
use super::storage::{numbers, result, tensor, with_numbers};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// Where the tail of the normal distribution is 0 in f32; infinite numbers are treated as this one.
const FAR: f32 = 20.0;

/// The coefficients of formula 7.1.26, highest first.
const ERF: [f32; 5] = [
    1.061_405_4,
    -1.453_152,
    1.421_413_7,
    -0.284_496_74,
    0.254_829_6,
];

/// The step that goes with them.
const STEP: f32 = 0.327_591_1;

/// Returns `x * Phi(x)` of every element, with `Phi` the normal distribution function.
///
/// # Errors
/// What candle says.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Gelu)
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let output = map([numbers((x, layout))?], |[x]| value(x));
        result(output, layout.dims())
    }

    fn bwd(&self, x: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        gelu_gradient(x, gradient).map(Some)
    }
}

/// Returns the gradient of `x` for that of [`gelu`]'s output.
///
/// # Errors
/// What candle says.
pub fn gelu_gradient(x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let gradient = with_numbers([&x.contiguous()?, &gradient.contiguous()?], |operands| {
        Ok(map(operands, |[x, gradient]| gradient * slope(x)))
    })?;
    tensor(gradient, x.dims())
}

/// Keeps the distance of `x` from 0 finite, and NaN NaN.
#[inline(always)]
fn near(x: f32) -> f32 {
    let distance = x.abs();
    if distance > FAR { FAR } else { distance }
}

/// Returns `exp(-x^2 / 2)` and `1 - Phi(x)` for `x` in `0..=FAR`.
#[inline(always)]
fn tail(x: f32) -> (f32, f32) {
    let bell = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + STEP * FRAC_1_SQRT_2 * x);
    let sum = ERF
        .iter()
        .fold(0.0, |sum, coefficient| (sum + coefficient) * t);
    (bell, 0.5 * sum * bell)
}

/// Returns `x * Phi(x)`: the tail is taken from `max(x, 0)`, for nothing to cancel.
#[inline(always)]
fn value(x: f32) -> f32 {
    let distance = near(x);
    let (_, tail) = tail(distance);
    x.max(0.0) - distance * tail
}

/// Returns the derivative of [`value`].
#[inline(always)]
fn slope(x: f32) -> f32 {
    let distance = near(x);
    let (bell, tail) = tail(distance);
    let density = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * bell;
    let positive = 1.0 - tail + distance * density;
    if x < 0.0 { 1.0 - positive } else { positive }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// The normal distribution function by its series (Abramowitz and Stegun 26.2.10), and the density.
    fn normal(x: f64) -> (f64, f64) {
        let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        if x.abs() > 8.0 {
            return (if x > 0.0 { 1.0 } else { 0.0 }, density);
        }
        let (mut sum, mut term) = (x, x);
        for n in 1..300 {
            term *= x * x / f64::from(2 * n + 1);
            sum += term;
        }
        (0.5 + sum * density, density)
    }

    #[test]
    fn value_and_slope_are_close_to_those_in_f64() {
        for step in 0..200_001 {
            let x = (step - 100_000) as f32 / 1e4;
            let (phi, density) = normal(f64::from(x));
            let error = f64::from(value(x)) - f64::from(x) * phi;
            assert!(error.abs() <= 5e-7, "{x}: off by {error:e}");
            let error = f64::from(slope(x)) - phi - f64::from(x) * density;
            assert!(error.abs() <= 5e-7, "{x}: slope off by {error:e}");
        }
    }

    #[test]
    fn infinity_and_nan_go_through() {
        assert_eq!(value(f32::INFINITY), f32::INFINITY);
        assert_eq!(value(f32::NEG_INFINITY), 0.0);
        assert_eq!(slope(f32::INFINITY), 1.0);
        assert_eq!(slope(f32::NEG_INFINITY), 0.0);
        assert!(value(f32::NAN).is_nan() && slope(f32::NAN).is_nan());
    }

    #[test]
    fn agrees_with_candle_whatever_the_layout() {
        let values: Vec<f32> = (0..60_000)
            .map(|i| (i % 1013) as f32 / 101.3 - 5.0)
            .collect();
        let x = Var::from_vec(values, (300, 200), &Device::Cpu).unwrap();
        let outcome = |f: fn(&Tensor) -> Result<Tensor>| {
            let y = f(&x.t().unwrap()).unwrap();
            let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            let gradient = gradients.get(&x).unwrap().clone();
            [y, gradient].map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap())
        };
        for (ours, theirs) in outcome(gelu).into_iter().zip(outcome(Tensor::gelu_erf)) {
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert!((ours - theirs).abs() < 1e-5, "{ours} instead of {theirs}");
            }
        }
    }
}
