//! How data is named on the command line and in suites.

use super::{DataError, Dataset, FORMATS};
use crate::registry::Named;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A way of storing data: the entry of a format in [`FORMATS`].
pub trait Format: Named + fmt::Debug + Sync {
    /// Returns what users write after the colon, for help and messages: `<dir>`.
    fn argument(&self) -> &'static str;

    /// Returns the name that [`Dataset::name`] would give, without touching the disk.
    ///
    /// # Errors
    /// The argument is one that the format can never read.
    fn dataset_name(&self, argument: &str) -> Result<String, DataError>;

    /// Checks that the data is there, without reading it.
    ///
    /// # Errors
    /// What is missing, and where it was looked for.
    fn availability(&self, argument: &str) -> Result<(), DataError>;

    /// Opens the data.
    ///
    /// # Errors
    /// What is missing or malformed.
    fn open(&self, argument: &str) -> Result<Arc<dyn Dataset>, DataError>;
}

/// Data as typed: `<format>:<argument>`, for example `embedded:fashion-mnist` or `cifar10:<dir>`.
///
/// Its format is known, but whether the data exists is not settled before [`Self::availability`] or [`Self::open`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DataSpec {
    format: String,
    argument: String,
    dataset: String,
}

impl DataSpec {
    /// Returns the name of the data set, as it stands in case ids: `cifar10`.
    pub fn dataset_name(&self) -> &str {
        &self.dataset
    }

    /// Checks that the data is there, without reading it.
    ///
    /// # Errors
    /// What is missing; its message is the reason to show beside an ignored case.
    pub fn availability(&self) -> Result<(), DataError> {
        FORMATS.find(&self.format)?.availability(&self.argument)
    }

    /// Opens the data set.
    ///
    /// # Errors
    /// What is missing or malformed, naming the file, what it holds and what was expected.
    pub fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        FORMATS.find(&self.format)?.open(&self.argument)
    }
}

impl FromStr for DataSpec {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let (format, argument) = text.split_once(':').unwrap_or((text, ""));
        let format = FORMATS.find(format)?;
        if argument.is_empty() {
            return Err(DataError::NoArgument {
                format: format.name(),
                argument: format.argument(),
            });
        }
        Ok(Self {
            format: format.name().to_owned(),
            argument: argument.to_owned(),
            dataset: format.dataset_name(argument)?,
        })
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.format, self.argument)
    }
}

impl TryFrom<String> for DataSpec {
    type Error = DataError;

    fn try_from(text: String) -> Result<Self, DataError> {
        text.parse()
    }
}

impl From<DataSpec> for String {
    fn from(spec: DataSpec) -> Self {
        spec.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_read_and_written_back() {
        for (text, name) in [
            ("embedded:fashion-mnist", "fashion-mnist"),
            ("cifar10:/data/cifar", "cifar10"),
            ("cifar100:C:\\data", "cifar100"),
        ] {
            let spec: DataSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
            assert_eq!(spec.dataset_name(), name);
            let json = serde_json::to_string(&spec).unwrap();
            assert_eq!(serde_json::from_str::<DataSpec>(&json).unwrap(), spec);
        }
    }

    #[test]
    fn bad_specs_say_why() {
        for (text, message) in [
            (
                "cifar-10:/data",
                "unknown data format `cifar-10`, did you mean `cifar10`, `cifar100`?",
            ),
            (
                "embedded:fashion-minst",
                "unknown embedded data set `fashion-minst`, did you mean `fashion-mnist`, `fashion-mnist-detection`?",
            ),
            (
                "cifar10",
                "`cifar10` says nothing about where the data is, write `cifar10:<dir>`",
            ),
            (
                "embedded:",
                "`embedded` says nothing about where the data is, write `embedded:<name>`",
            ),
        ] {
            let error = text.parse::<DataSpec>().unwrap_err();
            assert_eq!(error.to_string(), message, "{text}");
        }
    }
}
