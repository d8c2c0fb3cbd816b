//! Formats whose argument is a folder.

use super::name_of;
use crate::data::{DataError, Dataset, Format};
use crate::registry::Named;
use std::path::Path;
use std::sync::Arc;

/// Opens a folder as a data set of some name.
type Open = fn(String, &Path) -> Result<Arc<dyn Dataset>, DataError>;

/// A format of folders, which are data sets of their names.
#[derive(Debug)]
pub(in crate::data) struct FolderFormat {
    pub(in crate::data) name: &'static str,
    /// Says what is missing in a folder, without reading it.
    pub(in crate::data) check: fn(&Path) -> Result<(), DataError>,
    pub(in crate::data) open: Open,
}

impl Named for FolderFormat {
    fn name(&self) -> &str {
        self.name
    }
}

impl Format for FolderFormat {
    fn argument(&self) -> &'static str {
        "<dir>"
    }

    fn dataset_name(&self, argument: &str) -> Result<String, DataError> {
        Ok(name_of(argument, self.name))
    }

    fn availability(&self, argument: &str) -> Result<(), DataError> {
        (self.check)(Path::new(argument))
    }

    fn open(&self, argument: &str) -> Result<Arc<dyn Dataset>, DataError> {
        (self.open)(self.dataset_name(argument)?, Path::new(argument))
    }
}
