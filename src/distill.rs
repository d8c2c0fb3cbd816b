//! How far the outputs of a sparse network are from those of the dense one, and the gradient that brings them nearer
//! (Hinton et al. 2015, "Distilling the knowledge in a neural network").

use crate::graph::{Graph, Shape, Trace, ValueId};
use crate::kernels::{scaled_difference, squared_distance};
use candle_core::{D, Result, Tensor};
use candle_nn::ops::{log_softmax, softmax};

/// What is to be small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Objective {
    /// The squared error of values of any shape.
    SquaredError,
    /// `T^2 KL(softmax(dense / T), softmax(sparse / T))` of logits `[n, classes]`, `T` the temperature. The factor makes
    /// gradients independent of the temperature in the limit (section 2.1).
    KullbackLeibler {
        /// The temperature, above zero.
        temperature: f64,
    },
}

impl Objective {
    /// Returns the loss of a batch, summed over its samples; the squared error is averaged over the elements of a sample.
    ///
    /// # Errors
    /// What candle says.
    pub fn sum(self, output: &Tensor, target: &Tensor) -> Result<f64> {
        match self {
            Self::SquaredError => {
                let elements = output.elem_count() / output.dim(0)?;
                Ok(squared_distance(output, target)? / elements as f64)
            }
            Self::KullbackLeibler { temperature } => {
                let target = (target / temperature)?;
                let expected = softmax(&target, D::Minus1)?;
                let missing = (log_softmax(&target, D::Minus1)?
                    - log_softmax(&(output / temperature)?, D::Minus1)?)?;
                let sum = (expected * missing)?.sum_all()?.to_scalar::<f32>()?;
                Ok(temperature * temperature * f64::from(sum))
            }
        }
    }

    /// Returns the loss of a batch of several outputs: the sum of what [`Self::sum`] says of each.
    ///
    /// # Errors
    /// What candle says.
    pub fn total(self, outputs: &[Tensor], targets: &[Tensor]) -> Result<f64> {
        let pairs = outputs.iter().zip(targets);
        let losses = pairs.map(|(output, target)| self.sum(output, target));
        losses.sum()
    }

    /// Returns the gradients of the loss of a batch with respect to the `outputs` of `graph` that `trace` holds; see [`Self::gradient`].
    ///
    /// # Errors
    /// What candle says.
    pub fn gradients(
        self,
        graph: &Graph,
        outputs: &[ValueId],
        trace: &Trace,
        targets: &[Tensor],
    ) -> Result<Vec<Tensor>> {
        let pairs = outputs.iter().zip(targets);
        let gradient = |(id, target): (&ValueId, &Tensor)| {
            self.gradient(trace.value(*id), target, &graph.value(*id).shape)
        };
        pairs.map(gradient).collect()
    }

    /// Returns the gradient of the loss of a batch with respect to the output, averaged over samples. The squared error is averaged over the
    /// positions of a sample of `shape` too, and summed over channels.
    ///
    /// # Errors
    /// What candle says.
    pub fn gradient(self, output: &Tensor, target: &Tensor, shape: &Shape) -> Result<Tensor> {
        let samples = output.dim(0)?;
        match self {
            Self::SquaredError => {
                let positions = samples * shape.numel() / shape.channels();
                scaled_difference(output, target, 2.0 / positions as f64)
            }
            Self::KullbackLeibler { temperature } => {
                let found = softmax(&(output / temperature)?, D::Minus1)?;
                let expected = softmax(&(target / temperature)?, D::Minus1)?;
                scaled_difference(&found, &expected, temperature / samples as f64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn tensor(values: &[f32]) -> Tensor {
        Tensor::from_vec(values.to_vec(), (2, values.len() / 2), &Device::Cpu).unwrap()
    }

    const TARGET: [f32; 6] = [1.0, -2.0, 0.5, 3.0, 0.0, -1.0];
    const OUTPUT: [f32; 6] = [0.5, 0.0, 1.5, -1.0, 2.0, 0.25];

    /// The divergence by its definition, in f64.
    fn divergence(output: &[f32], temperature: f64) -> f64 {
        let shares = |row: &[f32]| {
            let powers: Vec<f64> = row
                .iter()
                .map(|v| (f64::from(*v) / temperature).exp())
                .collect();
            let sum: f64 = powers.iter().sum();
            powers.into_iter().map(|p| p / sum).collect::<Vec<f64>>()
        };
        let rows = TARGET.chunks(3).zip(output.chunks(3));
        let sums = rows.map(|(target, output)| {
            let pairs = shares(target).into_iter().zip(shares(output));
            pairs.map(|(p, q)| p * (p / q).ln()).sum::<f64>()
        });
        temperature * temperature * sums.sum::<f64>()
    }

    #[test]
    fn the_divergence_follows_its_definition() {
        for temperature in [0.5, 1.0, 4.0] {
            let objective = Objective::KullbackLeibler { temperature };
            let found = objective.sum(&tensor(&OUTPUT), &tensor(&TARGET)).unwrap();
            let expected = divergence(&OUTPUT, temperature);
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            let same = objective.sum(&tensor(&TARGET), &tensor(&TARGET)).unwrap();
            assert!(same.abs() < 1e-6);
        }
    }

    #[test]
    fn gradients_follow_finite_differences() {
        let shape = Shape::from([3]);
        let step = 1e-2;
        for temperature in [0.5, 1.0, 4.0] {
            let objective = Objective::KullbackLeibler { temperature };
            let gradient = objective.gradient(&tensor(&OUTPUT), &tensor(&TARGET), &shape);
            let gradient: Vec<f32> = gradient.unwrap().flatten_all().unwrap().to_vec1().unwrap();
            for (i, found) in gradient.iter().enumerate() {
                let moved = |by: f32| {
                    let mut output = OUTPUT;
                    output[i] += by;
                    divergence(&output, temperature) / 2.0
                };
                let slope = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                assert!((f64::from(*found) - slope).abs() < 1e-3, "{found} {slope}");
            }
        }
    }

    #[test]
    fn the_squared_error_is_a_mean_over_elements_and_its_gradient_a_sum_over_channels() {
        let (output, target) = (tensor(&OUTPUT), tensor(&TARGET));
        let squares: f32 = OUTPUT
            .iter()
            .zip(&TARGET)
            .map(|(a, b)| (a - b).powi(2))
            .sum();
        let found = Objective::SquaredError.sum(&output, &target).unwrap();
        assert!((found - f64::from(squares) / 3.0).abs() < 1e-5);
        let gradient = Objective::SquaredError.gradient(&output, &target, &Shape::from([3]));
        let gradient: Vec<f32> = gradient.unwrap().flatten_all().unwrap().to_vec1().unwrap();
        // Two samples of one position each.
        assert_eq!(gradient[0], OUTPUT[0] - TARGET[0]);
    }
}
