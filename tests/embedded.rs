//! The embedded checkpoints give what PyTorch gives on the embedded images; `tests/reference/embedded.py` made the numbers.

use candle_core::{Device, Tensor};
use ptsbench::data::Split;
use ptsbench::pipeline::{Allow, Engine};
use ptsbench::tasks::{EvaluationRequest, TASKS};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    checkpoints: Vec<Peer>,
}

#[derive(Deserialize)]
struct Peer {
    model: String,
    accuracy: Vec<Accuracy>,
    logits: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Accuracy {
    images: usize,
    top1: f64,
    top5: f64,
}

#[test]
fn logits_and_accuracies_equal_the_peers() {
    let text = include_str!("reference/embedded.json");
    let engine = Engine::new(Device::Cpu, None);
    let data = "embedded:fashion-mnist".parse().unwrap();
    for peer in serde_json::from_str::<Reference>(text).unwrap().checkpoints {
        let weights = format!("embedded:{}-fashion-mnist", peer.model)
            .parse()
            .unwrap();
        let model = peer.model.parse().unwrap();
        let subject = engine
            .subject(&model, &weights, Some(&data), Allow::Nothing)
            .unwrap();

        let source = subject.source().unwrap();
        let rows: Vec<usize> = (0..peer.logits.len()).collect();
        let images = source.dataset.images(Split::Test, &rows).unwrap();
        let input = source.preprocess.apply(&images, engine.device()).unwrap();
        let graph = &subject.model.graph;
        let given = [(graph.inputs()[0], input)];
        let outputs = graph
            .run(&subject.weights, &given, graph.outputs())
            .unwrap();
        let found = outputs[0].to_vec2::<f32>().unwrap();
        for (found, expected) in found.iter().flatten().zip(peer.logits.iter().flatten()) {
            let gap = (f64::from(*found) - expected).abs();
            assert!(gap < 1e-4, "{}: {found} instead of {expected}", peer.model);
        }

        let expected = &peer.accuracy[0];
        let task = TASKS.build(&"classification".parse().unwrap()).unwrap();
        let request = EvaluationRequest {
            limit: Some(expected.images),
            ..EvaluationRequest::default()
        };
        let measured = engine
            .evaluate(&subject, &subject.folded, task.as_ref(), request, &())
            .unwrap();
        let values: Vec<f64> = measured.metrics.iter().map(|(_, value)| *value).collect();
        for (found, expected) in values.iter().zip([expected.top1, expected.top5]) {
            // Half an image: the smallest margin of any image is far above the error of the logits.
            assert!((found - expected).abs() < 0.025, "{}: {found}", peer.model);
        }
    }
}

#[derive(Deserialize)]
struct DetectionReference {
    subsets: Vec<std::collections::BTreeMap<String, f64>>,
}

#[test]
fn detections_measure_as_pytorch_and_pycocotools_do() {
    let text = include_str!("reference/embedded_detection.json");
    let reference: DetectionReference = serde_json::from_str(text).unwrap();
    let engine = Engine::new(Device::Cpu, None);
    let weights = "embedded:ssd_resnet20-fashion-mnist-detection";
    let data = "embedded:fashion-mnist-detection".parse().unwrap();
    let model = "ssd_resnet20".parse().unwrap();
    let weights = weights.parse().unwrap();
    let subject = engine
        .subject(&model, &weights, Some(&data), Allow::Nothing)
        .unwrap();
    let task = TASKS.build(&"detection".parse().unwrap()).unwrap();
    let mut expected = reference.subsets[0].clone();
    let request = EvaluationRequest {
        limit: expected.remove("images").map(|images| images as usize),
        ..EvaluationRequest::default()
    };
    let measured = engine
        .evaluate(&subject, &subject.folded, task.as_ref(), request, &())
        .unwrap();
    assert_eq!(expected.len(), 5);
    for (name, expected) in expected {
        let mut metrics = measured.metrics.iter();
        let (_, found) = metrics.find(|(metric, _)| metric.name == name).unwrap();
        // Boxes whose overlap is a threshold's but for rounding may fall on either side of it.
        assert!(
            (found - expected).abs() < 0.02,
            "{name}: {found} instead of {expected}"
        );
    }
}

#[derive(Deserialize)]
struct GenerationReference {
    images: usize,
    steps: Vec<NoiseSeen>,
}

/// What diffusers sees at a time step.
#[derive(Deserialize)]
struct NoiseSeen {
    timestep: f32,
    share: f64,
    noise: Vec<Vec<f64>>,
    error: f64,
}

#[test]
fn the_generator_sees_the_noise_that_diffusers_sees() {
    let text = include_str!("reference/embedded_generation.json");
    let reference: GenerationReference = serde_json::from_str(text).unwrap();
    let engine = Engine::new(Device::Cpu, None);
    let model = "ddpm_micro_28".parse().unwrap();
    let weights = "embedded:ddpm_micro_28-fashion-mnist".parse().unwrap();
    let data = "embedded:fashion-mnist".parse().unwrap();
    let subject = engine
        .subject(&model, &weights, Some(&data), Allow::Nothing)
        .unwrap();
    let source = subject.source().unwrap();
    let rows: Vec<usize> = (0..reference.images).collect();
    let images = source.dataset.images(Split::Test, &rows).unwrap();
    let images = source.preprocess.apply(&images, engine.device()).unwrap();
    let value = |i: usize| 2f64.sqrt() * ((i * i % 1009) as f64).sin();
    let wave: Vec<f32> = (0..images.elem_count()).map(|i| value(i) as f32).collect();
    let wave = Tensor::from_vec(wave, images.shape(), engine.device()).unwrap();
    for peer in reference.steps {
        let noisy = (&images * peer.share.sqrt()).unwrap();
        let noisy = (noisy + (&wave * (1.0 - peer.share).sqrt()).unwrap()).unwrap();
        let times = Tensor::full(peer.timestep, reference.images, engine.device()).unwrap();
        let graph = subject.graph();
        let given = [(graph.inputs()[0], noisy), (graph.inputs()[1], times)];
        let outputs = graph.run(&subject.folded, &given, graph.outputs()).unwrap();
        let first = outputs[0].narrow(0, 0, peer.noise.len()).unwrap();
        let found: Vec<f32> = first.flatten_all().unwrap().to_vec1().unwrap();
        for (found, expected) in found.iter().zip(peer.noise.concat()) {
            let gap = (f64::from(*found) - expected).abs();
            assert!(gap < 1e-4, "step {}: off by {gap}", peer.timestep);
        }
        let error = (&outputs[0] - &wave).unwrap().sqr().unwrap();
        let error = f64::from(error.mean_all().unwrap().to_scalar::<f32>().unwrap());
        assert!(
            (error / peer.error - 1.0).abs() < 1e-3,
            "step {}: {error}",
            peer.timestep
        );
    }
}
