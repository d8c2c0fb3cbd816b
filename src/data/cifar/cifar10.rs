//! CIFAR-10: ten classes, 10,000 images a file.

use super::Cifar;

pub(in crate::data) static CIFAR10: Cifar = Cifar {
    name: "cifar10",
    distribution: "the binary version of CIFAR-10 (`cifar-10-binary.tar.gz`)",
    folder: "cifar-10-batches-bin",
    calibration: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    labels: 1,
    classes: &CLASSES,
};

const CLASSES: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];
