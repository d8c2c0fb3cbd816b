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
        let task = *TASKS.find("classification").unwrap();
        let request = EvaluationRequest {
            limit: Some(expected.images),
            ..EvaluationRequest::default()
        };
        let measured = engine
            .evaluate(&subject, &subject.folded, task, request, &())
            .unwrap();
        let values: Vec<f64> = measured.metrics.iter().map(|(_, value)| *value).collect();
        for (found, expected) in values.iter().zip([expected.top1, expected.top5]) {
            // Half an image: the smallest margin of any image is far above the error of the logits.
            assert!((found - expected).abs() < 0.025, "{}: {found}", peer.model);
        }
    }
}
