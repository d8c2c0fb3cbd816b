use super::*;
use crate::allocate::{AllocateError, Allocator, Context, Rates};
use crate::record::RunSummary;
use crate::suite::{self, Suite};
use std::fs;
use tempfile::TempDir;

#[derive(Debug)]
struct Panicking;

impl Allocator for Panicking {
    fn rates(&self, _context: Context<'_>) -> Result<Rates, AllocateError> {
        panic!("out of rates")
    }
}

/// A suite of five cases: the second panics, the third fails, the last one lacks its data.
fn suite(folder: &TempDir) -> Suite {
    let path = folder.path().join("small.toml");
    let text = r#"
        description = "a test"
        settings = { limit = 20, calibration = 16 }
        [[subjects]]
        model = "vit_micro_patch4_28"
        weights = "embedded:vit_micro_patch4_28-fashion-mnist"
        data = "embedded:fashion-mnist"
        [[subjects]]
        model = "resnet20"
        weights = "embedded:resnet20-fashion-mnist"
        data = "cifar10:/nowhere"
        [[sections]]
        name = "present"
        models = ["vit_micro_patch4_28"]
        allocators = ["uniform", "er", "erk", "lamp"]
        reconstructions = ["none"]
        sparsities = [0.5]
        [[sections]]
        name = "absent"
        models = ["resnet20"]
        allocators = ["erk"]
        reconstructions = ["none"]
        sparsities = [0.5]
    "#;
    fs::write(&path, text).unwrap();
    let names = [path.to_str().unwrap().to_owned()];
    let mut suite = suite::load("/nowhere".as_ref(), &names).unwrap().remove(0);
    suite.entries[1].case.allocator = Box::new(Panicking);
    suite.entries[2].case.weights = "/nowhere.pth".parse().unwrap();
    suite
}

#[test]
fn cases_that_fail_or_panic_harm_no_other() {
    let folder = TempDir::new().unwrap();
    let suites = [suite(&folder)];
    let options = Options {
        folders: Folders {
            reports: folder.path().join("reports"),
            golden: None,
        },
        jobs: 2,
        force: false,
        filters: Vec::new(),
        memory: Engine::MEMORY,
        timeout: None,
        heartbeat: None,
    };
    let report = || run(&suites, &Device::Cpu, &options, &Console::new()).unwrap();
    let expected = Report {
        computed: 2,
        failed: 2,
        ignored: 1,
        ..Report::default()
    };
    assert_eq!(report(), expected);
    let summary = fs::read(options.folders.results().join("small/summary.json")).unwrap();
    let summary: RunSummary = serde_json::from_slice(&summary).unwrap();
    assert!(summary.ignored[0].reason.contains("/nowhere"));
    for (failed, parts) in summary.failed.iter().zip([
        ["/er/", "out of rates", "harness/tests.rs"],
        ["/erk/", "loading", "/nowhere.pth"],
    ]) {
        let text = format!("{}: {}", failed.case, failed.message);
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
    let resumed = Report {
        computed: 0,
        resumed: 2,
        ..expected
    };
    assert_eq!(report(), resumed);
}

#[test]
fn a_record_is_kept_though_its_golden_is_missing() {
    let folder = TempDir::new().unwrap();
    let suite = suite(&folder);
    let folders = Folders {
        reports: folder.path().join("reports"),
        golden: Some(folder.path().join("golden")),
    };
    let harness = Harness::new(Device::Cpu, &folders, false, 1);
    let case = &suite.entries[0].case;
    let failure = harness.run(case, &()).unwrap_err();
    assert!(matches!(failure, Failure::Golden(_)), "{failure}");
    let key = harness.engine.key(case).unwrap();
    let kept = harness.store().load(&case.spec.id(), &key).unwrap();
    assert_eq!(kept.unwrap().case, case.spec.id());
}
