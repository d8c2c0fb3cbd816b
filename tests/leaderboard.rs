//! The page as a whole: complete, self-contained, the same every time, and safe against what names may hold.

use ptsbench::leaderboard::{Words, render, write};
use ptsbench::record::{
    Environment, Exhibit, Failed, Ignored, Layer, Loaded, Metric, Record, RunSummary, SCHEMA,
    Scale, Seconds, Sparsity, Unit,
};
use ptsbench::tasks::Picture;

fn scale(_: &str) -> Scale {
    Scale {
        unit: "%",
        ..Scale::default()
    }
}

const WORDS: Words = Words {
    scale,
    family: |_| None,
};

fn record(model: &str, allocator: &str, reconstruction: &str, sparsity: f64, top1: f64) -> Record {
    Record {
        schema: SCHEMA,
        key: "key".into(),
        case: format!(
            "default::classification/fashion-mnist/{model}/{allocator}/{reconstruction}@{sparsity:.2}"
        ),
        suite: "default".into(),
        task: "classification".into(),
        dataset: "fashion-mnist".into(),
        model: model.into(),
        allocator: allocator.into(),
        reconstruction: reconstruction.into(),
        sparsity: Sparsity {
            target: sparsity,
            achieved: sparsity,
        },
        metrics: [("top1", 92.0, top1), ("top5", 99.8, 99.0)]
            .map(|(name, dense, sparse)| {
                let relative = Some(sparse / dense);
                (
                    name,
                    Metric {
                        dense,
                        sparse,
                        relative,
                    },
                )
            })
            .into_iter()
            .collect(),
        layers: (0..20)
            .map(|index| Layer {
                name: format!(
                    "layer{}.{}.conv{}",
                    1 + index / 7,
                    index % 7 / 2,
                    1 + index % 2
                ),
                numel: 432 << (index / 4),
                pruned: 200 << (index / 4),
                sparsity: (sparsity + 0.011 * (f64::from(index) - 10.0)).min(1.0),
            })
            .collect(),
        evidence: None,
        exhibits: Vec::new(),
        units: (0..9)
            .map(|index| Unit {
                name: format!("layer{}.{}", 1 + index / 3, index % 3),
                layers: vec!["conv1".into(), "conv2".into()],
                loss_before: 0.8 / f64::from(index + 1),
                loss_after: 0.11 / f64::from(index + 1),
                iterations: 300,
                seconds: 2.3,
            })
            .collect(),
        seconds: Seconds {
            allocate: 0.1,
            mask: 0.2,
            correct: 1.5,
            reconstruct: 21.0,
            evaluate: 3.0,
            total: 25.8,
        },
        peak_rss_bytes: Some(312 << 20),
        environment: Environment {
            device: "cpu".into(),
            threads: 2,
            cpu: "A Processor at 2.4 GHz".into(),
            version: "0.1.0".into(),
            commit: Some("ee2c005".into()),
            seed: 0,
        },
        notes: vec!["bias correction skipped `fc`, which has no bias".into()],
        spec: serde_json::Map::from_iter([
            ("iterations".to_owned(), 300.into()),
            ("data".to_owned(), "embedded:fashion-mnist".into()),
        ]),
    }
}

/// Makes up results such as a suite of three models gives.
fn example() -> Loaded {
    let allocators = [
        ("uniform", 0.0),
        ("er", 1.4),
        ("erk", 2.9),
        ("magnitude", 1.1),
        ("l1norm", 2.6),
        ("l2norm", 3.1),
        ("lamp", 3.4),
        ("fcpts:l2norm", 4.2),
    ];
    let reconstructions = [
        ("none", 0.0),
        ("single-dense-none-sgd", 4.0),
        ("single-sparse-bias-sgd", 5.1),
        ("layer-sparse-weight+bias-adam(lr=3e-3)", 6.6),
        ("block-sparse-weight+bias-adam(lr=3e-3)", 8.3),
        (
            "block-sparse-weight+bias-adam(lr=3e-3),net-sparse-none-adam",
            10.1,
        ),
    ];
    let mut records = Vec::new();
    for (model, robust) in [("mobilenet_v2", 0.7), ("resnet20", 1.0), ("vit_tiny", 1.15)] {
        for sparsity in [0.5_f64, 0.8, 0.9] {
            let top1 = |gain: f64| 92.0 - sparsity.powi(5) * (60.0 - 4.0 * gain) / robust;
            for (allocator, gain) in allocators {
                records.push(record(model, allocator, "none", sparsity, top1(gain)));
            }
            for (reconstruction, gain) in &reconstructions[1..] {
                records.push(record(
                    model,
                    "erk",
                    reconstruction,
                    sparsity,
                    top1(2.9 + gain),
                ));
            }
        }
    }
    records.push(record("resnet20", "lamp", reconstructions[4].0, 0.8, 88.0));
    records.push(record(
        "resnet20",
        "random",
        "single-sparse-none-exact",
        0.7,
        f64::NAN,
    ));
    records.sort_by(|a, b| a.case.cmp(&b.case));
    let case = |name: &str| format!("default::classification/cifar10/{name}/erk/none@0.80");
    Loaded {
        records,
        summaries: vec![RunSummary {
            suite: "default".into(),
            ignored: vec![Ignored {
                case: case("resnet56"),
                reason: "no data set `cifar10`: set PTSBENCH_DATA to the folder that holds it"
                    .into(),
            }],
            failed: vec![Failed {
                case: case("resnet20"),
                message: "golden differs\nmetric       golden    new\ntop1 sparse   90.10  88.00"
                    .into(),
            }],
        }],
        problems: Vec::new(),
    }
}

#[test]
fn everything_is_on_the_page() {
    let html = render(&example(), WORDS);
    for text in [
        "Suite <code>default</code>",
        "<h3>Allocators</h3>",
        "<h3>Reconstructions</h3>",
        "Not ranked, for want of a setting in common with the rest: <code>random</code> (0 settings)",
        "bias correction skipped `fc`, which has no bias",
        "ptsbench run --suite default --force",
        "A Processor at 2.4 GHz",
        "312 MiB",
        "set PTSBENCH_DATA",
        "top1 sparse   90.10  88.00",
        "NaN",
    ] {
        assert!(html.contains(text), "{text} is missing");
    }
    if let Some(folder) = std::env::var_os("PTSBENCH_EXAMPLE_PAGE") {
        write(&example(), folder.as_ref(), WORDS).unwrap();
    }
}

#[test]
fn the_page_needs_nothing_else_and_is_always_the_same() {
    let html = render(&example(), WORDS);
    for outside in [
        "http:",
        "https:",
        "url(",
        "@import",
        "src=",
        "<link rel=\"stylesheet\"",
    ] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert_eq!(html, render(&example(), WORDS));
}

/// Makes up what four techniques leave of a generator at four sparsities, in pictures of so many letters each.
fn generators(letters: usize) -> Vec<Record> {
    let picture = |number: usize| Picture {
        url: format!(
            "data:image/png;base64,{number:03}{}",
            "A".repeat(letters - 3)
        ),
        width: 168,
        height: 168,
    };
    let mut records = Vec::new();
    for allocator in ["erk", "uniform"] {
        for reconstruction in ["none", "block-sparse-weight+bias-adam"] {
            for sparsity in [0.5, 0.7, 0.8, 0.9] {
                let mut record = record("unet", allocator, reconstruction, sparsity, 40.0);
                record.case = record.case.replace("classification", "generation");
                record.task = "generation".into();
                record.exhibits.push(Exhibit {
                    name: "36 drawings from noise".into(),
                    picture: picture(0),
                    sparse_picture: Some(picture(records.len() + 1)),
                    truth: Vec::new(),
                    dense: Vec::new(),
                    sparse: Vec::new(),
                });
                records.push(record);
            }
        }
    }
    records
}

#[test]
fn drawings_are_side_by_side_and_their_data_in_the_page_once() {
    const SECTION: &str = "Drawings from the same noise";
    let mut loaded = example();
    assert!(!render(&loaded, WORDS).contains(SECTION));
    loaded.records.extend(generators(20_000));
    let html = render(&loaded, WORDS);
    assert_eq!(html.matches(SECTION).count(), 1);
    assert_eq!(html.matches("data:image&#x2f;png").count(), 17);
    let used = html.split("<use href=\"#").skip(1);
    let used: Vec<&str> = used.filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(used.len(), 32);
    for id in used {
        assert_eq!(html.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
    }
    assert!(!html.contains(">missing<"));
    loaded.records.remove(loaded.records.len() - 2);
    let html = render(&loaded, WORDS);
    assert_eq!(html.matches(">missing<").count(), 1);
}

#[test]
fn an_empty_store_has_a_page() {
    let html = render(&Loaded::default(), WORDS);
    assert!(html.contains("There is no result yet."));
    assert!(!html.contains("<table"));
}

#[test]
fn names_cannot_inject() {
    let hostile = "</script><script>alert(1)</script>\"'><img onerror=alert(1) {{ 7 * 7 }}";
    let mut loaded = example();
    loaded.records.extend(generators(8));
    let count = |html: &str, tag: &str| html.matches(tag).count();
    let scripts = count(&render(&loaded, WORDS), "<script");
    for record in &mut loaded.records {
        for field in [
            &mut record.case,
            &mut record.suite,
            &mut record.task,
            &mut record.dataset,
            &mut record.environment.cpu,
            &mut record.notes[0],
            &mut record.layers[0].name,
            &mut record.units[0].name,
        ] {
            hostile.clone_into(field);
        }
        hostile.clone_into(&mut record.units[0].layers[0]);
        for exhibit in &mut record.exhibits {
            hostile.clone_into(&mut exhibit.name);
        }
        record.model += hostile;
        record.allocator += hostile;
        record.reconstruction += hostile;
        let metrics = record
            .metrics
            .iter()
            .map(|(name, metric)| (format!("{name}{hostile}"), *metric));
        record.metrics = metrics.collect();
        record.spec.insert(hostile.into(), hostile.into());
    }
    hostile.clone_into(&mut loaded.summaries[0].ignored[0].reason);
    hostile.clone_into(&mut loaded.summaries[0].failed[0].message);
    let html = render(&loaded, WORDS);
    assert_eq!(count(&html, "<script"), scripts);
    assert_eq!(count(&html, "<img"), 0);
    assert!(
        html.contains("{{ 7 * 7 }}"),
        "the text of a name is shown as it is"
    );
    for attribute in ["data-v=\"", "data-search=\"", "title=\"", "aria-label=\""] {
        for rest in html.split(attribute).skip(1) {
            let value = rest.split('"').next().unwrap_or_default();
            assert!(!value.contains(['<', '>']), "{attribute}{value}");
        }
    }
}

#[test]
fn the_page_is_written_and_trouble_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&example(), &folder.path().join("reports"), WORDS).unwrap();
    assert!(path.ends_with("reports/index.html"));
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        render(&example(), WORDS)
    );
    let cases = example().records.len();
    let table = std::fs::read_to_string(path.with_file_name("cases.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 2 * cases);
    let array = std::fs::read(path.with_file_name("cases.json")).unwrap();
    let records: Vec<Record> = serde_json::from_slice(&array).unwrap();
    assert_eq!(records.len(), cases);
    let error = write(&example(), &path, WORDS).unwrap_err();
    assert!(error.to_string().contains("index.html"), "{error}");
}
