//! Numbers that leave their range, and as few images as there can be.

use super::{DATA, SUBJECT, json, text};
use tempfile::TempDir;

fn record(reconstruction: &str, calibration: &str) -> serde_json::Value {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("sparse.safetensors");
    let mut arguments = vec!["sparsify", "--output", text(&output), "--format", "json"];
    arguments.extend([
        "--reconstruction",
        reconstruction,
        "--calibration",
        calibration,
    ]);
    arguments.extend(["--allocator", "erk", "--sparsity", "0.5", "--limit", "100"]);
    arguments.extend(["--iterations", "8"]);
    arguments.extend(SUBJECT);
    arguments.extend(DATA);
    json(&arguments)
}

#[test]
fn a_descent_that_diverges_is_noted_and_harms_nothing() {
    let diverged = record("block-sparse-none-sgd(lr=1e30)", "16");
    let note = diverged["notes"][0].as_str().unwrap();
    let expected = "units whose descent diverged, at their best until then: ";
    assert!(note.starts_with(expected), "{note}");
    let masked = record("none", "16");
    assert_eq!(diverged["metrics"], masked["metrics"]);
    assert_eq!(masked["notes"].as_array().unwrap().len(), 0);
}

#[test]
fn one_calibration_image_is_enough_to_go_on() {
    for reconstruction in ["block-sparse-weight+bias-adam", "single-sparse-none-exact"] {
        let record = record(reconstruction, "1");
        for unit in record["units"].as_array().unwrap() {
            let loss = |field: &str| unit[field].as_f64().unwrap();
            assert!(loss("loss_after") <= loss("loss_before"), "{unit}");
        }
    }
}
