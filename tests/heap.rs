//! What the process holds of memory that was freed, in a process of its own.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::Device;
use ptsbench::pipeline::Engine;
use std::hint::black_box;
use std::time::{Duration, Instant};
use std::{fs, thread};

/// The bytes of the process that are in memory.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<usize>().unwrap() << 10
}

fn activation(bytes: usize) {
    drop(black_box(vec![1_u8; bytes]));
}

/// mimalloc by itself holds it back for a second.
#[test]
fn an_engine_gives_freed_memory_back_in_less_than_a_second() {
    const BYTES: usize = 256 << 20;
    let engine = Engine::new(Device::Cpu, None);
    let before = resident();
    activation(BYTES);
    let freed = Instant::now();
    // The allocator looks at the time when it is asked for memory.
    while resident() > before + BYTES / 4 {
        assert!(freed.elapsed() < Duration::from_millis(900));
        thread::sleep(Duration::from_millis(10));
        activation(1 << 20);
    }
    drop(engine);
}
