//! What the exit code says.

/// All went well.
pub const OK: u8 = 0;
/// A case failed, a golden differs, or two results do.
pub const FAILED: u8 = 1;
/// The command line is wrong: an unknown name, a bad value.
pub const USAGE: u8 = 2;
/// A suite, data, weights or a folder cannot be used.
pub const SETUP: u8 = 3;
/// SIGINT or SIGTERM; what was finished is kept.
pub const INTERRUPTED: u8 = 130;
