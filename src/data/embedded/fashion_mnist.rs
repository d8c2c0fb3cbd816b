//! Fashion-MNIST (Xiao, Rasul and Vollgraf, arXiv 1708.07747; MIT licence): 28x28 grey images of ten kinds of clothes.
//!
//! `assets/fashion-mnist` holds 1,024 class-balanced training images for calibration and all 10,000 test images, with the
//! script that packed them. The labels of the calibration images are not compiled in.

use super::Set;
use crate::data::memory::MemoryDataset;
use crate::data::{DataError, Dataset, Idx, Labels};
use std::path::Path;
use std::sync::{Arc, OnceLock};

pub(super) const FASHION_MNIST: Set = Set {
    name: "fashion-mnist",
    open,
};

pub(super) const CLASSES: [&str; 10] = [
    "t-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

/// Decodes one embedded file.
macro_rules! decode {
    ($file:literal) => {
        Idx::decode(
            Path::new(concat!("assets/fashion-mnist/", $file)),
            include_bytes!(concat!("../../../assets/fashion-mnist/", $file)),
        )
    };
}

/// Returns the set, decoded once in a process.
pub(super) fn open() -> Result<Arc<dyn Dataset>, DataError> {
    static DECODED: OnceLock<Arc<MemoryDataset>> = OnceLock::new();
    if let Some(set) = DECODED.get() {
        return Ok(set.clone());
    }
    let set = Arc::new(decode()?);
    Ok(DECODED.get_or_init(|| set).clone())
}

fn decode() -> Result<MemoryDataset, DataError> {
    let calibration: Idx<3> = decode!("calibration-images-idx3-ubyte.gz")?;
    let test: Idx<3> = decode!("test-images-idx3-ubyte.gz")?;
    let labels: Idx<1> = decode!("test-labels-idx1-ubyte.gz")?;
    let [_, height, width] = test.dims;
    let labels = labels.values.into_iter().map(u32::from).collect();
    Ok(
        MemoryDataset::new(FASHION_MNIST.name, [1, height, width], &CLASSES)
            .with_calibration(calibration.values)
            .with_test(test.values, Labels::Classes(labels)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;

    #[test]
    fn the_test_split_is_the_official_one() {
        let set = decode().unwrap();
        assert_eq!(set.image_shape(), Some([1, 28, 28]));
        assert_eq!(set.count(Split::Calibration), 1024);
        assert_eq!(set.count(Split::Test), 10_000);
        let classes = set.test_labels().classes().unwrap();
        // The labels of the first images of the official `t10k-labels-idx1-ubyte.gz`, and 1,000 images a class.
        assert_eq!(classes[..10], [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]);
        for class in 0..10 {
            let members = classes.iter().filter(|&&c| c == class).count();
            assert_eq!(members, 1000, "class {class}");
        }
    }

    #[test]
    fn opening_twice_shares_the_images() {
        assert!(Arc::ptr_eq(&open().unwrap(), &open().unwrap()));
    }
}
