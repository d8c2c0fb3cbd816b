//! Errors with all that caused them.

use std::error::Error;

/// Returns an error with all its causes, joined by colons.
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
