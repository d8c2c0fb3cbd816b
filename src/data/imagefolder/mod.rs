//! A folder of images, ImageNet among them: `imagefolder:<dir>`.
//!
//! | in `<dir>` | what it is |
//! | --- | --- |
//! | `calibration/` or `train/` | the calibration images, anywhere below; folders are not read as labels |
//! | `val/<class>/`, `validation/<class>/` or `test/<class>/` | the test images, anywhere below the folder of their class |
//! | `<class>/`, without any of these | the test images; there are none for calibration |
//!
//! The first folder of a row that exists counts. Names that begin with a dot are passed over. A class has the number that its
//! folder's name tells ([`classes`]). Files are told by their extensions and read by their content: JPEG, PNG, WebP, BMP and
//! the PNM formats, as red, green and blue bytes. As with Pillow's `convert("RGB")`, on which published checkpoints were
//! measured, an orientation in the metadata and colour profiles are ignored, and transparency is dropped.
//!
//! Calibration images are in the order of their paths. So are the test images of a class, but classes take turns: the first
//! image of each class, then the second, so that the first images of the split are not all of one class.
//!
//! The fingerprint is of paths and sizes of files, not of their contents, for ImageNet has 150 GB: an image that is replaced
//! by another of the same size goes unnoticed.

mod classes;
mod layout;
mod set;
#[cfg(test)]
mod tests;

use super::files::FolderFormat;
use super::{DataError, Dataset};
use layout::Layout;
use std::path::Path;
use std::sync::Arc;

/// The format `imagefolder`.
pub(super) static IMAGEFOLDER: FolderFormat = FolderFormat {
    name: "imagefolder",
    check: |dir| Layout::locate(dir)?.class_folders().map(|_| ()),
    open,
};

fn open(name: String, dir: &Path) -> Result<Arc<dyn Dataset>, DataError> {
    let layout = Layout::locate(dir)?;
    Ok(Arc::new(set::open(name, &layout)?))
}
