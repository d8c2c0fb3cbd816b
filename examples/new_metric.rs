//! A new metric, beside those that are there already.
//!
//! ```sh
//! cargo run --release --example new_metric
//! ```

use candle_core::Device;
use ptsbench::case::{Case, CaseSpec, Settings};
use ptsbench::metrics::{ClassScores, Compute, Direction, Metric};
use ptsbench::pipeline::{Allow, Engine};
use ptsbench::record::Record;
use ptsbench::tasks::Classification;
use std::error::Error;

/// The accuracy of the class that fares worst: what pruning takes from few classes hardly shows in the mean of all.
pub static WORST_CLASS: Metric = Metric {
    name: "worst-class",
    title: "Worst class",
    unit: "%",
    direction: Direction::HigherIsBetter,
    // About one standard error of a class of 200 images that is right in 80 % of them.
    tolerance: 3.0,
    compute: Compute::Classification(worst_class),
};

/// Returns the least share of images of a class that get the highest score for it; classes without images do not count.
fn worst_class(scores: &ClassScores) -> f64 {
    let mut counts: Vec<[f64; 2]> = Vec::new();
    for (logits, label) in scores.iter() {
        counts.resize(logits.len(), [0.0; 2]);
        let own = logits[label as usize];
        let rivals = logits.iter().filter(|&&logit| logit >= own).count();
        let [right, all] = &mut counts[label as usize];
        // A logit that is not a number has no rivals, not even itself.
        *right += f64::from(rivals == 1);
        *all += 1.0;
    }
    let shares = counts.iter().filter(|[_, all]| *all > 0.0);
    let shares = shares.map(|[right, all]| 100.0 * right / all);
    shares.reduce(f64::min).unwrap_or(f64::NAN)
}

/// Returns a case on the embedded data that measures the new metric besides.
pub fn case(sparsity: f64) -> Result<Case, Box<dyn Error>> {
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
        reconstruction: "none".to_owned(),
        sparsity,
        settings: Settings {
            limit: Some(2000),
            ..Settings::default()
        },
    };
    let plain = Case::resolve(spec)?;
    let spec = CaseSpec {
        task: "classification-by-class".to_owned(),
        ..plain.spec
    };
    Ok(Case {
        spec,
        task: Box::new(Classification::default().with(&WORST_CLASS)),
        ..plain
    })
}

/// Runs a case, with all that `ptsbench run` would do and record.
pub fn run(case: &Case) -> Result<Record, Box<dyn Error>> {
    let engine = Engine::new(Device::Cpu, None);
    Ok(engine.run(case, Allow::Nothing, &())?.record)
}

fn main() -> Result<(), Box<dyn Error>> {
    for sparsity in [0.5, 0.6, 0.7, 0.8] {
        let record = run(&case(sparsity)?)?;
        for metric in ["top1", WORST_CLASS.name] {
            let value = record.metrics.get(metric).ok_or("it was measured")?;
            println!(
                "{sparsity}: {metric} {:.2} -> {:.2}",
                value.dense, value.sparse
            );
        }
    }
    Ok(())
}
