//! The pages as a whole: complete, self-contained, the same every time, and safe against what names may hold.

use ptsbench::golden::{Deviation, Drift};
use ptsbench::leaderboard::{Input, Origin, difference, render, write};
use ptsbench::record::{
    Environment, Exhibit, Failed, Ignored, Layer, Loaded, Metric, Record, RunSummary, SCHEMA,
    Scale, Seconds, Sparsity, Unit, compare,
};
use ptsbench::tasks::{Mark, Picture};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn input(loaded: &Loaded) -> Input<'_> {
    Input {
        loaded,
        drift: &[],
        origin: Origin::Runs,
    }
}

fn pages(loaded: &Loaded) -> BTreeMap<String, String> {
    render(&input(loaded))
}

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
fn everything_is_on_the_pages() {
    let pages = pages(&example());
    for (page, text) in [
        (
            "index.html",
            "What should I use? <small>suite <code>default</code>",
        ),
        ("index.html", "How far can it be pruned?"),
        ("tracks/allocation.html", "<h1>Allocators</h1>"),
        ("tracks/reconstruction.html", "<h1>Reconstructions</h1>"),
        (
            "tracks/allocation.html",
            "Not ranked here, for want of settings in common with the rest:",
        ),
        ("allocators/erk.html", "Where it stands"),
        ("models/resnet20.html", "Quality against time"),
        ("models/resnet20.html", "Sparsity by layer"),
        ("methodology.html", "A Processor at 2.4 GHz"),
        ("methodology.html", "frechet-embedded"),
        ("cases.html", "set PTSBENCH_DATA"),
        ("cases.html", "top1 sparse   90.10  88.00"),
        ("cases.html", "NaN"),
        ("compare.html", "block-sparse-weight+bias-adam"),
    ] {
        assert!(pages[page].contains(text), "{text} is missing from {page}");
    }
    let mut cases = pages.iter().filter(|(path, _)| path.starts_with("cases/"));
    assert_eq!(cases.clone().count(), example().records.len());
    for text in [
        "bias correction skipped `fc`, which has no bias",
        "ptsbench run --suite default --force",
        "312 MiB",
    ] {
        assert!(cases.all(|(_, page)| page.contains(text)), "{text}");
    }
    keep("example", &with_pictures(example()));
}

/// Writes pages for the tests in a browser, if they ask for any; each case has a golden that it is more or less near to.
fn keep(name: &str, loaded: &Loaded) {
    let Some(folder) = std::env::var_os("PTSBENCH_EXAMPLE_PAGES") else {
        return;
    };
    let number = |case: usize| Deviation {
        name: "top1 sparse".to_owned(),
        golden: Some(70.0),
        new: Some(70.0 + 0.006 * case as f64),
        allowed: 0.5,
    };
    let records = loaded.records.iter().enumerate();
    let drift = records.map(|(index, record)| Drift {
        case: record.case.clone(),
        numbers: Ok(vec![number(index)]),
    });
    let input = Input {
        drift: &drift.collect::<Vec<_>>(),
        ..input(loaded)
    };
    let folder = Path::new(&folder).join(name);
    write(&input, &folder).expect("the folder can be written to");
}

/// One grey pixel as a PNG.
const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";

/// Adds what the other records of the example lack: drawings, and boxes in pictures.
fn with_pictures(mut loaded: Loaded) -> Loaded {
    loaded.records.extend(generators(8));
    let mark = |score| Mark {
        edges: [10.0, 20.0, 90.0, 120.0],
        label: "bag".to_owned(),
        score,
    };
    let picture = Picture {
        url: PIXEL.to_owned(),
        width: 168,
        height: 168,
    };
    for record in &mut loaded.records {
        for exhibit in &mut record.exhibits {
            exhibit.picture = picture.clone();
            exhibit.sparse_picture = Some(picture.clone());
        }
    }
    loaded.records[0].exhibits.push(Exhibit {
        name: "test image 0".into(),
        picture,
        sparse_picture: None,
        truth: vec![mark(None)],
        dense: vec![mark(Some(0.9))],
        sparse: vec![mark(Some(0.5))],
    });
    loaded
}

/// Returns what the attributes called `name` hold.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let opening = format!(" {name}=\"");
    let parts = html.split(&opening).skip(1);
    parts.filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn all_links_lead_somewhere() {
    let mut loaded = example();
    loaded.records.extend(generators(8));
    let pages = pages(&loaded);
    let beside = ["style.css", "script.js", "cases.csv", "cases.json"];
    let mut links = 0;
    for (path, html) in &pages {
        let folder = Path::new(path).parent().unwrap();
        let ids: BTreeSet<&str> = attributes(html, "id").into_iter().collect();
        let sources = attributes(html, "src").into_iter();
        for link in attributes(html, "href").into_iter().chain(sources) {
            let link = link.replace("&#x2f;", "/");
            if link == "data:," || link.starts_with("data:image/png") {
                continue;
            }
            links += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            if file.is_empty() {
                assert!(ids.contains(anchor), "{path}: {link}");
                continue;
            }
            let target = match file.strip_prefix("../") {
                Some(rest) => rest.to_owned(),
                None => folder.join(file).to_str().unwrap().to_owned(),
            };
            let found = pages.get(&target);
            assert!(
                found.is_some() || beside.contains(&&*target),
                "{path}: {link}"
            );
            let id = format!("id=\"{anchor}\"");
            assert!(
                anchor.is_empty() || found.unwrap().contains(&id),
                "{path}: {link}"
            );
        }
    }
    assert!(links > 1_000, "{links}");
}

#[test]
fn pages_need_nothing_from_outside_and_are_always_the_same() {
    let once = pages(&example());
    for (path, html) in &once {
        let complete = !path.contains('/');
        for outside in ["http:", "https:", "url(", "@import"] {
            // The name of a vocabulary, which nobody fetches.
            let html = html.replace("http://www.w3.org/2000/svg", "");
            assert!(!html.contains(outside), "{path}: {outside}");
        }
        for shared in [" src=\"", "<link rel=\"stylesheet\""] {
            assert_eq!(html.contains(shared), !complete, "{path}: {shared}");
        }
    }
    assert!(once == pages(&example()));
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
    const PAGE: &str = "drawings.html";
    let mut loaded = example();
    assert!(!pages(&loaded).contains_key(PAGE));
    loaded.records.extend(generators(20_000));
    let html = &pages(&loaded)[PAGE];
    assert_eq!(html.matches("data:image&#x2f;png").count(), 17);
    assert!(!html.contains(">missing<"));
    loaded.records.remove(loaded.records.len() - 2);
    assert_eq!(pages(&loaded)[PAGE].matches(">missing<").count(), 1);
}

#[test]
fn an_empty_store_has_pages() {
    let pages = pages(&Loaded::default());
    let paths: Vec<&str> = pages.keys().map(String::as_str).collect();
    assert_eq!(paths, ["index.html", "methodology.html"]);
    assert!(pages["index.html"].contains("There is no result yet."));
}

#[test]
fn seeds_are_taken_together() {
    let mut loaded = example();
    let seeded = loaded.records.iter().cloned().map(|mut record| {
        record.environment.seed = 1;
        let metrics = record.metrics.iter().map(|(name, metric)| {
            let sparse = metric.sparse - 1.0;
            let relative = Some(sparse / metric.dense);
            (
                name,
                Metric {
                    sparse,
                    relative,
                    ..*metric
                },
            )
        });
        record.metrics = metrics.collect();
        record
    });
    let seeded: Vec<Record> = seeded.collect();
    let alone = pages(&loaded);
    loaded.records.extend(seeded);
    let both = pages(&loaded);
    assert_eq!(
        alone.keys().collect::<Vec<_>>(),
        both.keys().collect::<Vec<_>>()
    );
    let case = both
        .iter()
        .find(|(path, _)| path.starts_with("cases/erk") || path.contains("-erk-"));
    assert!(case.unwrap().1.contains("<h3>By seed</h3>"));
    assert!(both["tracks/allocation.html"].contains(" ± "));
    assert!(!alone["tracks/allocation.html"].contains(" ± "));
}

#[test]
fn names_cannot_inject() {
    let hostile =
        "</script><script>harmed = 1</script>\"'><img src=x onerror=harmed=1>/../../{{ 7 * 7 }}";
    let mut loaded = example();
    loaded.records.extend(generators(8));
    let count = |html: &str, tag: &str| html.matches(tag).count();
    for record in &mut loaded.records {
        record.case += hostile;
        for field in [
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
    let comparison = compare(&example().records, &loaded.records, |_| Scale::default());
    let names = [hostile, hostile].map(str::to_owned);
    keep("hostile", &loaded);
    let mut dirty = pages(&loaded);
    dirty.insert("~".to_owned(), difference(&comparison, &names));
    for (path, html) in &dirty {
        let scripts = if path == "compare.html" { 3 } else { 1 };
        assert_eq!(count(html, "<script"), scripts, "{path}");
        assert_eq!(count(html, "</script"), scripts, "{path}");
    }
    for (path, html) in &dirty {
        assert_eq!(count(html, "<img"), 0, "{path}");
        for name in ["data-v", "title", "aria-label", "href", "id"] {
            for value in attributes(html, name) {
                assert!(!value.contains(['<', '>']), "{path}: {name}={value}");
            }
        }
    }
    let shown = dirty["cases.html"].contains("{{ 7 * 7 }}");
    assert!(shown, "the text of a name is shown as it is");
}

#[test]
fn the_pages_are_written_and_trouble_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("reports");
    let mut loaded = example();
    let first = write(&input(&loaded), &out).unwrap();
    assert!(first.ends_with("reports/index.html"));
    for (path, html) in pages(&loaded) {
        assert_eq!(std::fs::read_to_string(out.join(&path)).unwrap(), html);
    }
    let cases = loaded.records.len();
    let table = std::fs::read_to_string(out.join("cases.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 2 * cases);
    let array = std::fs::read(out.join("cases.json")).unwrap();
    let records: Vec<Record> = serde_json::from_slice(&array).unwrap();
    assert_eq!(records.len(), cases);

    // What a later leaderboard does not have is gone.
    let count = || std::fs::read_dir(out.join("cases")).unwrap().count();
    assert_eq!(count(), cases);
    loaded.records.truncate(3);
    write(&input(&loaded), &out).unwrap();
    assert_eq!(count(), 3);

    let error = write(&input(&loaded), &first).unwrap_err();
    assert!(error.to_string().contains("index.html"), "{error}");
}
