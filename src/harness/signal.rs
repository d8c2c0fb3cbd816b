//! Stopping on SIGINT and SIGTERM.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The exit code of a run that was interrupted: 128 and the number of SIGINT.
const INTERRUPTED_CODE: i32 = crate::exit::INTERRUPTED as i32;

/// Makes SIGINT and SIGTERM stop running cases at their next step; the second one stops the program at once.
///
/// # Errors
/// What the system says.
pub fn listen() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED_CODE);
        }
    })
}

/// Returns whether the program was asked to stop.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}
