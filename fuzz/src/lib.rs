//! What all targets share: the functions that they call, and an allocator with a limit.

use cap::Cap;
use std::alloc::System;

pub use ptsbench::fuzzing::*;

/// More than any reader may take for inputs of the size that is tried: what would take more aborts, and is a finding.
const MEMORY: usize = 1 << 30;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MEMORY);
