//! The embedded checkpoints give what PyTorch gives on the embedded images; `tests/reference/embedded.py` made the numbers.

use candle_core::Device;
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
        let images = source
            .dataset
            .images(ptsbench::data::Split::Test, &rows)
            .unwrap();
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
