//! The `ptsbench` binary.
fn main() {}
