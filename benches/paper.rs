//! What the paper's tracks cost: the unit cost of kinds of networks, measured, and what the suites come to with it.
//!
//! `cargo bench --bench paper`. A unit cost is the CPU time of a step of reconstruction, forward and backward through all blocks, for each image
//! and multiplication. Networks have random weights, which take as long as others.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use candle_core::{Device, Tensor};
use ptsbench::case::{Case, CaseSpec, Settings};
use ptsbench::data::{Labels, MemoryDataset};
use ptsbench::models::{self, Model};
use ptsbench::pipeline::{Allow, Engine, Subject};
use ptsbench::suite;
use ptsbench::weights::Checkpoint;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// One network of each kind. It stands for others of its family, the median for those that have none.
const MEASURED: [&str; 8] = [
    "resnet20",
    "mobilenetv2_x1_0",
    "resnet50",
    "densenet121",
    "mobilenetv2_100",
    "efficientnet_b0",
    "convnext_tiny",
    "vit_small_patch16_224",
];

/// Images a step.
const BATCH: usize = 4;

/// Steps of the shorter of the two runs whose difference is taken. The longer one has at least three more, and as many as come to 40 G
/// multiplications, so that the difference is seconds.
const STEPS: usize = 2;

fn main() {
    println!(
        "{:<24} {:>8} {:>20}",
        "network", "GMACs", "ps an image and MAC"
    );
    let mut costs: BTreeMap<&str, f64> = BTreeMap::new();
    let mut families: HashMap<&str, f64> = HashMap::new();
    for name in MEASURED {
        let macs = macs(name);
        let more = ((40e9 / macs) as usize / BATCH).max(3);
        let [few, many] = [STEPS, STEPS + more].map(|steps| seconds(name, steps));
        let cost = 1e12 * (many - few) / (BATCH * more) as f64 / macs;
        println!("{name:<24} {:>8.3} {cost:>20.1}", macs / 1e9);
        costs.insert(name, cost);
        families
            .entry(models::family_of(name).unwrap().name())
            .or_insert(cost);
    }
    let mut sorted: Vec<f64> = costs.values().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let cost_of = |name: &str| {
        let of_family = families.get(models::family_of(name).unwrap().name());
        let cost = costs.get(name).or(of_family);
        *cost.unwrap_or(&median)
    };
    println!(
        "\n{:<30} {:>6} {:>12} {:>12} {:>12}",
        "suite", "cases", "core hours", "dearest case", "evaluation"
    );
    let names = suite::Suites::find("suites".as_ref()).unwrap().names();
    for name in names.into_iter().filter(|name| name.starts_with("paper/")) {
        let suite = suite::load("suites".as_ref(), &[name]).unwrap().remove(0);
        let hours: Vec<[f64; 2]> = suite
            .entries
            .iter()
            .map(|entry| hours(&entry.case, &cost_of))
            .collect();
        let sum = |index: usize| hours.iter().map(|case| case[index]).sum::<f64>();
        let dearest = hours
            .iter()
            .map(|case| case[0] + case[1])
            .fold(0.0, f64::max);
        println!(
            "{:<30} {:>6} {:>12.0} {dearest:>12.1} {:>12.0}",
            suite.name,
            hours.len(),
            sum(0) + sum(1),
            sum(1)
        );
    }
}

/// Returns the core hours of a case for its solver and for its evaluation. A forward is a third of a step.
fn hours(case: &Case, cost_of: &impl Fn(&str) -> f64) -> [f64; 2] {
    let name = &case.model.name;
    let image = cost_of(name) * 1e-12 * macs(name) / 3600.0;
    let settings = &case.spec.settings;
    let solved = case.spec.reconstruction.ends_with("-sgd");
    let trained = if solved {
        settings.iterations * settings.batch_size
    } else {
        0
    };
    [trained as f64 * image, forwards(&case.spec) * image / 3.0]
}

/// Returns how many forwards the evaluation takes.
fn forwards(spec: &CaseSpec) -> f64 {
    let images = match spec.data.split(':').next().unwrap() {
        "cifar10" | "cifar100" => 10_000,
        "imagefolder" => 50_000,
        "coco" => 5_000,
        _ => 0,
    };
    let steps = spec.task.split_once("steps=").map_or(1, |(_, rest)| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
        rest[..digits].parse().unwrap()
    });
    (spec.settings.limit.unwrap_or(images) * steps) as f64
}

fn build(name: &str) -> Model {
    models::build(&name.parse().unwrap()).unwrap()
}

fn macs(name: &str) -> f64 {
    build(name).graph.macs() as f64
}

/// Returns the CPU time of a case with this many steps a block.
fn seconds(name: &str, iterations: usize) -> f64 {
    let model = build(name);
    let graph = &model.graph;
    let input = graph.value(graph.inputs()[0]);
    let shape: [usize; 3] = input.shape.dims().try_into().unwrap();
    let spec = CaseSpec {
        suite: "cost".to_owned(),
        task: "classification".to_owned(),
        dataset: "noise".to_owned(),
        model: name.to_owned(),
        weights: "embedded:resnet20-fashion-mnist".to_owned(),
        data: "embedded:fashion-mnist".to_owned(),
        judge: None,
        decoder: None,
        allocator: "erk".to_owned(),
        reconstruction: "block-sparse-weight+bias-sgd".to_owned(),
        sparsity: 0.7,
        settings: Settings {
            iterations,
            batch_size: BATCH,
            calibration: BATCH,
            limit: Some(1),
            ..Settings::default()
        },
    };
    let case = Case::resolve(spec).unwrap();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    pool.install(|| {
        let engine = Engine::new(Device::Cpu, None);
        let subject = Subject {
            data: Some(Arc::new(noise(shape))),
            ..Subject::bind(
                &case.model,
                Arc::new(checkpoint(&model)),
                Some(shape),
                Allow::Nothing,
                engine.device(),
            )
            .unwrap()
        };
        let start = cpu_seconds();
        engine.run_on(&case, &subject, &()).unwrap();
        cpu_seconds() - start
    })
}

fn noise(shape: [usize; 3]) -> MemoryDataset {
    let classes = vec!["class"; 1000].leak();
    let size: usize = shape.iter().product();
    let pixels = |count: usize| {
        (0..count * size)
            .map(|i| ((i * 2_654_435_761) >> 7) as u8)
            .collect()
    };
    MemoryDataset::new("noise", shape, classes)
        .with_calibration(pixels(BATCH))
        .with_test(pixels(1), Labels::Classes(vec![0]))
}

/// Makes up weights of the scale that keeps activations where they are.
fn checkpoint(model: &Model) -> Checkpoint {
    let device = Device::Cpu;
    let tensor = |name: &str, shape: &[usize]| match shape {
        [_] if name.ends_with("bias") || name.ends_with("mean") => {
            Tensor::zeros(shape, candle_core::DType::F32, &device)
        }
        [_] => Tensor::ones(shape, candle_core::DType::F32, &device),
        _ => {
            let inputs: usize = shape[1..].iter().product();
            Tensor::randn(0_f32, (2.0 / inputs as f32).sqrt(), shape, &device)
        }
    };
    let tensors = model.graph.params().map(|(_, param)| {
        let tensor = tensor(&param.name, &param.shape).unwrap();
        (param.name.clone(), tensor)
    });
    let tensors: HashMap<String, Tensor> = tensors.collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.safetensors");
    candle_core::safetensors::save(&tensors, &path).unwrap();
    Checkpoint::read(&path).unwrap()
}

/// Returns the CPU time that this process has used: user and system, in ticks of a hundredth of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}
