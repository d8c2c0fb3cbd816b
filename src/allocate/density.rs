//! Sharing out density in proportion to a power of the ratio of the sum to the product of a layer's dimensions.

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
        // A negative power favours the least ratio: as inverses, the greatest is always the densest.
        let ratios: Vec<f64> = context
            .layers
            .iter()
            .map(|layer| {
                let dims = of(&layer.shape);
                let product: usize = dims.iter().product();
                (dims.iter().sum::<usize>() as f64 / product as f64).powf(self.power.signum())
            })
            .collect();
        let densities = share(context, &ratios, self.power.abs());
        densities.iter().map(|density| 1.0 - density).collect()
    }
}

/// Returns densities proportional to `ratios^power`, where none may pass 1: layers that would are set dense and the rest
/// is shared anew, until none does.
fn share(context: Context<'_>, ratios: &[f64], power: f64) -> Vec<f64> {
    let numel: Vec<f64> = context
        .layers
        .iter()
        .map(|l| l.weights.len() as f64)
        .collect();
    let mut kept = (1.0 - context.target) * numel.iter().sum::<f64>();
    let mut densities = vec![1.0; ratios.len()];
    let mut open: Vec<usize> = (0..ratios.len()).collect();
    loop {
        // Relative to the greatest, so that a large power neither overflows nor takes all of them to zero.
        let greatest = open.iter().map(|&i| ratios[i]).fold(0.0, f64::max);
        let raw = |i: usize| (ratios[i] / greatest).powf(power);
        let factor = kept / open.iter().map(|&i| raw(i) * numel[i]).sum::<f64>();
        let (over, under): (Vec<usize>, Vec<usize>) =
            open.iter().partition(|&&i| raw(i) * factor > 1.0);
        if over.is_empty() {
            for i in under {
                densities[i] = raw(i) * factor;
            }
            return densities;
        }
        kept -= over.iter().map(|&i| numel[i]).sum::<f64>();
        open = under;
    }
}
