//! Everything that is read from outside, as functions of bytes: the fuzz targets of `fuzz/`, and what `tests/corpus.rs` replays.
//!
//! It is public for these two, and no part of the library's interface. A target takes any bytes without a panic, and without more memory or
//! time than inputs of its size are worth; some check besides that what was read can be written and read again.

use crate::allocate::ALLOCATORS;
use crate::data::DataSpec;
use crate::metrics::{Array, Statistics};
use crate::models;
use crate::reconstruct::Reconstruction;
use crate::record::{Record, RunSummary, case_path};
use crate::registry::Spec;
use crate::suite::Suite;
use crate::tasks::TASKS;
use crate::weights::{self, AllowUnused, Checkpoint, Expected, WeightsSpec};
use std::io::Cursor;

pub use crate::data::outside::{cifar, coco, idx, image, preprocess, voc, yolo};

/// A function that reads bytes.
pub type Target = fn(&[u8]);

/// Every target by name, which is that of its file in `fuzz/fuzz_targets` and of its folder in `fuzz/corpus`.
pub static TARGETS: [(&str, Target); 16] = [
    ("checkpoint", checkpoint),
    ("pickle", pickle),
    ("safetensors", safetensors),
    ("config", config),
    ("preprocess", preprocess),
    ("cifar", cifar),
    ("idx", idx),
    ("image", image),
    ("voc", voc),
    ("coco", coco),
    ("yolo", yolo),
    ("npz", npz),
    ("suite", suite),
    ("spec", spec),
    ("model", model),
    ("record", record),
];

/// Reads a checkpoint of any format.
pub fn checkpoint(bytes: &[u8]) {
    let _ = Checkpoint::from_bytes("file", bytes);
}

/// Reads a state dict that is pickled, without a container around it.
pub fn pickle(bytes: &[u8]) {
    let _ = weights::decode_object(bytes);
}

/// Reads safetensors, and binds them to parameters.
pub fn safetensors(bytes: &[u8]) {
    let Ok(checkpoint) = Checkpoint::from_bytes("file", bytes) else {
        return;
    };
    let expected = [
        Expected::new("weight", &[2, 3]),
        Expected::new("bias", &[2]),
    ];
    let unused = AllowUnused::Declared(&["aux"]);
    if let Ok(bound) = weights::bind(&expected, &[], &checkpoint, unused) {
        for (tensor, want) in bound.tensors.iter().zip(expected) {
            assert_eq!(tensor.dims(), want.shape);
        }
    }
}

/// Reads what publishers say of a checkpoint beside it.
pub fn config(bytes: &[u8]) {
    weights::read_index(bytes);
    let written = str::from_utf8(bytes).ok().and_then(weights::read_config);
    if let Some(written) = written {
        preprocess(written.as_bytes());
    }
}

/// Reads `NumPy`'s archives, and single arrays.
pub fn npz(bytes: &[u8]) {
    let _ = Statistics::parse(Cursor::new(bytes));
    let _ = Array::read(&mut &bytes[..]);
}

/// Reads a suite, and resolves its cases.
pub fn suite(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    // Whether data and weights are there is asked of the disk, which is no part of the input.
    if text.contains(['/', '\\']) || text.contains(":.") {
        return;
    }
    let _ = Suite::parse("fuzz", text, &|_| None);
}

/// Reads specs of every kind; what is read is written in a form that is read as the same.
pub fn spec(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(spec) = text.parse::<Spec>() {
        let again: Spec = spec.to_string().parse().expect("it was written");
        assert_eq!(again, spec);
        let _ = ALLOCATORS.build(&spec);
        let _ = TASKS.build(&spec);
    }
    if let Ok(reconstruction) = text.parse::<Reconstruction>() {
        let written = reconstruction.to_string();
        let again: Reconstruction = written.parse().expect("it was written");
        assert_eq!(again.to_string(), written);
    }
    if let Ok(spec) = text.parse::<DataSpec>() {
        assert_eq!(spec.to_string().parse::<DataSpec>().ok(), Some(spec));
    }
    if let Ok(spec) = text.parse::<WeightsSpec>() {
        assert_eq!(spec.to_string().parse::<WeightsSpec>().ok(), Some(spec));
    }
    let _ = case_path(text);
}

/// Builds the model that a spec names.
pub fn model(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(spec) = text.parse() {
        let _ = models::build(&spec);
    }
}

/// Reads a record and what a run leaves besides; a record that is read is written as one that is written the same.
pub fn record(bytes: &[u8]) {
    if let Ok(record) = Record::parse(bytes) {
        let write = |record: &Record| serde_json::to_vec(record).expect("a record is JSON");
        let written = write(&record);
        let again = Record::parse(&written).expect("it was written");
        assert_eq!(write(&again), written);
        let _ = case_path(&record.case);
    }
    let _ = serde_json::from_slice::<RunSummary>(bytes);
}
