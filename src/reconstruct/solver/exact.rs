//! The masked least-squares optimum of a single layer.
//!
//! A layer is linear in its weight: with its inputs as rows `x` ([`MatMul::rows`]) and the dense outputs `y`, the error of
//! one output channel is a quadratic in the surviving weights `w`, so that its optimum is the solution of
//! `H_SS w = c_S`, `H = sum(x x^T)`, `c = sum(y x)`, `S` the survivors. The sums are accumulated once, batch by batch. The
//! bias is one more weight, of a constant input 1. What the data do not determine stays where it was: the system is
//! solved for the change of `w`, with a small ridge. The activations are rounded to single precision, about 1e-7, and what
//! is rounded comes back multiplied by as much as the inverse of the ridge: with 1e-3 it stays below a thousandth, with
//! 1e-5 the order in which a convolution is summed would decide a solution where there are more weights than samples.

use super::{Problem, Solution, Solver};
use crate::capture::batches;
use crate::graph::ops::MatMul;
use crate::graph::{ParamId, Role};
use crate::progress::Progress;
use crate::reconstruct::ReconstructError;
use crate::registry::{Technique, from_params};
use candle_core::{DType, Result as CandleResult, Tensor};
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use rayon::prelude::*;
use serde::Deserialize;

pub(super) const ENTRY: Technique<dyn Solver> = Technique::new(
    "exact",
    "the masked least-squares optimum of each output channel, for single layers: ridge=1e-3",
    |params| Ok(Box::new(from_params::<Exact>(params)?)),
);

/// Rows that are summed in single precision before the sums go on in double precision. Systems are as ill-conditioned as
/// their inputs are alike: what is rounded away here comes back as large in the solution as the ridge lets it.
const ROWS: usize = 512;

/// The parameters of the solver.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Exact {
    /// Added to the diagonal of the system, as a fraction of its mean.
    ridge: f64,
}

impl Default for Exact {
    fn default() -> Self {
        Self { ridge: 1e-3 }
    }
}

impl Solver for Exact {
    fn single_layers_only(&self) -> bool {
        true
    }

    fn solve(
        &self,
        problem: &Problem<'_>,
        progress: &dyn Progress,
    ) -> Result<Solution, ReconstructError> {
        let layer = Layer::of(problem)?;
        let system = layer.accumulate(problem, progress)?;
        let channels = layer.channels(problem)?;
        let solved = channels
            .par_iter()
            .enumerate()
            .map(|(index, channel)| {
                system
                    .solve(index, channel, self.ridge)
                    .ok_or_else(|| ReconstructError::Singular {
                        layer: problem.unit().name.clone(),
                    })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Solution {
            tensors: layer.tensors(problem, &solved)?,
            iterations: 1,
            loss: None,
            diverged: false,
        })
    }
}

/// The only layer of the unit.
struct Layer<'a> {
    matmul: &'a dyn MatMul,
    weight: ParamId,
    bias: Option<ParamId>,
}

/// The weights of one output channel, the bias last if there is one, with what may change.
struct Channel {
    values: Vec<f64>,
    free: Vec<usize>,
}

/// The accumulated sums, group by group.
struct System {
    /// `sum(x x^T)`, one `[k, k]` a group.
    gram: Vec<Vec<Vec<f64>>>,
    /// `sum(y x)`, `[o, k]`, all groups in one list.
    moments: Vec<Vec<f64>>,
}

impl<'a> Layer<'a> {
    fn of(problem: &Problem<'a>) -> Result<Self, ReconstructError> {
        let id = problem.unit().layers[0];
        let node = problem.graph().node(id);
        let matmul = node.op.as_matmul().ok_or(ReconstructError::Unfit {
            solver: "exact",
            unit: problem.unit().name.clone(),
            why: "its layer is not linear in its weight",
        })?;
        Ok(Self {
            matmul,
            weight: problem.graph().weight_of(id),
            bias: node.param(problem.graph(), Role::Bias),
        })
    }

    fn accumulate(
        &self,
        problem: &Problem<'_>,
        progress: &dyn Progress,
    ) -> Result<System, ReconstructError> {
        let mut sums: Option<(Tensor, Tensor)> = None;
        for rows in batches(problem.samples()) {
            progress.check()?;
            let (inputs, targets) = problem.batch(&rows)?;
            // A layer that is called several times has as many inputs, each with its target, which count alike.
            let mut rows = None;
            for (input, target) in inputs.iter().zip(&targets) {
                let mut x = self.with_constant(&self.matmul.rows(input)?)?;
                let mut y = self.matmul.targets(target)?.contiguous()?;
                let first = *rows.get_or_insert(x.dim(1)?);
                if x.dim(1)? != first {
                    let factor = (first as f64 / x.dim(1)? as f64).sqrt();
                    (x, y) = ((x * factor)?, (y * factor)?);
                }
                sums = Some(summed(sums, &x, &y)?);
            }
        }
        let (gram, moments) = sums.ok_or_else(|| ReconstructError::Singular {
            layer: problem.unit().name.clone(),
        })?;
        Ok(System {
            gram: gram.to_vec3()?,
            moments: moments.flatten_to(1)?.to_vec2()?,
        })
    }

    /// Adds an input of 1 for the bias.
    fn with_constant(&self, rows: &Tensor) -> CandleResult<Tensor> {
        if self.bias.is_none() {
            return rows.contiguous();
        }
        let ones = rows.narrow(2, 0, 1)?.ones_like()?;
        Tensor::cat(&[rows, &ones], 2)
    }

    fn channels(&self, problem: &Problem<'_>) -> CandleResult<Vec<Channel>> {
        let rows = |t: &Tensor| t.flatten_from(1)?.to_dtype(DType::F64)?.to_vec2::<f64>();
        let weight = rows(problem.start().tensor(self.weight))?;
        let mask = problem
            .adjustable()
            .into_iter()
            .find_map(|(id, mask)| mask.filter(|_| id == self.weight));
        let mask = mask.map(rows).transpose()?;
        let bias = match self.bias {
            Some(id) => Some(problem.start().tensor(id).to_dtype(DType::F64)?.to_vec1()?),
            None => None,
        };
        let channel = |(index, mut values): (usize, Vec<f64>)| {
            let survives = |i: &usize| mask.as_ref().is_none_or(|mask| mask[index][*i] != 0.0);
            let mut free: Vec<usize> = (0..values.len()).filter(survives).collect();
            if let Some(bias) = &bias {
                free.push(values.len());
                values.push(bias[index]);
            }
            Channel { values, free }
        };
        Ok(weight.into_iter().enumerate().map(channel).collect())
    }

    fn tensors(
        &self,
        problem: &Problem<'_>,
        solved: &[Vec<f64>],
    ) -> CandleResult<Vec<(ParamId, Tensor)>> {
        let start = problem.start().tensor(self.weight);
        let count = start.elem_count() / solved.len();
        let tensor = |values: Vec<f64>, like: &Tensor| {
            Tensor::from_vec(values, like.shape(), like.device())?.to_dtype(like.dtype())
        };
        let weights = solved
            .iter()
            .flat_map(|row| row[..count].to_vec())
            .collect();
        let mut tensors = vec![(self.weight, tensor(weights, start)?)];
        if let Some(id) = self.bias {
            let biases = solved.iter().map(|row| row[count]).collect();
            tensors.push((id, tensor(biases, problem.start().tensor(id))?));
        }
        Ok(tensors)
    }
}

/// Adds the products of some rows to the sums.
fn summed(
    mut sums: Option<(Tensor, Tensor)>,
    x: &Tensor,
    y: &Tensor,
) -> CandleResult<(Tensor, Tensor)> {
    for start in (0..x.dim(1)?).step_by(ROWS) {
        let count = ROWS.min(x.dim(1)? - start);
        let some = |rows: &Tensor| rows.narrow(1, start, count)?.contiguous();
        let (x, y) = (some(x)?, some(y)?);
        let product = |a: &Tensor| a.transpose(1, 2)?.matmul(&x)?.to_dtype(DType::F64);
        let (gram, moments) = (product(&x)?, product(&y)?);
        sums = Some(match sums {
            Some((g, m)) => ((g + gram)?, (m + moments)?),
            None => (gram, moments),
        });
    }
    sums.ok_or_else(|| candle_core::Error::msg("a layer sees no rows"))
}

impl System {
    /// Returns the optimum of output channel `index`, or nothing where the sums are not finite.
    fn solve(&self, index: usize, channel: &Channel, ridge: f64) -> Option<Vec<f64>> {
        let per_group = self.moments.len() / self.gram.len();
        let gram = &self.gram[index / per_group];
        let free = &channel.free;
        if free.is_empty() {
            return Some(channel.values.clone());
        }
        let trace: f64 = free.iter().map(|i| gram[*i][*i]).sum();
        let added = ridge * trace / free.len() as f64 + f64::MIN_POSITIVE;
        let matrix = Mat::from_fn(free.len(), free.len(), |r, c| {
            gram[free[r]][free[c]] + if r == c { added } else { 0.0 }
        });
        let residual = Mat::from_fn(free.len(), 1, |r, _| {
            let fitted: f64 = gram[free[r]]
                .iter()
                .zip(&channel.values)
                .map(|(h, w)| h * w)
                .sum();
            self.moments[index][free[r]] - fitted
        });
        let change = matrix.llt(Side::Lower).ok()?.solve(&residual);
        let mut values = channel.values.clone();
        for (r, i) in free.iter().enumerate() {
            values[*i] += change[(r, 0)];
        }
        values.iter().all(|v| v.is_finite()).then_some(values)
    }
}
