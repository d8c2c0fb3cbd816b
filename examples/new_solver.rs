//! A new solver, beside those that are there already.
//!
//! ```sh
//! cargo run --release --example new_solver
//! ```

use candle_core::{Device, Tensor};
use ptsbench::case::{Case, CaseSpec, Settings};
use ptsbench::graph::{ParamId, Weights};
use ptsbench::pipeline::{Allow, Engine};
use ptsbench::progress::Progress;
use ptsbench::reconstruct::{Link, Problem, ReconstructError, Reconstruction, Solution, Solver};
use ptsbench::record::Record;
use std::error::Error;

/// Conjugate gradients (Polak and Ribiere 1969) over all calibration samples at once. A step goes to where a parabola through three
/// losses is least, so that there is no learning rate to choose.
#[derive(Debug)]
pub struct ConjugateGradients {
    /// Steps a unit.
    pub iterations: usize,
}

impl Solver for ConjugateGradients {
    fn solve(
        &self,
        problem: &Problem<'_>,
        progress: &dyn Progress,
    ) -> Result<Solution, ReconstructError> {
        let mut point = Point::start(problem)?;
        let mut last: Option<(Tensor, Tensor)> = None;
        let mut step = 0.01;
        let mut iterations = 0;
        while iterations < self.iterations {
            progress.check()?;
            let gradient = point.gradient(problem)?;
            let downhill = gradient.neg()?;
            let direction = match &last {
                Some((old, direction)) => {
                    let turn = dot(&gradient, &(&gradient - old)?)? / dot(old, old)?;
                    (downhill + (direction * turn.max(0.0))?)?
                }
                None => downhill,
            };
            let Some((length, next)) = point.least(problem, &direction, step)? else {
                break;
            };
            (step, point) = (length, next);
            last = Some((gradient, direction));
            iterations += 1;
        }
        Ok(Solution {
            tensors: point.tensors()?,
            iterations,
            loss: Some(point.loss),
            diverged: false,
        })
    }
}

/// All adjustable parameters in one vector, and the loss there.
struct Point<'a> {
    params: Vec<(ParamId, Option<&'a Tensor>)>,
    weights: Weights,
    values: Tensor,
    loss: f64,
}

impl<'a> Point<'a> {
    fn start(problem: &Problem<'a>) -> Result<Self, ReconstructError> {
        let (params, weights) = (problem.adjustable(), problem.start().clone());
        let flat: candle_core::Result<Vec<Tensor>> = params
            .iter()
            .map(|(id, _)| weights.tensor(*id).flatten_all())
            .collect();
        Ok(Self {
            values: Tensor::cat(&flat?, 0)?,
            loss: problem.loss(&weights)?,
            params,
            weights,
        })
    }

    /// Returns the gradient over all samples, zero where masked.
    fn gradient(&self, problem: &Problem<'_>) -> Result<Tensor, ReconstructError> {
        let rows: Vec<u32> = (0..problem.samples() as u32).collect();
        let gradients = problem.gradients(&self.weights, &rows, &self.params)?;
        let flat: candle_core::Result<Vec<Tensor>> = gradients
            .into_iter()
            .zip(&self.params)
            .map(|(gradient, (id, _))| match gradient {
                Some(gradient) => gradient.flatten_all(),
                None => self.weights.tensor(*id).zeros_like()?.flatten_all(),
            })
            .collect();
        Ok(Tensor::cat(&flat?, 0)?)
    }

    /// Returns how far it is along `direction` to the least loss, and the point there; nothing where it does not go down.
    fn least(
        &self,
        problem: &Problem<'_>,
        direction: &Tensor,
        step: f64,
    ) -> Result<Option<(f64, Self)>, ReconstructError> {
        let along = |length: f64| self.moved(problem, &(direction * length)?);
        let [near, far] = [along(step)?.loss, along(2.0 * step)?.loss];
        let bend = far - 2.0 * near + self.loss;
        let length = step * (0.5 + (self.loss - near) / bend);
        if bend <= 0.0 || length <= 0.0 {
            return Ok(None);
        }
        let point = along(length)?;
        Ok((point.loss < self.loss).then_some((length, point)))
    }

    fn moved(&self, problem: &Problem<'_>, by: &Tensor) -> Result<Self, ReconstructError> {
        let mut moved = Self {
            params: self.params.clone(),
            weights: self.weights.clone(),
            values: (&self.values + by)?,
            loss: 0.0,
        };
        for (id, tensor) in moved.tensors()? {
            moved.weights.set(id, tensor);
        }
        moved.loss = problem.loss(&moved.weights)?;
        Ok(moved)
    }

    fn tensors(&self) -> candle_core::Result<Vec<(ParamId, Tensor)>> {
        let mut from = 0;
        let tensor = |(id, _): &(ParamId, _)| {
            let shape = self.weights.tensor(*id).shape();
            let flat = self.values.narrow(0, from, shape.elem_count())?;
            from += shape.elem_count();
            Ok((*id, flat.reshape(shape)?))
        };
        self.params.iter().map(tensor).collect()
    }
}

fn dot(a: &Tensor, b: &Tensor) -> candle_core::Result<f64> {
    Ok(f64::from((a * b)?.sum_all()?.to_scalar::<f32>()?))
}

/// Returns a case on the embedded data with a reconstruction that ptsbench knows, 64 calibration images and 500 test images.
pub fn case(reconstruction: &str) -> Result<Case, Box<dyn Error>> {
    let spec = CaseSpec {
        suite: "example".to_owned(),
        task: "classification".to_owned(),
        dataset: "fashion-mnist".to_owned(),
        model: "resnet20".to_owned(),
        weights: "embedded:resnet20-fashion-mnist".to_owned(),
        data: "embedded:fashion-mnist".to_owned(),
        judge: None,
        decoder: None,
        allocator: "erk".to_owned(),
        reconstruction: reconstruction.to_owned(),
        sparsity: 0.8,
        settings: Settings {
            calibration: 64,
            iterations: 20,
            limit: Some(500),
            ..Settings::default()
        },
    };
    Ok(Case::resolve(spec)?)
}

/// Returns such a case with the new solver, on units of a granularity with inputs of a kind: `block-sparse`.
pub fn new_case(units: &str) -> Result<Case, Box<dyn Error>> {
    let old = case(&format!("{units}-none-none"))?;
    let mut link: Link = old.spec.reconstruction.parse()?;
    link.solver = Box::new(ConjugateGradients { iterations: 20 });
    let spec = CaseSpec {
        reconstruction: format!("{units}-none-cg"),
        ..old.spec
    };
    Ok(Case {
        spec,
        reconstruction: Reconstruction::from(vec![link]),
        ..old
    })
}

/// Runs a case, with all that `ptsbench run` would do and record.
pub fn run(case: &Case) -> Result<Record, Box<dyn Error>> {
    let engine = Engine::new(Device::Cpu, None);
    Ok(engine.run(case, Allow::Nothing, &())?.record)
}

fn main() -> Result<(), Box<dyn Error>> {
    for case in [
        case("block-sparse-none-adam(lr=0.003,decay=cosine)")?,
        new_case("block-sparse")?,
    ] {
        let record = run(&case)?;
        println!("{}", record.reconstruction);
        for unit in &record.units {
            let (before, after) = (unit.loss_before, unit.loss_after);
            println!("  {}: loss {before:.4} -> {after:.4}", unit.name);
        }
        for (metric, value) in record.metrics.iter() {
            println!("  {metric} {:.2} -> {:.2}", value.dense, value.sparse);
        }
    }
    Ok(())
}
