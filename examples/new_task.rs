//! A new task, beside those that are there already.
//!
//! ```sh
//! cargo run --release --example new_task
//! ```

use candle_core::{D, Device, Tensor};
use ptsbench::case::{Case, CaseSpec, Settings};
use ptsbench::metrics::{ClassScores, METRICS};
use ptsbench::pipeline::{Allow, Engine};
use ptsbench::progress::Progress;
use ptsbench::record::Record;
use ptsbench::tasks::{
    Evaluation, EvaluationRequest, Network, Source, Task, TaskError, TestImages,
};
use std::error::Error;

/// Which kind of class an image is of: what a network that mistakes a shirt for a coat still knows.
#[derive(Debug, Clone, Copy)]
pub struct Kinds {
    /// The classes of each kind.
    pub kinds: &'static [&'static [u32]],
}

/// Tops, trousers, shoes and bags of Fashion-MNIST.
pub const GARMENTS: Kinds = Kinds {
    kinds: &[&[0, 2, 3, 4, 6], &[1], &[5, 7, 9], &[8]],
};

impl Task for Kinds {
    fn name(&self) -> &'static str {
        "kinds"
    }

    fn evaluate(
        &self,
        network: Network<'_>,
        source: Source<'_>,
        request: EvaluationRequest<'_>,
        progress: &dyn Progress,
    ) -> Result<Evaluation, TaskError> {
        let classes = source.dataset.test_labels().classes();
        let classes = classes.ok_or_else(|| TaskError::Labels {
            task: self.name(),
            expected: "a class for each image",
            dataset: source.dataset.name().to_owned(),
        })?;
        let images = TestImages::new(network, source, request)?;
        let mut scores = ClassScores::new(self.kinds.len());
        let skipped = images.run(network.graph.outputs(), progress, |batch, outputs| {
            let kinds: Vec<u32> = batch
                .indices
                .iter()
                .map(|&image| self.kind_of(classes[image]))
                .collect();
            Ok(scores.push(&self.best(&outputs[0])?, &kinds)?)
        })?;
        let top1 = METRICS.find("top1").expect("top-1 is registered");
        let compute = top1.compute.classification().expect("it is of scores");
        Ok(images.evaluation(skipped, vec![(top1, compute(&scores))]))
    }
}

impl Kinds {
    fn kind_of(&self, class: u32) -> u32 {
        let kind = self.kinds.iter().position(|kind| kind.contains(&class));
        kind.expect("every class is of a kind") as u32
    }

    /// Returns the best score of each kind, `[n, kinds]`, of the scores `[n, classes]`.
    fn best(&self, scores: &Tensor) -> candle_core::Result<Tensor> {
        let best = |kind: &&[u32]| {
            let classes = Tensor::new(*kind, scores.device())?;
            scores.index_select(&classes, 1)?.max(D::Minus1)
        };
        let best: candle_core::Result<Vec<Tensor>> = self.kinds.iter().map(best).collect();
        Tensor::stack(&best?, 1)
    }
}

/// Returns a case on the embedded data: a task that ptsbench knows, ERK, masks and 500 test images.
pub fn case(task: &str, sparsity: f64) -> Result<Case, Box<dyn Error>> {
    let spec = CaseSpec {
        suite: "example".to_owned(),
        task: task.to_owned(),
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
            limit: Some(500),
            ..Settings::default()
        },
    };
    Ok(Case::resolve(spec)?)
}

/// Returns the same case with the new task in the place of the old one.
pub fn new_case(sparsity: f64) -> Result<Case, Box<dyn Error>> {
    let old = case("classification", sparsity)?;
    let spec = CaseSpec {
        task: "kinds".to_owned(),
        ..old.spec
    };
    Ok(Case {
        spec,
        task: Box::new(GARMENTS),
        ..old
    })
}

/// Runs a case, with all that `ptsbench run` would do and record.
pub fn run(case: &Case) -> Result<Record, Box<dyn Error>> {
    let engine = Engine::new(Device::Cpu, None);
    Ok(engine.run(case, Allow::Nothing, &())?.record)
}

fn main() -> Result<(), Box<dyn Error>> {
    for sparsity in [0.7, 0.8, 0.9] {
        for case in [case("classification", sparsity)?, new_case(sparsity)?] {
            let record = run(&case)?;
            let (metric, value) = record.metrics.first().ok_or("something was measured")?;
            let (task, dense, sparse) = (&record.task, value.dense, value.sparse);
            println!("{sparsity}: {task}: {metric} {dense:.2} -> {sparse:.2}");
        }
    }
    Ok(())
}
