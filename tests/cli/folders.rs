//! Folders that are shared, full, read-only or gone while a run works in them, and cases that take too long.

use super::{assert_fails, ptsbench, records, run, suite, text};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A suite of one case that takes minutes, after others that take none.
fn slow_suite(folder: &TempDir) -> PathBuf {
    let extra = "[[sections]]\nname = \"slow\"\nsettings = { iterations = 1000000 }\nallocators = [\"erk\"]\n\
                 reconstructions = [\"block-sparse-none-adam\"]\nsparsities = [0.9]";
    suite(folder, "\"erk\"", extra)
}

/// Starts a run whose last case does not end by itself.
fn start(arguments: &[&str]) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin!("ptsbench"))
        .args(arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_for(mut ready: impl FnMut() -> bool) {
    while !ready() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Interrupts a run; returns what it said.
fn stop(child: Child) -> String {
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status();
    assert!(kill.unwrap().success());
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

#[test]
fn a_second_run_in_a_folder_is_told_of_the_first() {
    let folder = TempDir::new().unwrap();
    let path = slow_suite(&folder);
    let out = folder.path().join("reports");
    let all = [
        "run",
        "--jobs",
        "1",
        "--suite",
        text(&path),
        "--out",
        text(&out),
    ];
    let first = start(&all);
    wait_for(|| records(&out).len() == 4);
    let process = format!("(process {})", first.id());
    assert_fails(
        &all,
        3,
        &["another run works in", text(&out), &process, "`--out`"],
    );
    let other = folder.path().join("other");
    let elsewhere = [
        "run",
        "none@0.50",
        "--suite",
        text(&path),
        "--out",
        text(&other),
    ];
    assert_eq!(run(&elsewhere).0, 0);
    stop(first);
    // Whatever ended the first run, the folder is free again.
    let again = [
        "run",
        "none@0.50",
        "--suite",
        text(&path),
        "--out",
        text(&out),
    ];
    let (code, _, stderr) = run(&again);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("0 computed, 1 stored before"), "{stderr}");
}

#[test]
fn a_folder_that_vanishes_fails_what_is_left_and_says_so() {
    let folder = TempDir::new().unwrap();
    let path = suite(
        &folder,
        r#""uniform", "er", "erk", "magnitude", "l1norm", "lamp""#,
        "",
    );
    let (out, moved) = (folder.path().join("reports"), folder.path().join("moved"));
    let all = [
        "run",
        "--jobs",
        "1",
        "--suite",
        text(&path),
        "--out",
        text(&out),
    ];
    let child = start(&all);
    wait_for(|| records(&out).len() >= 2);
    fs::rename(&out, &moved).unwrap();
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    let said = format!("folder `{}` was removed or replaced", text(&out));
    assert!(stderr.contains(&said), "{stderr}");
    // What was finished is where the folder went; a case that was under way is in its new place.
    let kept = records(&moved).len();
    assert!(kept >= 2 && kept + records(&out).len() < 24, "{stderr}");
    fs::remove_dir_all(&out).unwrap();
    fs::rename(&moved, &out).unwrap();
    let (code, _, stderr) = run(&all);
    assert_eq!(code, 0, "{stderr}");
    let expected = format!("{} computed, {kept} stored before", 24 - kept);
    assert!(stderr.contains(&expected), "{stderr}");
}

/// A small file system of its own, which only root can have.
#[cfg(target_os = "linux")]
struct Disk(TempDir);

#[cfg(target_os = "linux")]
impl Disk {
    /// Returns nothing where this may not be done.
    fn new(size: &str) -> Option<Self> {
        let disk = Self(TempDir::new().unwrap());
        let options = format!("size={size}");
        let made = mount(&["-t", "tmpfs", "-o", &options, "tmpfs", text(disk.0.path())]);
        if !made {
            eprintln!("skipped: file systems cannot be mounted here");
        }
        made.then_some(disk)
    }

    fn remount(&self, access: &str) {
        let options = format!("remount,{access}");
        assert!(mount(&["-o", &options, text(self.0.path())]));
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

#[cfg(target_os = "linux")]
impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[cfg(target_os = "linux")]
fn mount(arguments: &[&str]) -> bool {
    let output = Command::new("mount").args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

/// Fills what is left of a disk; returns the file to be removed.
#[cfg(target_os = "linux")]
fn fill(disk: &Path) -> PathBuf {
    use std::io::Write;
    let path = disk.join("filler");
    let mut file = fs::File::create(&path).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    path
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_fails_the_cases_that_it_cannot_take() {
    let folder = TempDir::new().unwrap();
    let path = suite(&folder, r#""uniform", "erk""#, "");
    let Some(disk) = Disk::new("8m") else { return };
    let out = disk.path().join("reports");
    let all = ["run", "--suite", text(&path), "--out", text(&out)];
    let some = [
        "run",
        "none@0.50",
        "--suite",
        text(&path),
        "--out",
        text(&out),
    ];
    assert_eq!(run(&some).0, 0);
    let kept: Vec<Vec<u8>> = records(&out).iter().map(|p| fs::read(p).unwrap()).collect();
    assert_eq!(kept.len(), 2);
    let filler = fill(disk.path());
    let (code, _, stderr) = run(&all);
    assert_eq!(code, 3, "{stderr}");
    for part in [
        "it cannot be written, make room",
        "No space left on device",
        "@0.80.json",
    ] {
        assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
    }
    // Each case was tried, though none could be stored.
    assert_eq!(stderr.matches("FAILED").count(), 6, "{stderr}");
    assert_eq!(stderr.matches("(stored)").count(), 2, "{stderr}");
    let after: Vec<Vec<u8>> = records(&out).iter().map(|p| fs::read(p).unwrap()).collect();
    assert_eq!(after, kept);
    fs::remove_file(filler).unwrap();
    let (code, _, stderr) = run(&all);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("6 computed, 2 stored before"), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_becomes_read_only_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let path = slow_suite(&folder);
    let Some(disk) = Disk::new("8m") else { return };
    let out = disk.path().join("reports");
    let fast = ["run", "erk", "--suite", text(&path), "--out", text(&out)];
    let none = ["run", "none@", "--suite", text(&path), "--out", text(&out)];
    assert_eq!(run(&none[..]).0, 0);
    assert_eq!(records(&out).len(), 2);
    disk.remount("ro");
    assert_fails(
        &fast,
        3,
        &["cannot be written", "`--out`", "Read-only file system"],
    );
    assert_eq!(records(&out).len(), 2);
    disk.remount("rw");
    let (code, _, stderr) = run(&none);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("0 computed, 2 stored before"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn a_record_that_cannot_be_written_fails_its_case_only() {
    let folder = TempDir::new().unwrap();
    let path = suite(&folder, r#""uniform", "erk""#, "");
    let out = folder.path().join("reports");
    // A file where the records of one allocator belong keeps them out, root's too.
    let place = "results/small/classification/fashion-mnist/vit_micro_patch4_28";
    fs::create_dir_all(out.join(place)).unwrap();
    fs::write(out.join(place).join("erk"), "").unwrap();
    let (code, _, stderr) = run(&["run", "--suite", text(&path), "--out", text(&out)]);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("4 computed, 0 stored before, 4 failed"),
        "{stderr}"
    );
    assert!(stderr.contains("it cannot be written"), "{stderr}");
    assert_eq!(records(&out).len(), 4);
}

#[test]
fn a_case_that_takes_too_long_fails_and_the_others_go_on() {
    let folder = TempDir::new().unwrap();
    let path = slow_suite(&folder);
    let out = folder.path().join("reports");
    let all = ["run", "--jobs", "1", "--timeout", "3", "--heartbeat", "1"];
    let all = [&all[..], &["--suite", text(&path), "--out", text(&out)]].concat();
    let (code, _, stderr) = run(&all);
    assert_eq!(code, 1, "{stderr}");
    for part in [
        "4 computed, 0 stored before, 1 failed",
        "it took longer than the 3 s that `--timeout` gives a case",
        // What a log tells while nothing ends.
        "[4/5] after 00:00:0",
        "under way: small::classification/fashion-mnist/vit_micro_patch4_28/erk/block-sparse-none-adam@0.90 (reconstruct ",
    ] {
        assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
    }
    assert_eq!(records(&out).len(), 4);
}

#[test]
fn the_memory_for_activations_changes_no_result() {
    let folder = TempDir::new().unwrap();
    let extra = "[[sections]]\nname = \"descent\"\nallocators = [\"sensitivity\"]\nreconstructions = [\"block-sparse-weight+bias-adam\"]\nsparsities = [0.8]";
    let path = suite(&folder, "\"erk\"", extra);
    let results = ["0", "100K", "1G"].map(|memory| {
        let out = folder.path().join(memory);
        let all = [
            "run",
            "--memory",
            memory,
            "--suite",
            text(&path),
            "--out",
            text(&out),
        ];
        ptsbench(&all).assert().success();
        records(&out)
            .iter()
            .map(|path| super::lasting(path))
            .collect::<Vec<_>>()
    });
    assert_eq!(results[0].len(), 5);
    assert_eq!(results[0], results[2]);
    assert_eq!(results[1], results[2]);
}
