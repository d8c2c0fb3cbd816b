//! Which files there are.

use crate::data::{DataError, Split};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// The extensions of images, in any case.
pub(in crate::data) const EXTENSIONS: [&str; 9] = [
    "jpg", "jpeg", "png", "webp", "bmp", "ppm", "pgm", "pbm", "pnm",
];

/// The images of a split.
#[derive(Debug)]
pub(in crate::data) struct FileList {
    /// The folder that they are in; without images it need not be there.
    pub(in crate::data) root: PathBuf,
    /// Their paths below it.
    pub(in crate::data) files: Vec<PathBuf>,
}

impl FileList {
    /// Lists all images below `root`, sorted; none if there is no such folder.
    pub(in crate::data) fn below(root: PathBuf) -> Result<Self, DataError> {
        let files = if root.is_dir() {
            images(&root)?
        } else {
            Vec::new()
        };
        Ok(Self { root, files })
    }

    /// Returns the path of an image; `split` is for messages.
    pub(in crate::data) fn path(&self, split: Split, index: usize) -> Result<PathBuf, DataError> {
        let file = self.files.get(index).ok_or(DataError::Index {
            split,
            index,
            count: self.files.len(),
        })?;
        Ok(self.root.join(file))
    }

    /// Returns what to do where there are too few.
    pub(in crate::data) fn advice(&self) -> String {
        format!(
            "ask for fewer, or put images (.{}) in `{}`",
            EXTENSIONS.join(", ."),
            self.root.display()
        )
    }

    /// Hashes the path below the folder and the size of each file, and what `more` adds to each.
    pub(in crate::data) fn hash(
        &self,
        hasher: &mut blake3::Hasher,
        more: impl Fn(&mut blake3::Hasher, usize),
    ) {
        hasher.update(&(self.files.len() as u64).to_le_bytes());
        for (index, file) in self.files.iter().enumerate() {
            let parts = file.iter().map(|part| part.to_string_lossy());
            let path = parts.collect::<Vec<_>>().join("/");
            // What has no size cannot be read either.
            let size = fs::metadata(self.root.join(file)).map_or(u64::MAX, |file| file.len());
            hasher.update(&(path.len() as u64).to_le_bytes());
            hasher.update(path.as_bytes());
            hasher.update(&size.to_le_bytes());
            more(hasher, index);
        }
    }
}

/// Returns the paths of all images in a folder and the folders in it, sorted.
///
/// # Errors
/// [`DataError::Read`] for a folder that cannot be read.
pub fn image_files(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let files = images(root)?.into_iter();
    Ok(files.map(|file| root.join(file)).collect())
}

/// Returns the paths of all images below `root`, sorted.
pub(in crate::data) fn images(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    walk(root).collect()
}

/// Finds the paths that [`images`] returns one by one.
pub(in crate::data) fn walk(root: &Path) -> impl Iterator<Item = Result<PathBuf, DataError>> {
    let entries = WalkDir::new(root).follow_links(true).sort_by_file_name();
    let entries = entries
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry));
    entries.filter_map(move |entry| {
        let path = match entry {
            Ok(entry) if entry.file_type().is_dir() => return None,
            Ok(entry) => entry.into_path(),
            Err(error) => match unreadable(error, root) {
                Ok(path) => path,
                Err(error) => return Some(Err(error)),
            },
        };
        let below = path.strip_prefix(root).unwrap_or(&path);
        is_image(&path).then(|| Ok(below.to_owned()))
    })
}

/// Returns the path of a link to nowhere, which is an image that cannot be read if it is called one.
fn unreadable(error: walkdir::Error, root: &Path) -> Result<PathBuf, DataError> {
    let path = error.path().unwrap_or(root).to_owned();
    let source = io::Error::from(error);
    if source.kind() == ErrorKind::NotFound && path != root {
        Ok(path)
    } else {
        Err(DataError::Read { path, source })
    }
}

pub(in crate::data) fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    extension.is_some_and(|found| EXTENSIONS.iter().any(|e| e.eq_ignore_ascii_case(found)))
}
