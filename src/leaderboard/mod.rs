//! The leaderboard: a folder of HTML pages made from stored records, which need nothing from outside.
//!
//! Everything is computed here; the templates (`templates/`) loop and branch over what the pages hold. The same records give the
//! same pages, byte for byte: there is no date in them. Pages in the folder itself are complete in themselves; those in folders
//! below share a style and a script.

mod address;
mod case;
mod chart;
mod curves;
mod difference;
mod downloads;
mod drawings;
mod entry;
mod exhibit;
mod format;
mod gallery;
mod goldens;
mod model;
mod overview;
mod ranking;
mod rankings;
mod site;
mod table;
mod technique;
mod track;
mod versus;
mod words;
mod writer;

pub use difference::difference;
pub use writer::{WriteError, write};

use crate::golden::Drift;
use crate::record::Loaded;
use rayon::prelude::*;
use site::{Parts, Site};
use std::collections::BTreeMap;

/// What the leaderboard is made from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The records; those of one case and several seeds are taken together.
    pub loaded: &'a Loaded,
    /// How far cases are from their goldens, of those that have some or should.
    pub drift: &'a [Drift],
    /// Where the records come from.
    pub origin: Origin,
}

/// Where records come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Runs.
    Runs,
    /// Goldens, which hold no times and no pictures.
    Goldens,
}

/// Returns all pages by their paths.
///
/// # Panics
/// Never on account of the records; only if the embedded templates are broken.
pub fn render(input: &Input<'_>) -> BTreeMap<String, String> {
    let parts = Parts::new(input);
    let site = Site::new(&parts, input.origin);
    let addresses = site.addresses();
    let pages = addresses.par_iter();
    pages
        .map(|address| (address.path(), site.page(*address)))
        .collect()
}
