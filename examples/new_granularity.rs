//! A new granularity, beside those that are there already.
//!
//! ```sh
//! cargo run --release --example new_granularity
//! ```

use candle_core::Device;
use ptsbench::case::{Case, CaseSpec, Settings};
use ptsbench::graph::{GRANULARITIES, Granularity, Graph, NodeId, Unit};
use ptsbench::pipeline::{Allow, Engine};
use ptsbench::reconstruct::{Link, Reconstruction};
use ptsbench::record::Record;
use std::error::Error;

/// Two blocks at a time: errors that the second can make good need not be avoided in the first.
pub static PAIR: Granularity = Granularity::new("pair", "two consecutive blocks", pairs);

fn pairs(graph: &Graph) -> Vec<Unit> {
    let block = GRANULARITIES.find("block").expect("blocks are registered");
    let pair = |blocks: &[Unit]| {
        let nodes = blocks.iter().flat_map(|block| block.nodes.iter().copied());
        let mut nodes: Vec<NodeId> = nodes.collect();
        nodes.sort_unstable();
        Unit::of(graph, nodes)
    };
    block.units(graph).chunks(2).map(pair).collect()
}

/// Returns a case on the embedded data with a granularity that ptsbench knows, 64 calibration images and 500 test images.
pub fn case(granularity: &str) -> Result<Case, Box<dyn Error>> {
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
        reconstruction: format!("{granularity}-sparse-none-adam(lr=0.003,decay=cosine)"),
        sparsity: 0.9,
        settings: Settings {
            iterations: 40,
            calibration: 64,
            limit: Some(500),
            ..Settings::default()
        },
    };
    Ok(Case::resolve(spec)?)
}

/// Returns the same case with the new granularity.
pub fn new_case() -> Result<Case, Box<dyn Error>> {
    let old = case("block")?;
    let mut link: Link = old.spec.reconstruction.parse()?;
    link.granularity = &PAIR;
    let spec = CaseSpec {
        reconstruction: old.spec.reconstruction.replace("block", "pair"),
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
    for case in [case("layer")?, case("block")?, new_case()?, case("stage")?] {
        let record = run(&case)?;
        let (technique, units) = (&record.reconstruction, record.units.len());
        for (metric, value) in record.metrics.iter() {
            let (dense, sparse) = (value.dense, value.sparse);
            println!("{technique}: {units} units, {metric} {dense:.2} -> {sparse:.2}");
        }
    }
    Ok(())
}
