//! leaderboard (to come)
use crate::record::{Loaded, Scale};
use std::path::{Path, PathBuf};
/// Stand-in.
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct LeaderboardError;
/// Stand-in.
pub fn write(
    _l: &Loaded,
    _s: impl Fn(&str) -> Scale,
    out: &Path,
) -> Result<PathBuf, LeaderboardError> {
    Ok(out.join("index.html"))
}
