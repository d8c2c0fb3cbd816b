//! A new allocator, beside one that is there already.
//!
//! ```sh
//! cargo run --release --example new_allocator
//! ```

use candle_core::Device;
use ptsbench::allocate::{AllocateError, Allocator, Context, Rates};
use ptsbench::case::{Case, CaseSpec, Settings};
use ptsbench::pipeline::{Allow, Engine};
use ptsbench::record::Record;
use std::error::Error;

/// Larger layers are pruned more: rates are proportional to the logarithm of a layer's size, as far as that goes.
#[derive(Debug)]
pub struct LargerFirst;

impl Allocator for LargerFirst {
    fn rates(&self, context: Context<'_>) -> Result<Rates, AllocateError> {
        let layers = context.layers.iter();
        let sizes: Vec<f64> = layers.map(|layer| layer.weights.len() as f64).collect();
        let rate = |size: f64, factor: f64| (factor * size.ln()).min(1.0);
        let pruned = |factor| sizes.iter().map(|&n| n * rate(n, factor)).sum::<f64>();
        let target = context.target * sizes.iter().sum::<f64>();
        let (mut low, mut high) = (0.0, 2.0);
        for _ in 0..60 {
            let factor = f64::midpoint(low, high);
            if pruned(factor) < target {
                low = factor;
            } else {
                high = factor;
            }
        }
        let rates: Vec<f64> = sizes.iter().map(|&n| rate(n, high)).collect();
        Ok(rates.into())
    }
}

/// Returns a case on the embedded data: an allocator that ptsbench knows, then masks, one correction and 500 test images.
pub fn case(allocator: &str) -> Result<Case, Box<dyn Error>> {
    let spec = CaseSpec {
        suite: "example".to_owned(),
        task: "classification".to_owned(),
        dataset: "fashion-mnist".to_owned(),
        model: "resnet20".to_owned(),
        weights: "embedded:resnet20-fashion-mnist".to_owned(),
        data: "embedded:fashion-mnist".to_owned(),
        judge: None,
        decoder: None,
        allocator: allocator.to_owned(),
        reconstruction: "single-sparse-weight-none".to_owned(),
        sparsity: 0.7,
        settings: Settings {
            limit: Some(500),
            ..Settings::default()
        },
    };
    Ok(Case::resolve(spec)?)
}

/// Returns the same case with the new allocator in the place of the old one.
pub fn new_case() -> Result<Case, Box<dyn Error>> {
    let old = case("uniform")?;
    let spec = CaseSpec {
        allocator: "larger-first".to_owned(),
        ..old.spec
    };
    Ok(Case {
        spec,
        allocator: Box::new(LargerFirst),
        ..old
    })
}

/// Runs a case, with all that `ptsbench run` would do and record.
pub fn run(case: &Case) -> Result<Record, Box<dyn Error>> {
    let engine = Engine::new(Device::Cpu, None);
    Ok(engine.run(case, Allow::Nothing, &())?.record)
}

fn main() -> Result<(), Box<dyn Error>> {
    for case in [case("uniform")?, case("erk")?, new_case()?] {
        let record = run(&case)?;
        let pruned = 100.0 * record.sparsity.achieved;
        for (metric, value) in record.metrics.iter() {
            println!(
                "{}: {metric} {:.2} -> {:.2} at {pruned:.2} %",
                record.allocator, value.dense, value.sparse
            );
        }
    }
    Ok(())
}
