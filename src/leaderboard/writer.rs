//! The pages as files.

use super::Input;
use super::address::Address;
use super::downloads;
use super::site::{Parts, Site};
use crate::atomic;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The list of the files that the leaderboard consists of, so that those of an earlier one can be removed.
const MANIFEST: &str = "pages.json";

/// A page, or a file beside it, that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the leaderboard `{}`", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What the file system says.
    pub source: io::Error,
}

/// Writes the pages into the folder `out`, with `cases.csv` and `cases.json` beside them, and returns the path of the first page, which is
/// written last. Pages of an earlier leaderboard that this one does not have are removed.
///
/// # Errors
/// The file system refuses.
pub fn write(input: &Input<'_>, out: &Path) -> Result<PathBuf, WriteError> {
    let parts = Parts::new(input);
    let site = Site::new(&parts, input.origin);
    let addresses = site.addresses();
    let paths = addresses.iter().map(|address| address.path());
    let shared = ["style.css", "script.js", "cases.csv", "cases.json"].map(str::to_owned);
    let files: BTreeSet<String> = paths.chain(shared).collect();
    let folder = Folder(out);
    folder.make(&files)?;
    let records = &input.loaded.records;
    folder.save("cases.csv", downloads::table(records))?;
    let array = downloads::array(records).map_err(io::Error::from);
    folder.save("cases.json", array)?;
    for name in ["style.css", "script.js"] {
        folder.save(name, Ok(site.shared(name).into_bytes()))?;
    }
    let pages = addresses
        .par_iter()
        .filter(|address| **address != Address::Overview);
    pages.try_for_each(|address| folder.save_page(&address.path(), &site.page(*address)))?;
    folder.remove_others(&files);
    let list = serde_json::to_vec_pretty(&files).map_err(io::Error::from);
    folder.save(MANIFEST, list)?;
    let first = site.page(Address::Overview).into_bytes();
    folder.save(&Address::Overview.path(), Ok(first))
}

/// Where the pages lie.
#[derive(Debug, Clone, Copy)]
struct Folder<'a>(&'a Path);

impl Folder<'_> {
    /// Makes the folders of all files.
    fn make(self, files: &BTreeSet<String>) -> Result<(), WriteError> {
        let folders = files.iter().filter_map(|file| Path::new(file).parent());
        let folders: BTreeSet<&Path> = folders.collect();
        folders.into_iter().try_for_each(|folder| {
            let path = self.0.join(folder);
            fs::create_dir_all(&path).map_err(|source| WriteError { path, source })
        })
    }

    /// Writes a file atomically.
    fn save(self, name: &str, content: io::Result<Vec<u8>>) -> Result<PathBuf, WriteError> {
        let path = self.0.join(name);
        match content.and_then(|bytes| atomic::write(&path, &bytes)) {
            Ok(()) => Ok(path),
            Err(source) => Err(WriteError { path, source }),
        }
    }

    /// Writes a page that is not there already. There may be thousands: not each of them is worth waiting for the disk, which some file
    /// systems do for files that are cut and written anew.
    fn save_page(self, name: &str, page: &str) -> Result<(), WriteError> {
        let path = self.0.join(name);
        if fs::read(&path).is_ok_and(|before| before == page.as_bytes()) {
            return Ok(());
        }
        fs::remove_file(&path).ok();
        fs::write(&path, page).map_err(|source| WriteError { path, source })
    }

    /// Removes the files that an earlier leaderboard wrote and this one does not have. What cannot be removed stays: no page leads to it.
    fn remove_others(self, files: &BTreeSet<String>) {
        let list = fs::read(self.0.join(MANIFEST)).unwrap_or_default();
        let before: BTreeSet<String> = serde_json::from_slice(&list).unwrap_or_default();
        for name in before.difference(files) {
            let mut parts = Path::new(name).components();
            if parts.all(|part| matches!(part, Component::Normal(_))) {
                fs::remove_file(self.0.join(name)).ok();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_listed_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside.html");
        let out = folder.path().join("out");
        fs::create_dir(&out).unwrap();
        for name in ["old.html", "kept.html", "mine.html"] {
            fs::write(out.join(name), "").unwrap();
        }
        fs::write(&outside, "").unwrap();
        let list = ["old.html", "kept.html", "../outside.html", "gone.html"];
        fs::write(out.join(MANIFEST), serde_json::to_vec(&list).unwrap()).unwrap();
        Folder(&out).remove_others(&BTreeSet::from(["kept.html".to_owned()]));
        assert!(!out.join("old.html").exists());
        assert!(
            outside.exists() && out.join("kept.html").exists() && out.join("mine.html").exists()
        );
    }
}
