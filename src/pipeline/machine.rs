//! What a case runs on.

use crate::record::Environment;
use candle_core::Device;
use std::fs;

/// Describes the machine and this program.
pub fn environment(device: &Device, seed: u64) -> Environment {
    Environment {
        device: match device.location() {
            candle_core::DeviceLocation::Cpu => "cpu".to_owned(),
            candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
            candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
        },
        threads: rayon::current_num_threads(),
        cpu: cpu().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("PTSBENCH_COMMIT").map(str::to_owned),
        seed,
    }
}

/// Returns the processor's name, where the system tells.
fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    field(&text, "model name").map(str::to_owned)
}

/// Returns the most memory that this process held, in bytes, where the system tells.
pub(super) fn peak_rss() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = field(&text, "VmHWM")?.strip_suffix("kB")?;
    kilobytes.trim().parse::<u64>().ok().map(|kb| kb * 1024)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}
