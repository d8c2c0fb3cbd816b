//! Sensitivity: prune one layer at a time to each rate of a grid, measure what that does to the network's output on
//! calibration data, and choose the rates of least total loss.
//!
//! With `f_l(k)` the loss where layer `l` alone has lost `k` weights, linear between the rates of the grid, the rates minimise
//! `sum(f_l(k_l))` at `sum(k_l) = s n`. Of each `f_l` its lower convex hull counts, on which a Lagrangian sweep is exact: all hulls'
//! pieces are taken in the order of their slopes, the loss that one more pruned weight costs, until the target is met.
//! The grid `1 - (1 - i / m)^2`, `i = 1..m`, is finer at high rates and ends with the whole layer pruned.
//!
//! The losses do not depend on the target: they are measured once for a network, data and settings.

use super::{
    AllocateError, Allocator, Calibration, Context, Evidence, LayerSensitivity, LayerWeights,
    Rates, Sensitivity, smallest,
};
use crate::capture::{Walker, batches, gathered, selected};
use crate::graph::{NodeId, Weights};
use crate::registry::{Technique, from_params};
use candle_core::Tensor;
use rayon::prelude::*;
use serde::Deserialize;
use std::num::NonZeroUsize;

const NAME: &str = "sensitivity";

pub(super) const ENTRY: Technique<dyn Allocator> = Technique::new(
    NAME,
    "least total loss, measured by pruning each layer alone to each rate of a grid: rates=10, samples=256",
    |params| Ok(Box::new(from_params::<SensitivityAnalysis>(params)?)),
);

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SensitivityAnalysis {
    /// The number of rates in the grid.
    rates: NonZeroUsize,
    /// The most calibration samples that are looked at.
    samples: NonZeroUsize,
}

impl Default for SensitivityAnalysis {
    fn default() -> Self {
        Self {
            rates: NonZeroUsize::new(10).expect("not zero"),
            samples: NonZeroUsize::new(256).expect("not zero"),
        }
    }
}

impl Allocator for SensitivityAnalysis {
    fn rates(&self, context: Context<'_>) -> Result<Rates, AllocateError> {
        let table = self.table(context)?;
        let curves = context.layers.iter().zip(&table.layers);
        let hulls: Vec<Vec<Piece>> = curves
            .map(|(layer, losses)| hull(layer.weights.len(), &table.rates, &losses.losses))
            .collect();
        let numel: usize = context.layers.iter().map(|l| l.weights.len()).sum();
        let pruned = sweep(&hulls, context.target * numel as f64);
        let rates = pruned.iter().zip(context.layers);
        Ok(Rates {
            rates: rates
                .map(|(pruned, layer)| (pruned / layer.weights.len() as f64).min(1.0))
                .collect(),
            evidence: Some(Evidence::Sensitivity(table)),
            notes: Vec::new(),
        })
    }

    fn needs_data(&self) -> bool {
        true
    }
}

impl SensitivityAnalysis {
    /// Returns what was measured before, or measures it.
    fn table(&self, context: Context<'_>) -> Result<Sensitivity, AllocateError> {
        let name = format!("{NAME}-{}-{}", self.rates, self.samples);
        context.kept(NAME, &name, || self.measure(context))
    }

    fn measure(&self, context: Context<'_>) -> Result<Sensitivity, AllocateError> {
        let mut calibration = context.calibration(NAME)?;
        for input in &mut calibration.inputs {
            *input = input.narrow(0, 0, self.samples.get().min(input.dim(0)?))?;
        }
        let probe = Probe::new(&calibration)?;
        let mut walker = Walker::new(
            calibration.graph,
            calibration.weights,
            &calibration.inputs,
            // While it moves on, it holds what it leaves too.
            calibration.memory / 2,
        );
        let rates = self.grid();
        let progress = calibration.progress;
        progress.stage("sensitivity", context.layers.len());
        let mut layers = Vec::with_capacity(context.layers.len());
        for (layer, (id, _)) in context.layers.iter().zip(calibration.graph.prunable()) {
            progress.check()?;
            walker.advance(calibration.weights, id)?;
            let loss = |rate: &f64| probe.loss(&walker, layer, id, *rate);
            let losses = rates.par_iter().map(loss).collect::<Result<Vec<_>, _>>()?;
            progress.step(&layer.name);
            layers.push(LayerSensitivity {
                name: layer.name.clone(),
                losses,
            });
        }
        Ok(Sensitivity { rates, layers })
    }

    fn grid(&self) -> Vec<f64> {
        let steps = self.rates.get();
        let rate = |i| 1.0 - (1.0 - i as f64 / steps as f64).powi(2);
        (1..=steps).map(rate).collect()
    }
}

/// Measures what a change of weights does to the network's outputs.
struct Probe<'a> {
    calibration: &'a Calibration<'a>,
    /// The dense outputs of all samples.
    targets: Vec<Tensor>,
}

impl<'a> Probe<'a> {
    fn new(calibration: &'a Calibration<'a>) -> Result<Self, AllocateError> {
        let &Calibration { graph, weights, .. } = calibration;
        let walker = Walker::new(graph, weights, &calibration.inputs, 0);
        let targets = gathered(walker.samples(), |rows| walker.rows(graph.outputs(), rows))?;
        Ok(Self {
            calibration,
            targets,
        })
    }

    /// Returns the loss where `layer` alone is pruned; `walker` stands before it.
    fn loss(
        &self,
        walker: &Walker<'_>,
        layer: &LayerWeights,
        id: NodeId,
        rate: f64,
    ) -> Result<f64, AllocateError> {
        let &Calibration {
            graph, objective, ..
        } = self.calibration;
        let weights = self.pruned(layer, id, rate)?;
        let mut sum = 0.0;
        for rows in batches(walker.samples()) {
            let outputs = walker.rows_with(&weights, graph.outputs(), &rows)?;
            sum += objective.total(&outputs, &selected(&self.targets, &rows)?)?;
        }
        let mean = sum / walker.samples() as f64;
        // A divergence of softmaxes is never below zero but for rounding.
        Some(mean.max(0.0))
            .filter(|_| mean.is_finite())
            .ok_or(AllocateError::Diverged)
    }

    fn pruned(
        &self,
        layer: &LayerWeights,
        id: NodeId,
        rate: f64,
    ) -> Result<Weights, AllocateError> {
        let &Calibration { graph, weights, .. } = self.calibration;
        let magnitudes: Vec<f64> = layer.weights.iter().map(|w| f64::from(w.abs())).collect();
        let count = (rate * magnitudes.len() as f64).round() as usize;
        let dropped = smallest(&magnitudes, count);
        let kept = layer.weights.iter().zip(dropped);
        let values: Vec<f32> = kept.map(|(w, gone)| if gone { 0.0 } else { *w }).collect();
        let param = graph.weight_of(id);
        let device = weights.tensor(param).device();
        let mut weights = weights.clone();
        weights.set(
            param,
            Tensor::from_vec(values, layer.shape.as_slice(), device)?,
        );
        Ok(weights)
    }
}

/// A piece of a convex curve: so many more pruned weights, at so much loss each.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    weights: f64,
    slope: f64,
}

/// Returns the lower convex hull of the losses of a layer of `numel` weights, which starts with no loss at rate 0.
fn hull(numel: usize, rates: &[f64], losses: &[f64]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut rate_before, mut loss_before) = (0.0, 0.0);
    for (rate, loss) in rates.iter().zip(losses) {
        let weights = (rate - rate_before) * numel as f64;
        let mut last = Piece {
            weights,
            slope: (loss - loss_before) / weights,
        };
        while let Some(before) = pieces.pop_if(|before| before.slope >= last.slope) {
            let weights = before.weights + last.weights;
            let rise = before.weights * before.slope + last.weights * last.slope;
            last = Piece {
                weights,
                slope: rise / weights,
            };
        }
        pieces.push(last);
        (rate_before, loss_before) = (*rate, *loss);
    }
    pieces
}

/// Returns how many weights each layer loses where `budget` are pruned in all, those of least slope first; of equal slopes, those of
/// earlier layers.
fn sweep(hulls: &[Vec<Piece>], budget: f64) -> Vec<f64> {
    let pieces = hulls.iter().enumerate();
    let mut pieces: Vec<(usize, Piece)> = pieces
        .flat_map(|(layer, pieces)| pieces.iter().map(move |piece| (layer, *piece)))
        .collect();
    pieces.sort_by(|(_, a), (_, b)| a.slope.total_cmp(&b.slope));
    let mut pruned = vec![0.0; hulls.len()];
    let mut left = budget;
    for (layer, piece) in pieces {
        let taken = piece.weights.min(left);
        pruned[layer] += taken;
        left -= taken;
    }
    pruned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocate::testing::Small;
    use proptest::prelude::*;

    /// The loss of a layer that has lost `pruned` weights, along its hull.
    fn along(hull: &[Piece], mut pruned: f64) -> f64 {
        let mut loss = 0.0;
        for piece in hull {
            let taken = piece.weights.min(pruned);
            loss += taken * piece.slope;
            pruned -= taken;
        }
        loss
    }

    proptest! {
        #[test]
        fn no_other_sharing_out_costs_less(
            layers in prop::collection::vec((1..40_usize, prop::collection::vec(0.0..9.0_f64, 4)), 1..4),
            share in 0.0..1.0_f64,
        ) {
            let rates = [0.25, 0.5, 0.75, 1.0];
            let hulls: Vec<Vec<Piece>> = layers.iter().map(|(n, losses)| hull(*n, &rates, losses)).collect();
            let numel: usize = layers.iter().map(|(n, _)| n).sum();
            let budget = (share * numel as f64).floor();
            let pruned = sweep(&hulls, budget);
            prop_assert!((pruned.iter().sum::<f64>() - budget).abs() < 1e-6);
            let total: f64 = hulls.iter().zip(&pruned).map(|(h, p)| along(h, *p)).sum();
            // Brute force over whole weights.
            let mut best = vec![f64::INFINITY; numel + 1];
            best[0] = 0.0;
            for ((n, _), hull) in layers.iter().zip(&hulls) {
                let mut next = vec![f64::INFINITY; numel + 1];
                for (spent, cost) in best.iter().enumerate().filter(|(_, c)| c.is_finite()) {
                    for more in 0..=*n {
                        let with = cost + along(hull, more as f64);
                        next[spent + more] = next[spent + more].min(with);
                    }
                }
                best = next;
            }
            prop_assert!(total <= best[budget as usize] + 1e-6);
        }

        #[test]
        fn a_hull_is_convex_and_nowhere_above_the_curve(losses in prop::collection::vec(0.0..9.0_f64, 1..9)) {
            let rates: Vec<f64> = (1..=losses.len()).map(|i| i as f64 / losses.len() as f64).collect();
            let hull = hull(100, &rates, &losses);
            prop_assert!(hull.windows(2).all(|pair| pair[0].slope < pair[1].slope));
            for (rate, loss) in rates.iter().zip(&losses) {
                prop_assert!(along(&hull, rate * 100.0) <= loss + 1e-9);
            }
            prop_assert!((along(&hull, 100.0) - losses[losses.len() - 1]).abs() < 1e-9);
        }
    }

    #[test]
    fn losses_are_those_of_full_runs() {
        let small = Small::new();
        let analysis = SensitivityAnalysis::default();
        let table = analysis.table(small.context(0.5)).unwrap();
        for ((layer, losses), (id, _)) in small
            .layers
            .iter()
            .zip(&table.layers)
            .zip(small.graph.prunable())
        {
            for (rate, found) in table.rates.iter().zip(&losses.losses) {
                let mut sorted: Vec<f32> = layer.weights.iter().map(|w| w.abs()).collect();
                sorted.sort_by(f32::total_cmp);
                let count = (rate * sorted.len() as f64).round() as usize;
                let least = sorted.get(count).copied().unwrap_or(f32::INFINITY);
                let mut weights = small.weights.clone();
                let param = small.graph.weight_of(id);
                let dense = weights.tensor(param).clone();
                let mask = dense.abs().unwrap().ge(least).unwrap();
                let zeros = dense.zeros_like().unwrap();
                weights.set(param, mask.where_cond(&dense, &zeros).unwrap());
                let expected = small.loss(&weights);
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{}: {found} {expected}",
                    layer.name
                );
            }
        }
    }

    #[test]
    fn the_grid_ascends_to_the_whole_layer() {
        let grid = SensitivityAnalysis::default().grid();
        assert_eq!(grid.len(), 10);
        assert!((grid[0] - 0.19).abs() < 1e-12 && (grid[9] - 1.0).abs() < 1e-12);
    }
}
