//! One run at a time in a folder of results.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file that is locked, in the folder; it stays there.
const FILE: &str = ".lock";

/// A folder in which no other run works while this value lives. The system ends it with the process, however that ends.
///
/// Cases as tests take none: nextest runs each as a process of its own in the same folder.
#[derive(Debug)]
pub struct Lock {
    folder: PathBuf,
    file: File,
}

/// A folder that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run works there.
    #[error("another run works in `{}`{}; wait for it to end, or choose another folder with `--out`", folder.display(), by(*process))]
    Busy {
        /// The folder.
        folder: PathBuf,
        /// The number of that run's process, where it can be told.
        process: Option<u32>,
    },
    /// The file system refuses.
    #[error("folder `{}` cannot be locked for this run, choose another with `--out`", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Lock {
    /// Makes and locks `folder`. Where the file system knows no locks, nobody is kept out.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(FILE);
        let mut options = File::options();
        let options = options.create(true).truncate(false).read(true).write(true);
        let file = fs::create_dir_all(folder).and_then(|()| options.open(&path));
        let mut file = file.map_err(|source| LockError::Io {
            folder: folder.to_owned(),
            source,
        })?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let process = fs::read_to_string(&path).ok();
            return Err(LockError::Busy {
                folder: folder.to_owned(),
                process: process.and_then(|text| text.trim().parse().ok()),
            });
        }
        // The number is for readers only: a full disk is no reason not to read what is stored.
        let _ = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self {
            folder: folder.to_owned(),
            file,
        })
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the folder is still the one that was locked, not removed and not replaced.
    pub fn is_in_place(&self) -> bool {
        let found = fs::metadata(self.folder.join(FILE));
        match (found, self.file.metadata()) {
            (Ok(found), Ok(held)) => is_same(&found, &held),
            (found, _) => found.is_ok(),
        }
    }
}

#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same(_a: &Metadata, _b: &Metadata) -> bool {
    true
}

fn by(process: Option<u32>) -> String {
    process.map_or_else(String::new, |number| format!(" (process {number})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_has_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        let message = Lock::take(folder.path()).unwrap_err().to_string();
        let process = format!("(process {})", std::process::id());
        assert!(message.contains(&process), "{message}");
        drop(first);
        Lock::take(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_vanishes_or_is_replaced_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reports");
        fs::create_dir(&path).unwrap();
        let lock = Lock::take(&path).unwrap();
        assert!(lock.is_in_place());
        fs::rename(&path, folder.path().join("moved")).unwrap();
        assert!(!lock.is_in_place());
        fs::create_dir(&path).unwrap();
        fs::write(path.join(FILE), "").unwrap();
        assert_eq!(lock.is_in_place(), cfg!(not(unix)));
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        let error = Lock::take(&path).unwrap_err();
        assert!(matches!(error, LockError::Io { .. }), "{error}");
    }
}
