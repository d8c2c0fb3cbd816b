//! A new error correction, beside those that are there already.
//!
//! ```sh
//! cargo run --release --example new_correction
//! ```

use candle_core::Tensor;
use ptsbench::case::{Case, CaseSpec, Settings};
use ptsbench::pipeline::{Allow, Engine, Outcome};
use ptsbench::reconstruct::correction::{Correction, LayerState, Step};
use ptsbench::reconstruct::{Link, ReconstructError, Reconstruction};
use std::error::Error;

/// Makes the weights of each output channel as long as they were.
pub static LENGTH: Correction = Correction::new(
    "length",
    "restores the Euclidean norm of each output channel's weights",
    &[Step {
        needs_activations: false,
        apply: lengthen,
    }],
);

fn lengthen(state: &mut LayerState<'_>) -> Result<(), ReconstructError> {
    let (dense, sparse) = (lengths(state.dense_weight())?, lengths(&state.weight)?);
    // A channel with nothing left stays so.
    let scale = sparse
        .gt(0.0)?
        .where_cond(&(dense / &sparse)?, &sparse.ones_like()?)?;
    state.weight = state.weight.broadcast_mul(&scale)?;
    Ok(())
}

/// Returns the norm of each output channel, in the shape `[out, 1, ...]`.
fn lengths(weight: &Tensor) -> candle_core::Result<Tensor> {
    let rest: Vec<usize> = (1..weight.rank()).collect();
    weight.sqr()?.sum_keepdim(rest)?.sqrt()
}

/// Returns a case on the embedded data: ERK, masks, a correction that ptsbench knows and 500 test images.
pub fn case(correction: &str, sparsity: f64) -> Result<Case, Box<dyn Error>> {
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
        reconstruction: format!("single-sparse-{correction}-none"),
        sparsity,
        settings: Settings {
            limit: Some(500),
            ..Settings::default()
        },
    };
    Ok(Case::resolve(spec)?)
}

/// Returns the same case with the new correction in the place of the old one.
pub fn new_case(sparsity: f64) -> Result<Case, Box<dyn Error>> {
    let old = case("none", sparsity)?;
    let spec = CaseSpec {
        reconstruction: "single-sparse-length-none".to_owned(),
        ..old.spec
    };
    let mut link: Link = "single-sparse-none-none".parse()?;
    link.correction = &LENGTH;
    Ok(Case {
        spec,
        reconstruction: Reconstruction::from(vec![link]),
        ..old
    })
}

/// Runs a case; with the record comes the sparse checkpoint.
pub fn run(case: &Case) -> Result<Outcome, Box<dyn Error>> {
    let engine = Engine::new(candle_core::Device::Cpu, None);
    Ok(engine.run(case, Allow::Nothing, &())?)
}

fn main() -> Result<(), Box<dyn Error>> {
    for sparsity in [0.5, 0.6, 0.7] {
        let cases = [
            case("none", sparsity)?,
            case("weight", sparsity)?,
            new_case(sparsity)?,
        ];
        for case in &cases {
            let record = run(case)?.record;
            for (metric, value) in record.metrics.iter() {
                let (technique, sparse) = (&record.reconstruction, value.sparse);
                println!(
                    "{sparsity}: {technique}: {metric} {:.2} -> {sparse:.2}",
                    value.dense
                );
            }
        }
    }
    Ok(())
}
