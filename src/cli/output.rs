//! Writing to stdout.

use super::CliError;
use clap::ValueEnum;
use serde::Serialize;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    /// For people
    Text,
    /// For a page or a job summary
    Markdown,
    /// For programs
    Json,
}

impl Shape {
    /// Writes `value` as JSON, or as what `text` or `markdown` makes of it.
    pub(super) fn write<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
        markdown: impl FnOnce(&T) -> String,
    ) -> Result<(), CliError> {
        match self {
            Self::Text => write(Format::Text, value, text),
            Self::Markdown => write(Format::Text, value, markdown),
            Self::Json => write(Format::Json, value, text),
        }
    }
}

/// Writes `value` as JSON, or as the text that `text` makes of it.
pub(super) fn write<T: Serialize>(
    format: Format,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<(), CliError> {
    match format {
        Format::Text => emit(&text(value)),
        Format::Json => {
            let json = serde_json::to_string_pretty(value).map_err(std::io::Error::from)?;
            emit(&json)
        }
    }
}

/// Writes `text` and a line end. A reader that has gone away, such as `head`, is no error.
pub(super) fn emit(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Checks that a file can be made at `path`, which `option` names and whose folder must exist, before work goes into its content.
pub(super) fn check_output(path: &Path, option: &'static str) -> Result<(), CliError> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let probe = tempfile::tempfile_in(folder).map(|_| ());
    probe.map_err(CliError::unwritable(folder, option))
}
