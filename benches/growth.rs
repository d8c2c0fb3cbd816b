//! How time and memory grow with the number of cases: listing, resuming, merging and reporting 100, 1,000 and 10,000.
//!
//! `cargo bench --bench growth`, or `-- 100 1000` for these sizes only. The program itself is run, on records that nobody computed; `matrix` lists cases of
//! real models.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

mod synthetic;

use candle_core::Device;
use ptsbench::pipeline::Engine;
use ptsbench::record::Store;
use ptsbench::{models, suite};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use synthetic::{SIZES, name_of_allocator, name_of_model, name_of_reconstruction, sparsity};

const PARTS: usize = 4;

/// What a command took.
#[derive(Default)]
struct Cost {
    seconds: f64,
    /// Of its threads together, in ticks of a hundredth.
    cpu_seconds: f64,
    /// The most memory that it held, where the system tells.
    mebibytes: f64,
}

fn main() {
    let sizes: Vec<usize> = std::env::args()
        .filter_map(|text| text.parse().ok())
        .collect();
    let sizes = if sizes.is_empty() {
        vec![100, 1_000, 10_000]
    } else {
        sizes
    };
    println!(
        "{:>8}  {:<8} {:>9} {:>9} {:>9} {:>14}",
        "cases", "command", "seconds", "CPU s", "MiB", "CPU ms a case"
    );
    for size in sizes {
        measure(size);
    }
}

fn measure(size: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    fs::write(path("matrix.toml"), matrix(size)).unwrap();
    fs::write(path("large.toml"), large(size)).unwrap();
    store(folder.path(), size);
    let [matrix, large, parts, whole] = ["matrix.toml", "large.toml", "parts", "whole"].map(text);
    let (merged, pages, results) = (text("merged"), text("pages"), text("whole/results"));
    let of_large = ["--suite", &large, "--out"];
    let commands: [(&str, Vec<&str>); 5] = [
        ("matrix", vec!["list", "--suite", &matrix]),
        ("list", vec!["list", "--suite", &large]),
        ("resume", [&["run"], &of_large[..], &[&whole]].concat()),
        (
            "merge",
            [&["merge", &parts], &of_large[..], &[&merged]].concat(),
        ),
        (
            "report",
            vec!["report", "--results", &results, "--out", &pages],
        ),
    ];
    for (name, arguments) in commands {
        let (cost, output) = run(&arguments);
        let expected = match name {
            "matrix" | "list" => output.lines().count() == size,
            "resume" => output.contains(&format!("0 computed, {size} stored before")),
            "merge" => output.contains(&format!(
                "{size} records, 0 doubled, 0 in conflict; 0 missing"
            )),
            _ => true,
        };
        assert!(expected, "{name}: {output}");
        let each = 1e3 * cost.cpu_seconds / size as f64;
        println!(
            "{size:>8}  {name:<8} {:>9.2} {:>9.2} {:>9.0} {each:>14.3}",
            cost.seconds, cost.cpu_seconds, cost.mebibytes
        );
    }
}

/// Returns a suite of `size` cases of the models that come first.
fn matrix(size: usize) -> String {
    let subject = |model: &str| {
        format!(
            "[[subjects]]\nmodel = \"{model}\"\nweights = \"${{PTSBENCH_WEIGHTS}}/{model}.pth\"\n\
            data = \"imagefolder:${{PTSBENCH_DATA}}/imagenet\"\n"
        )
    };
    let models: Vec<String> = models::names().take(size / 100).map(subject).collect();
    format!(
        "description = \"{size} cases\"\n{}[[sections]]\nname = \"all\"\n\
        allocators = [\"uniform\", \"er\", \"erk\", \"magnitude\", \"l1norm\", \"l2norm\", \"lamp\", \"sensitivity\", \"fcpts:erk\", \
        \"fcpts:uniform\"]\n\
        reconstructions = [\"none\", \"block-sparse-weight+bias-sgd\"]\nsparsities = [0.5, 0.6, 0.7, 0.8, 0.9]\n",
        models.concat()
    )
}

/// Returns the suite of the first `count` cases, in the same order; up to 100, or hundreds that are whole numbers of models.
fn large(count: usize) -> String {
    let [_, allocators, reconstructions, steps] = SIZES;
    let of_model = allocators * reconstructions * steps;
    let allocators = allocators.min(count / (reconstructions * steps));
    let models = count.div_ceil(of_model);
    assert_eq!(models * allocators * reconstructions * steps, count);
    let subject = |model| {
        let name = name_of_model(model);
        format!(
            "[[subjects]]\nmodel = \"{name}\"\nweights = \"embedded:resnet20-fashion-mnist\"\n\
            data = \"embedded:fashion-mnist\"\n"
        )
    };
    let subjects: String = (0..models).map(subject).collect();
    let names = |count, name: fn(usize) -> String| (0..count).map(name).collect::<Vec<_>>();
    let sparsities: Vec<f64> = (0..steps).map(sparsity).collect();
    format!(
        "description = \"{count} cases\"\n{subjects}[[sections]]\nname = \"all\"\nallocators = {:?}\n\
        reconstructions = {:?}\nsparsities = {sparsities:?}\n",
        names(allocators, name_of_allocator),
        names(reconstructions, name_of_reconstruction),
    )
}

/// Stores the records of the suite twice: together, and dealt to parts.
fn store(folder: &Path, size: usize) {
    let names = [folder.join("large.toml").to_str().unwrap().to_owned()];
    let suite = suite::load("/nowhere".as_ref(), &names).unwrap().remove(0);
    let engine = Engine::new(Device::Cpu, None);
    let whole = Store::new(folder.join("whole/results"));
    for (index, (entry, numbers)) in suite
        .entries
        .iter()
        .zip(synthetic::numbers(size))
        .enumerate()
    {
        let mut record = synthetic::record(numbers);
        assert_eq!(record.case, entry.case.spec.id());
        record.key = engine.key(&entry.case).unwrap();
        whole.save(&record).unwrap();
        let part = folder.join(format!("parts/{}/results", index % PARTS));
        Store::new(part).save(&record).unwrap();
    }
}

/// Runs the program; returns what it took, and what it wrote to stdout and stderr.
fn run(arguments: &[&str]) -> (Cost, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let file = || Stdio::from(log.as_file().try_clone().unwrap());
    let start = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ptsbench"));
    let mut child = command
        .args(arguments)
        .stdout(file())
        .stderr(file())
        .spawn()
        .unwrap();
    let mut cost = Cost::default();
    let status = loop {
        cost.mebibytes = peak(child.id()).unwrap_or(cost.mebibytes);
        cost.cpu_seconds = cpu_seconds(child.id()).unwrap_or(cost.cpu_seconds);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        sleep(Duration::from_millis(2));
    };
    cost.seconds = start.elapsed().as_secs_f64();
    let mut output = String::new();
    log.reopen().unwrap().read_to_string(&mut output).unwrap();
    assert!(status.success(), "{arguments:?}: {output}");
    (cost, output)
}

/// Returns the CPU time that a process has used.
fn cpu_seconds(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Returns the most memory that a process has held, in MiB.
fn peak(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes / 1024.0)
}
