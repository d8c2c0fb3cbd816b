//! Data inside the executable, so that the default suite needs no download: `embedded:<name>`.

mod fashion_mnist;
mod fashion_mnist_detection;

use super::{DataError, Dataset, Format};
use crate::registry::{Named, Registry};
use std::sync::Arc;

/// The data sets inside the executable.
static SETS: Registry<Set> = Registry::new(
    "embedded data set",
    &[
        fashion_mnist::FASHION_MNIST,
        fashion_mnist_detection::FASHION_MNIST_DETECTION,
    ],
);

/// A data set inside the executable.
#[derive(Debug)]
struct Set {
    name: &'static str,
    open: fn() -> Result<Arc<dyn Dataset>, DataError>,
}

impl Named for Set {
    fn name(&self) -> &str {
        self.name
    }
}

/// The format `embedded`.
#[derive(Debug)]
pub(super) struct Embedded;

impl Named for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }
}

impl Format for Embedded {
    fn argument(&self) -> &'static str {
        "<name>"
    }

    fn dataset_name(&self, argument: &str) -> Result<String, DataError> {
        Ok(SETS.find(argument)?.name.to_owned())
    }

    fn availability(&self, argument: &str) -> Result<(), DataError> {
        SETS.find(argument)?;
        Ok(())
    }

    fn open(&self, argument: &str) -> Result<Arc<dyn Dataset>, DataError> {
        (SETS.find(argument)?.open)()
    }
}
