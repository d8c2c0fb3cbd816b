//! What formats have in common whose images are files of their own.

mod boxed;
mod decode;
mod format;
mod listing;
mod plain;
#[cfg(test)]
pub(super) mod testing;

pub(super) use boxed::{BoxedFiles, Parts, Thing, Truth};
pub(super) use decode::{decode, read_bytes, size};
pub(super) use format::FolderFormat;
pub use listing::image_files;
pub(super) use listing::{EXTENSIONS, FileList, images, is_hidden, walk};
pub(super) use plain::PlainFiles;

use super::DataError;
use std::fs;
use std::path::{Component, Path};

/// Returns the last component of a path, fit for the id of a case; `otherwise` where it has no letters or digits.
fn name_of(argument: &str, otherwise: &str) -> String {
    let last = Path::new(argument).file_name().unwrap_or_default();
    let fit = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => c,
        _ => '-',
    };
    let name: String = last.to_string_lossy().chars().map(fit).collect();
    if name.contains(|c: char| c.is_ascii_alphanumeric()) {
        name
    } else {
        otherwise.to_owned()
    }
}

/// Reads a file without which the data set cannot be used.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    fs::read(path).map_err(|source| DataError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Checks that a name which the list `path` has does not lead out of the folder of the images.
pub(super) fn check_name(path: &Path, name: &Path) -> Result<(), DataError> {
    let below = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if name.components().all(below) {
        return Ok(());
    }
    Err(DataError::Elsewhere {
        path: path.to_owned(),
        name: name.display().to_string(),
    })
}

/// Hashes the bytes of a file, or that it cannot be read.
pub(super) fn hash_bytes(hasher: &mut blake3::Hasher, bytes: Option<&[u8]>) {
    let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
    hasher.update(&length.to_le_bytes());
    hasher.update(bytes.unwrap_or_default());
}
