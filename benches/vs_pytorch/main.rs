//! Our side of the comparison with PyTorch: computes what `run.py` asks for. A request is a line of JSON; the answer is the
//! seconds that it took, or `error: ` and why it cannot be done.
//!
//! `run.py` times the same work in PyTorch between two requests, so that both see the same state of the machine.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use candle_core::{Device, Tensor};
use ptsbench::graph::{BatchNormFolding, Graph, Plan, Weights};
use ptsbench::kernels::{Clamp, Convolution, Wanted, conv2d, conv2d_gradients};
use ptsbench::models;
use serde::Deserialize;
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Instant;

/// Something to compute.
#[derive(Deserialize)]
#[serde(tag = "work", rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    /// A convolution with padding `kernel / 2`, of whose weights a share `density` is not zero, and the gradients of its weight
    /// or of both operands.
    Conv {
        input: [usize; 4],
        weight: [usize; 4],
        stride: usize,
        groups: usize,
        density: f64,
        gradients: Gradients,
    },
    /// A network without its batch norms, on a number of batches.
    Model {
        model: String,
        input: [usize; 4],
        batches: usize,
    },
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Gradients {
    None,
    Weight,
    Both,
}

type Work = Box<dyn Fn() + Send + Sync>;

fn noise(dims: &[usize], scale: f64) -> Tensor {
    Tensor::randn(0.0, scale, dims, &Device::Cpu)
        .unwrap()
        .to_dtype(candle_core::DType::F32)
        .unwrap()
}

/// Makes all that the work needs, or says why it cannot be done.
fn prepare(request: Request) -> Result<Work, String> {
    match request {
        Request::Conv {
            input,
            weight,
            stride,
            groups,
            density,
            gradients,
        } => {
            let attributes = Convolution {
                stride: [stride; 2],
                padding: [weight[2] / 2; 2],
                dilation: [1; 2],
                groups,
            };
            Ok(conv(&input, &weight, attributes, density, gradients))
        }
        Request::Model {
            model,
            input,
            batches,
        } => network(&model, &input, batches),
    }
}

fn conv(
    input: &[usize],
    weight: &[usize],
    attributes: Convolution,
    density: f64,
    gradients: Gradients,
) -> Work {
    let x = noise(input, 1.0);
    let same = x.clone();
    let mask = Tensor::rand(0f32, 1f32, weight, &Device::Cpu).unwrap();
    let mask = mask.lt(density).unwrap();
    let mask = mask.to_dtype(candle_core::DType::F32).unwrap();
    let w = (noise(weight, 0.1) * &mask).unwrap();
    let forward = move |w: &Tensor| conv2d(&same, w, None, attributes, Clamp::NONE).unwrap();
    // From a gradient of ones, as on the other side.
    let seed = forward(&w).ones_like().unwrap();
    Box::new(move || {
        drop(forward(&w));
        if gradients != Gradients::None {
            let of_x = if gradients == Gradients::Both {
                Wanted::All
            } else {
                Wanted::No
            };
            let of_w = if density < 1.0 {
                Wanted::Where(&mask)
            } else {
                Wanted::All
            };
            let wanted = [of_x, of_w, Wanted::No];
            drop(conv2d_gradients([&x, &w], &seed, attributes, wanted).unwrap());
        }
    })
}

fn network(name: &str, input: &[usize], batches: usize) -> Result<Work, String> {
    let spec = name.parse().unwrap();
    let model = models::build(&spec).map_err(|error| error.to_string())?;
    let graph = model.graph;
    let tensors = graph
        .params()
        .map(|(_, param)| noise(&param.shape, 0.05).abs().unwrap())
        .collect();
    let weights = Weights::new(&graph, tensors).unwrap();
    let folding = BatchNormFolding::of(&graph);
    let weights = folding.fold(&weights).unwrap();
    let graph: Graph = folding.graph().clone();
    let plan: Plan = graph.plan(graph.inputs(), graph.outputs()).unwrap();
    let input = noise(input, 1.0);
    Ok(Box::new(move || {
        for _ in 0..batches {
            plan.run(&graph, &weights, std::slice::from_ref(&input))
                .unwrap();
        }
    }))
}

fn main() {
    let mut prepared: HashMap<String, Result<Work, String>> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let work = prepared
            .entry(line)
            .or_insert_with_key(|line| prepare(serde_json::from_str(line).unwrap()));
        match work {
            Ok(work) => {
                // Among the threads, as cases are: from outside, each operation would wake one and wait for it.
                let seconds = rayon::scope(|_| {
                    let start = Instant::now();
                    work();
                    start.elapsed().as_secs_f64()
                });
                println!("{seconds}");
            }
            Err(why) => println!("error: {why}"),
        }
        std::io::stdout().flush().unwrap();
    }
}
