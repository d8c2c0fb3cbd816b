//! From stored records to the leaderboard.

use super::{chain, scale};
use crate::leaderboard::{self, Words};
use crate::models;
use crate::record::{Loaded, Store, StoreError};
use std::path::{Path, PathBuf};

/// A leaderboard that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The records cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The page cannot be written.
    #[error(transparent)]
    Leaderboard(#[from] leaderboard::WriteError),
}

/// Reads the records below `results`. Those that cannot be used are named on stderr.
///
/// # Errors
/// [`StoreError`] where the folder cannot be read.
pub fn load(results: &Path) -> Result<Loaded, StoreError> {
    let loaded = Store::new(results).load_all()?;
    for problem in &loaded.problems {
        eprintln!("warning: {}", chain(problem));
    }
    Ok(loaded)
}

/// Renders `<out>/index.html` from the records below `results` ([`load`]), and returns its path.
///
/// # Errors
/// [`PublishError`].
pub fn publish(results: &Path, out: &Path) -> Result<PathBuf, PublishError> {
    let loaded = load(results)?;
    let words = Words { scale, family };
    Ok(leaderboard::write(&loaded, out, words)?)
}

/// Returns the family of the model that a spec names.
fn family(model: &str) -> Option<&'static str> {
    let name = model.split('(').next()?;
    Some(models::family_of(name).ok()?.name())
}
