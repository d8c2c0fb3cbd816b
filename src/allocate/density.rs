//! Sharing out density by a weight for each layer.

use super::Context;

/// The exponent of the Erdos-Renyi allocators; written `power`.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Power {
    power: f64,
}

impl Default for Power {
    fn default() -> Self {
        Self { power: 1.0 }
    }
}

impl Power {
    /// Returns the rates for densities proportional to `(sum of dims / product of dims)^power` over the dims that `of` picks.
    pub(super) fn rates(self, context: Context<'_>, of: fn(&[usize]) -> &[usize]) -> Vec<f64> {
        let raw: Vec<f64> = context
            .layers
            .iter()
            .map(|layer| {
                let dims = of(&layer.shape);
                let product: usize = dims.iter().product();
                (dims.iter().sum::<usize>() as f64 / product as f64).powf(self.power)
            })
            .collect();
        share(context, &raw)
    }
}

/// Returns the rates for densities proportional to `raw`, where no density may pass 1: layers that would are set dense
/// and the rest is shared anew, until none does.
fn share(context: Context<'_>, raw: &[f64]) -> Vec<f64> {
    let numel: Vec<f64> = context
        .layers
        .iter()
        .map(|l| l.weights.len() as f64)
        .collect();
    let kept = (1.0 - context.target) * numel.iter().sum::<f64>();
    let mut dense = vec![false; raw.len()];
    loop {
        let (mut left, mut divisor) = (kept, 0.0);
        for (i, n) in numel.iter().enumerate() {
            if dense[i] {
                left -= n;
            } else {
                divisor += raw[i] * n;
            }
        }
        let factor = left / divisor;
        let over: Vec<usize> = (0..raw.len())
            .filter(|&i| !dense[i] && raw[i] * factor > 1.0)
            .collect();
        if over.is_empty() {
            let density = |i: usize| if dense[i] { 1.0 } else { raw[i] * factor };
            return (0..raw.len()).map(|i| 1.0 - density(i)).collect();
        }
        for i in over {
            dense[i] = true;
        }
    }
}
