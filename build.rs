//! Tells the program which commit it was built from.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/refs/heads");
    let output = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output();
    if let Some(commit) = output.ok().filter(|o| o.status.success()) {
        let commit = String::from_utf8_lossy(&commit.stdout);
        println!("cargo::rustc-env=PTSBENCH_COMMIT={}", commit.trim());
    }
}
