//! Activations of calibration samples, carried through a network and freed when nothing later needs them.
//!
//! A [`Walker`] stands before some operator and holds, for all samples, the values that this operator and later ones
//! take. Moving on runs what lies between, once, so that visiting every unit of a network costs one pass over it. Where
//! the values would not fit the memory budget the walker stays behind, and what is asked for is computed from there.

use crate::graph::{self, Graph, NodeId, RunError, ValueId, Weights};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::ops::Range;

/// How many samples are run at once.
const BATCH: usize = 64;

/// The activations of one binding of a network's weights, before one operator.
#[derive(Debug, Clone)]
pub struct Walker<'a> {
    graph: &'a Graph,
    weights: Weights,
    held: BTreeMap<ValueId, Tensor>,
    samples: usize,
    budget: usize,
}

/// Activations that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The network fails.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A tensor cannot be made.
    #[error("activations cannot be stored")]
    Tensor(#[from] candle_core::Error),
}

impl<'a> Walker<'a> {
    /// Starts before the first operator. `inputs` holds all samples of each input of the network; `budget` is the number
    /// of bytes of activations beyond which the walker recomputes rather than holds.
    pub fn new(graph: &'a Graph, weights: &Weights, inputs: &[Tensor], budget: usize) -> Self {
        let held = graph.inputs().iter().copied().zip(inputs.iter().cloned());
        Self {
            graph,
            weights: weights.clone(),
            held: held.collect(),
            samples: inputs.first().map_or(0, |t| t.dims()[0]),
            budget,
        }
    }

    /// Returns the number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Moves before `node`, with `weights` from now on.
    ///
    /// # Errors
    /// [`CaptureError`] where the network fails.
    pub fn advance(&mut self, weights: &Weights, node: NodeId) -> Result<(), CaptureError> {
        self.weights = weights.clone();
        let wanted = self.alive_before(node);
        let sample: usize = wanted
            .iter()
            .map(|v| self.graph.value(*v).shape.numel())
            .sum();
        if sample * self.samples * DType::F32.size_in_bytes() > self.budget {
            return Ok(());
        }
        let fresh: Vec<ValueId> = wanted
            .iter()
            .copied()
            .filter(|v| !self.held.contains_key(v))
            .collect();
        let tensors = self.all(&fresh)?;
        self.held.retain(|value, _| wanted.contains(value));
        self.held.extend(fresh.into_iter().zip(tensors));
        Ok(())
    }

    /// Takes a value for all samples that somebody has computed with the walker's weights, if it fits the budget.
    pub fn hold(&mut self, value: ValueId, tensor: Tensor) {
        let elements = |tensor: &Tensor| tensor.elem_count();
        let held: usize = self.held.values().map(elements).sum();
        if (held + elements(&tensor)) * DType::F32.size_in_bytes() <= self.budget {
            self.held.insert(value, tensor);
        }
    }

    /// Returns `values` for the samples `rows`.
    ///
    /// # Errors
    /// [`CaptureError`] where the network fails.
    pub fn rows(&self, values: &[ValueId], rows: &[u32]) -> Result<Vec<Tensor>, CaptureError> {
        if let Some(held) = self.held_all(values) {
            let take = |tensor: &Tensor| Ok(select(tensor, rows)?);
            return held.into_iter().map(take).collect();
        }
        self.rows_with(&self.weights, values, rows)
    }

    /// Returns `values`, none of which is held, for the samples `rows`, where `weights` take over from here on.
    ///
    /// # Errors
    /// [`CaptureError`] where the network fails.
    pub fn rows_with(
        &self,
        weights: &Weights,
        values: &[ValueId],
        rows: &[u32],
    ) -> Result<Vec<Tensor>, CaptureError> {
        let inputs = self
            .held
            .iter()
            .map(|(id, tensor)| Ok((*id, select(tensor, rows)?)))
            .collect::<Result<Vec<_>, candle_core::Error>>()?;
        Ok(self.graph.run(weights, &inputs, values)?)
    }

    /// Returns `values` for all samples.
    fn all(&self, values: &[ValueId]) -> Result<Vec<Tensor>, CaptureError> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        gathered(self.samples, |rows| self.rows(values, rows))
    }

    fn held_all(&self, values: &[ValueId]) -> Option<Vec<&Tensor>> {
        values.iter().map(|v| self.held.get(v)).collect()
    }

    /// Returns the values that exist before `node` runs, and that it or a later operator takes.
    fn alive_before(&self, node: NodeId) -> Vec<ValueId> {
        let later: Vec<_> = self.graph.nodes().filter(|(id, _)| *id >= node).collect();
        let mut alive: Vec<ValueId> = later.iter().flat_map(|(_, n)| n.inputs.clone()).collect();
        alive.sort_unstable();
        alive.dedup();
        alive.retain(|value| later.iter().all(|(_, n)| n.output != *value));
        alive
    }
}

/// Returns the rows of each batch of `samples` samples.
pub fn batches(samples: usize) -> impl Iterator<Item = Vec<u32>> {
    graph::parts(samples, BATCH).map(rows)
}

fn rows(range: Range<usize>) -> Vec<u32> {
    (range.start as u32..range.end as u32).collect()
}

/// Returns the tensors that `make` makes of the rows of all `samples` samples, which it gets batch by batch.
///
/// # Errors
/// Those of `make`, and what candle says.
pub fn gathered<E: From<candle_core::Error>>(
    samples: usize,
    mut make: impl FnMut(&[u32]) -> Result<Vec<Tensor>, E>,
) -> Result<Vec<Tensor>, E> {
    graph::gathered(samples, BATCH, |range| make(&rows(range)))
}

/// Returns some rows of each of several batched tensors.
///
/// # Errors
/// What candle says.
pub fn selected(tensors: &[Tensor], rows: &[u32]) -> candle_core::Result<Vec<Tensor>> {
    tensors.iter().map(|tensor| select(tensor, rows)).collect()
}

/// Returns some rows of a batched tensor.
///
/// # Errors
/// What candle says.
pub fn select(tensor: &Tensor, rows: &[u32]) -> candle_core::Result<Tensor> {
    let contiguous = rows.windows(2).all(|pair| pair[1] == pair[0] + 1);
    match rows.first() {
        Some(first) if contiguous => tensor.narrow(0, *first as usize, rows.len()),
        _ => tensor.index_select(
            &Tensor::new(rows, &Device::Cpu)?.to_device(tensor.device())?,
            0,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::testing::residual;

    #[test]
    fn walking_gives_what_a_full_run_gives_under_any_budget() {
        let (graph, weights) = residual(3);
        let input = Tensor::randn(0f32, 1.0, (150, 3), &Device::Cpu).unwrap();
        for budget in [0, 150 * 3 * 4, usize::MAX] {
            let mut walker = Walker::new(&graph, &weights, std::slice::from_ref(&input), budget);
            for (id, node) in graph.nodes() {
                walker.advance(&weights, id).unwrap();
                let rows = [3, 140, 7];
                let found = walker.rows(&node.inputs, &rows).unwrap();
                let rows = Tensor::new(&rows, &Device::Cpu).unwrap();
                let picked = input.index_select(&rows, 0).unwrap();
                let given = [(graph.inputs()[0], picked)];
                let expected = graph.run(&weights, &given, &node.inputs).unwrap();
                for (a, b) in found.iter().zip(&expected) {
                    let gap = (a - b).unwrap().abs().unwrap().max_all().unwrap();
                    assert!(gap.to_scalar::<f32>().unwrap() < 1e-6, "{}", node.name);
                }
            }
        }
    }

    #[test]
    fn values_are_freed_once_nothing_needs_them() {
        let (graph, weights) = residual(3);
        let input = Tensor::zeros((4, 3), DType::F32, &Device::Cpu).unwrap();
        let mut walker = Walker::new(&graph, &weights, &[input], usize::MAX);
        let held: Vec<usize> = graph
            .nodes()
            .map(|(id, _)| {
                walker.advance(&weights, id).unwrap();
                walker.held.len()
            })
            .collect();
        assert_eq!(held, [1, 1, 1, 2, 1]);
    }
}
