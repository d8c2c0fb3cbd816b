//! A new data format, beside those that are there already.
//!
//! ```sh
//! cargo run --release --example new_data               # the images of Fashion-MNIST in this repository
//! cargo run --release --example new_data -- DIR        # those of another one of the family
//! ```

use candle_core::Device;
use ptsbench::case::{Case, CaseSpec, Settings};
use ptsbench::data::{DataError, Dataset, Format, Idx, Labels, MemoryDataset};
use ptsbench::pipeline::{Allow, Engine, Subject};
use ptsbench::record::Record;
use ptsbench::registry::Named;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The gzipped idx files in which MNIST and its relatives are distributed: `mnist:<dir>`.
#[derive(Debug)]
pub struct Mnist;

const CALIBRATION: [&str; 2] = [
    "train-images-idx3-ubyte.gz",
    "calibration-images-idx3-ubyte.gz",
];
const TEST: [&str; 2] = ["t10k-images-idx3-ubyte.gz", "test-images-idx3-ubyte.gz"];
const LABELS: [&str; 2] = ["t10k-labels-idx1-ubyte.gz", "test-labels-idx1-ubyte.gz"];
const CLASSES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

impl Named for Mnist {
    fn name(&self) -> &'static str {
        "mnist"
    }
}

impl Format for Mnist {
    fn argument(&self) -> &'static str {
        "<dir>"
    }

    fn dataset_name(&self, _argument: &str) -> Result<String, DataError> {
        Ok(self.name().to_owned())
    }

    fn availability(&self, argument: &str) -> Result<(), DataError> {
        let mut files = [CALIBRATION, TEST, LABELS].into_iter();
        files.try_for_each(|names| find(Path::new(argument), names).map(|_| ()))
    }

    fn open(&self, argument: &str) -> Result<Arc<dyn Dataset>, DataError> {
        let calibration: Idx<3> = read(argument, CALIBRATION)?;
        let test: Idx<3> = read(argument, TEST)?;
        let labels: Idx<1> = read(argument, LABELS)?;
        let [_, height, width] = test.dims;
        let labels = labels.values.into_iter().map(u32::from).collect();
        Ok(Arc::new(
            MemoryDataset::new("mnist", [1, height, width], &CLASSES)
                .with_calibration(calibration.values)
                .with_test(test.values, Labels::Classes(labels)),
        ))
    }
}

fn read<const D: usize>(dir: &str, names: [&'static str; 2]) -> Result<Idx<D>, DataError> {
    let path = find(Path::new(dir), names)?;
    match fs::read(&path) {
        Ok(packed) => Idx::decode(&path, &packed),
        Err(source) => Err(DataError::Read { path, source }),
    }
}

fn find(dir: &Path, names: [&'static str; 2]) -> Result<PathBuf, DataError> {
    let mut paths = names.map(|name| dir.join(name)).into_iter();
    paths
        .find(|path| path.is_file())
        .ok_or_else(|| DataError::NoFile {
            path: dir.to_owned(),
            file: names[0],
            expected: "the gzipped idx files of a relative of MNIST",
        })
}

/// Returns a case on data that ptsbench knows: ERK, masks and 500 test images.
pub fn case() -> Result<Case, Box<dyn Error>> {
    let spec = CaseSpec {
        suite: "example".to_owned(),
        task: "classification".to_owned(),
        dataset: "fashion-mnist".to_owned(),
        model: "resnet20".to_owned(),
        weights: "embedded:resnet20-fashion-mnist".to_owned(),
        data: "embedded:fashion-mnist".to_owned(),
        judge: None,
        decoder: None,
        allocator: "erk".to_owned(),
        reconstruction: "single-sparse-weight-none".to_owned(),
        sparsity: 0.6,
        settings: Settings {
            limit: Some(500),
            ..Settings::default()
        },
    };
    Ok(Case::resolve(spec)?)
}

/// Runs the same case on the new data in `dir`, with all that `ptsbench run` would do and record.
pub fn run(dir: &str) -> Result<Record, Box<dyn Error>> {
    let old = case()?;
    let case = Case {
        spec: CaseSpec {
            dataset: Mnist.dataset_name(dir)?,
            data: format!("mnist:{dir}"),
            ..old.spec
        },
        ..old
    };
    let data = Mnist.open(dir)?;
    let engine = Engine::new(Device::Cpu, None);
    let subject = Subject {
        data: Some(data.clone()),
        ..Subject::bind(
            &case.model,
            engine.checkpoint(&case.weights)?,
            data.image_shape(),
            Allow::Nothing,
            engine.device(),
        )?
    };
    Ok(engine.run_on(&case, &subject, &())?.record)
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1);
    let dir = dir.as_deref().unwrap_or("assets/fashion-mnist");
    Mnist.availability(dir)?;
    for (metric, value) in run(dir)?.metrics.iter() {
        println!("{metric} {:.2} -> {:.2}", value.dense, value.sparse);
    }
    Ok(())
}
