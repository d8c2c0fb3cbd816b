//! Files that are either old or new, never half of each.

use std::io::{self, Write};
use std::path::Path;
use walkdir::WalkDir;

/// What names of temporary files begin and end with.
const PREFIX: &str = ".";
const SUFFIX: &str = ".tmp";

/// Writes `bytes` to `path`, making its folder; see [`write_with`].
///
/// # Errors
/// Whatever the file system says; the old file is then untouched.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(folder_of(path))?;
    write_with(path, |file| file.write_all(bytes))
}

/// Writes what `content` writes to `path`, in a folder that exists: into a temporary file beside it, which then takes its name.
///
/// # Errors
/// Whatever the file system or `content` says; the old file is then untouched.
pub(crate) fn write_with(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // Temporary files are private by default, results are as public as the umask lets them be.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder_of(path))?;
    content(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// Removes the temporary files of writers that were killed from `folder` and the folders in it but `except`. Nobody else may write there.
/// What cannot be removed stays: it does no harm.
pub(crate) fn sweep(folder: &Path, except: &Path) {
    let entries = WalkDir::new(folder).into_iter();
    let entries = entries.filter_entry(|entry| entry.path() != except);
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy();
        if entry.file_type().is_file() && name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Returns the folder of `path`, the current one for a bare name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/file.txt");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        let beside = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(beside, 1);
    }

    #[test]
    fn what_killed_writers_left_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let left = ["a/.x.tmp", "cache/.y.tmp", "a/z.tmp", "a/.lock"];
        for name in left {
            write(&folder.path().join(name), b"half").unwrap();
        }
        sweep(folder.path(), &cache);
        let kept = left.map(|name| folder.path().join(name).exists());
        assert_eq!(kept, [false, true, true, true]);
    }

    #[test]
    fn many_writers_leave_whole_files_to_many_readers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content = |writer: u8| vec![writer; 100_000];
        write(&path, &content(0)).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || (0..20).try_for_each(|_| write(path, &content(writer))));
                scope.spawn(move || {
                    for _ in 0..100 {
                        let read = std::fs::read(path).unwrap();
                        assert_eq!(read, content(read[0]));
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "").unwrap();
        assert!(write(&folder.path().join("a/file.txt"), b"").is_err());
    }
}
