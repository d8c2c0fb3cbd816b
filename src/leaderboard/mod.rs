//! The page of results: one self-contained HTML file made from the stored records.
//!
//! Everything is computed here; the templates (`templates/`) loop and branch over `Page`. The same records give the
//! same page, byte for byte: there is no date in it.

mod cases;
mod chart;
mod downloads;
mod drawings;
mod exhibit;
mod format;
mod gallery;
mod page;
mod ranking;
mod rankings;
mod track;

use crate::atomic;
use crate::record::{Loaded, Scale};
use minijinja::{Environment, UndefinedBehavior, context, value};
use page::Page;
use std::io;
use std::path::{Path, PathBuf};

/// The templates by name; the extension of a name decides how values are escaped in it.
const TEMPLATES: [(&str, &str); 8] = [
    ("page.html", include_str!("../../templates/page.html")),
    ("ranking.html", include_str!("../../templates/ranking.html")),
    (
        "drawings.html",
        include_str!("../../templates/drawings.html"),
    ),
    ("case.html", include_str!("../../templates/case.html")),
    ("picture.html", include_str!("../../templates/picture.html")),
    ("charts.html", include_str!("../../templates/charts.html")),
    ("style.css", include_str!("../../templates/style.css")),
    ("script.js", include_str!("../../templates/script.js")),
];

/// What the names in records mean, which records do not tell.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// The unit and direction of a metric.
    pub scale: fn(&str) -> Scale,
    /// The family of a model, if it is known.
    pub family: fn(&str) -> Option<&'static str>,
}

/// A page, or a file beside it, that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the leaderboard `{}`", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What the file system says.
    pub source: io::Error,
}

/// Returns the page as HTML.
///
/// # Panics
/// Never on account of the records; only if the embedded templates are broken.
pub fn render(loaded: &Loaded, words: Words) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in TEMPLATES {
        environment
            .add_template(name, source)
            .expect("the embedded templates parse, as the tests show");
    }
    let page = Page::new(loaded, words);
    environment
        .get_template("page.html")
        .and_then(|template| template.render(context! { page => value::Serde(&page) }))
        .expect("the embedded templates use only what `Page` has, as the tests show")
}

/// Writes the page as `index.html` into the folder `out`, with `cases.csv` and `cases.json` beside it, each atomically, and returns its path.
///
/// # Errors
/// The file system refuses.
pub fn write(loaded: &Loaded, out: &Path, words: Words) -> Result<PathBuf, WriteError> {
    let write = |name: &str, content: io::Result<Vec<u8>>| {
        let path = out.join(name);
        let written = content.and_then(|bytes| atomic::write(&path, &bytes));
        match written {
            Ok(()) => Ok(path),
            Err(source) => Err(WriteError { path, source }),
        }
    };
    let records = &loaded.records;
    write("cases.csv", downloads::table(records, words))?;
    write("cases.json", downloads::array(records).map_err(Into::into))?;
    write("index.html", Ok(render(loaded, words).into_bytes()))
}
