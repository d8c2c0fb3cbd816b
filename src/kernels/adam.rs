//! A step of Adam.

use super::elementwise::map;
use super::serves;
use super::storage::{tensor, with_numbers};
use candle_core::{Result, Tensor};

/// The factors of one step of Adam (Kingma and Ba 2015, algorithm 1), its bias corrections taken in.
#[derive(Debug, Clone, Copy)]
pub struct AdamStep {
    /// The decay of the first moment.
    pub beta1: f64,
    /// The decay of the second moment.
    pub beta2: f64,
    /// The learning rate over `1 - beta1^t`.
    pub rate: f64,
    /// `1 - beta2^t`.
    pub second_bias: f64,
    /// What is added to the deviation.
    pub eps: f64,
}

/// The moments of a gradient, of its shape.
#[derive(Debug, Clone)]
pub struct Moments {
    /// The mean.
    pub first: Tensor,
    /// The mean of the square.
    pub second: Tensor,
}

impl Moments {
    /// Makes those of no gradient yet, in the shape of `gradient`.
    ///
    /// # Errors
    /// What candle says.
    pub fn zeros_like(gradient: &Tensor) -> Result<Self> {
        Ok(Self {
            first: gradient.zeros_like()?,
            second: gradient.zeros_like()?,
        })
    }
}

impl AdamStep {
    /// Makes step number `step`, from 1, at a learning rate.
    pub fn new(lr: f64, [beta1, beta2]: [f64; 2], eps: f64, step: i32) -> Self {
        Self {
            beta1,
            beta2,
            rate: lr / (1.0 - beta1.powi(step)),
            second_bias: 1.0 - beta2.powi(step),
            eps,
        }
    }

    /// Takes `gradient` into the moments, and returns `weight` moved, on any device.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn take(
        &self,
        weight: &Tensor,
        gradient: &Tensor,
        moments: &mut Moments,
    ) -> Result<Tensor> {
        let operands = [weight, gradient, &moments.first, &moments.second];
        let alike = operands
            .iter()
            .all(|o| o.dims() == weight.dims() && o.is_contiguous());
        if serves(weight) && alike {
            self.take_at_once(weight, gradient, moments)
        } else {
            self.take_by_candle(weight, gradient, moments)
        }
    }

    fn take_by_candle(
        &self,
        weight: &Tensor,
        gradient: &Tensor,
        moments: &mut Moments,
    ) -> Result<Tensor> {
        let &Self { beta1, beta2, .. } = self;
        moments.first = ((&moments.first * beta1)? + (gradient * (1.0 - beta1))?)?;
        moments.second = ((&moments.second * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
        let deviation = ((&moments.second / self.second_bias)?.sqrt()? + self.eps)?;
        weight - ((&moments.first * self.rate)? / deviation)?
    }

    fn take_at_once(
        &self,
        weight: &Tensor,
        gradient: &Tensor,
        moments: &mut Moments,
    ) -> Result<Tensor> {
        let moment = |moment: &Tensor, beta: f64, f: fn(f32) -> f32| {
            let (old, new) = (beta as f32, (1.0 - beta) as f32);
            let numbers = with_numbers([moment, gradient], |operands| {
                Ok(map(operands, move |[moment, gradient]| {
                    moment * old + f(gradient) * new
                }))
            });
            tensor(numbers?, moment.dims())
        };
        moments.first = moment(&moments.first, self.beta1, |gradient| gradient)?;
        moments.second = moment(&moments.second, self.beta2, |gradient| gradient * gradient)?;
        let (rate, eps) = (self.rate as f32, self.eps as f32);
        let unbiased = (1.0 / self.second_bias) as f32;
        let operands = [weight, &moments.first, &moments.second];
        let moved = with_numbers(operands, |operands| {
            let moved = move |[weight, first, second]: [f32; 3]| {
                weight - first * rate / ((second * unbiased).sqrt() + eps)
            };
            Ok(map(operands, moved))
        });
        tensor(moved?, weight.dims())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn at_once_and_by_candle_are_the_same() {
        let device = &Device::Cpu;
        let numbers = |seed: usize| {
            let value =
                |i: usize| ((i * 2_654_435_761 + seed * 40_503) % 1013) as f32 / 506.5 - 1.0;
            Tensor::from_vec((0..999).map(value).collect::<Vec<f32>>(), (27, 37), device).unwrap()
        };
        let zeros = || numbers(0).zeros_like().unwrap();
        let moments = || Moments {
            first: zeros(),
            second: zeros(),
        };
        let (mut ours, mut theirs) = (moments(), moments());
        let (mut a, mut b) = (numbers(1), numbers(1));
        for t in 1..5 {
            let step = AdamStep {
                beta1: 0.9,
                beta2: 0.999,
                rate: 1e-3 / (1.0 - 0.9f64.powi(t)),
                second_bias: 1.0 - 0.999f64.powi(t),
                eps: 1e-8,
            };
            let gradient = numbers(t as usize + 7);
            a = step.take_at_once(&a, &gradient, &mut ours).unwrap();
            b = step.take_by_candle(&b, &gradient, &mut theirs).unwrap();
        }
        let gap = (a - b).unwrap().abs().unwrap().max_all().unwrap();
        assert!(gap.to_scalar::<f32>().unwrap() < 1e-6);
    }
}
