use super::*;

fn suite(sections: &str) -> Result<Suite, SuiteErrorKind> {
    let text = format!(
        r#"
        description = "a test"
        [settings]
        iterations = 7
        [[subjects]]
        model = "resnet20"
        weights = "embedded:resnet20-fashion-mnist"
        data = "embedded:fashion-mnist"
        [[subjects]]
        model = "resnet32"
        weights = "${{W}}/resnet32.safetensors"
        data = "cifar100:${{D}}"
        {sections}
        "#
    );
    Suite::parse("unit/test", &text, &|name| {
        (name == "W").then(|| "/nowhere".to_owned())
    })
}

/// The message of a bad suite with those of its causes.
fn message(sections: &str) -> String {
    let error = suite(sections).unwrap_err();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

const SECTION: &str = r#"
    [[sections]]
    name = "first"
    allocators = ["uniform", "erk(power=0.5)"]
    reconstructions = ["none", "single-dense-none-exact"]
    sparsities = [0.5, 0.875]
"#;

#[test]
fn sections_are_full_products() {
    let suite = suite(SECTION).unwrap();
    assert_eq!(suite.entries.len(), 2 * 2 * 2 * 2);
    let ids: Vec<String> = suite.entries.iter().map(|e| e.case.spec.id()).collect();
    assert_eq!(
        ids[0],
        "unit/test::classification/fashion-mnist/resnet20/uniform/none@0.50"
    );
    assert_eq!(
        ids[15],
        "unit/test::classification/cifar100/resnet32/erk(power=0.5)/single-dense-none-exact@0.875"
    );
    assert!(
        suite
            .entries
            .iter()
            .all(|e| e.case.spec.settings.iterations == 7)
    );
}

#[test]
fn what_is_absent_is_ignored_with_its_reason() {
    let suite = suite(SECTION).unwrap();
    assert_eq!(suite.entries[0].ignored, None);
    assert_eq!(
        suite.entries[15].ignored.as_deref(),
        Some("the variable `D` is not set")
    );
}

#[test]
fn sections_override_settings_and_pick_models() {
    let suite = suite(
        r#"
        [[sections]]
        name = "one"
        models = ["resnet20"]
        allocators = ["erk"]
        reconstructions = ["none"]
        sparsities = [0.5]
        settings = { calibration = 12, fold = "after-allocation" }
        "#,
    )
    .unwrap();
    let settings = &suite.entries[0].case.spec.settings;
    assert_eq!(suite.entries.len(), 1);
    assert_eq!((settings.iterations, settings.calibration), (7, 12));
    assert_eq!(settings.fold, crate::case::Fold::AfterAllocation);
}

#[test]
fn the_same_case_twice_is_one_case_or_a_conflict() {
    assert_eq!(suite(&SECTION.repeat(2)).unwrap().entries.len(), 16);
    let other = SECTION.replace("first", "second") + "settings = { seed = 1 }";
    assert_eq!(
        message(&(SECTION.to_owned() + &other)),
        "case `unit/test::classification/fashion-mnist/resnet20/uniform/none@0.50` is in section `first` and in section \
         `second` with other settings, weights or data"
    );
    let twin = r#"
        [[subjects]]
        model = "resnet20"
        weights = "other.safetensors"
        data = "embedded:fashion-mnist"
    "#;
    let message = message(&(twin.to_owned() + SECTION));
    assert!(
        message.contains("is in section `first` and in section `first`"),
        "{message}"
    );
}

/// A few hundred bytes of lists can stand for more cases than memory has room for.
#[test]
fn a_product_beyond_all_measure_is_refused() {
    let rates: Vec<String> = (0..1000).map(|i| format!("0.{i:03}1")).collect();
    let long = SECTION.replace("0.5, 0.875", &rates.join(", "));
    let long = long.replace("\"none\"", &["\"none\""; 100].join(", "));
    let message = message(&long);
    let expected =
        "the suite has more than 100000 cases up to section `first`, expected shorter lists";
    assert_eq!(message, expected);
}

#[test]
fn bad_suites_say_where_and_why() {
    let rows = [
        ("0.875", "1.0", "section `first` has sparsity 1, expected"),
        ("0.875", "-0.1", "section `first` has sparsity -0.1"),
        ("0.875", "nan", "section `first` has sparsity NaN"),
        ("[0.5, 0.875]", "[]", "section `first` has no cases"),
        ("sparsities", "sparsitys", "unknown field `sparsitys`"),
        ("\"uniform\"", "\"unifrom\"", "did you mean `uniform`?"),
        ("single-dense", "singel-dense", "did you mean `single`"),
        (
            "name = \"first\"",
            "name = \"first\"\nmodels = [\"resnet\"]",
            "section `first` cannot pick its models: unknown subject `resnet`, did you mean",
        ),
        (
            "name = \"first\"",
            "name = \"first\"\nsettings = { iteration = 1 }",
            "unknown field `iteration`",
        ),
        (
            "name = \"first\"",
            "name = \"first\"\nsettings = { batch_size = 0 }",
            "bad settings in section `first`: invalid value: integer `0`, expected a nonzero",
        ),
        (
            "name = \"first\"",
            "name = \"first\"\nsettings = { limit = 0 }",
            "expected a nonzero",
        ),
        (
            "name = \"first\"",
            "name = \"first\"\nsettings = { augment = [\"flipp\"] }",
            "unknown augmentation `flipp`, did you mean `flip`?",
        ),
    ];
    let failures: Vec<String> = rows
        .into_iter()
        .map(|(from, to, why)| (why, message(&SECTION.replace(from, to))))
        .filter(|(why, message)| !message.contains(why))
        .map(|(why, message)| format!("`{why}` is not in: {message}"))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn bad_subjects_say_which_and_why() {
    for (model, weights, data, why) in [
        ("resnet2O", "w.pth", "cifar10:d", "did you mean `resnet20`"),
        (
            "resnet20(deph=1)",
            "w.pth",
            "cifar10:d",
            "unknown field `deph`",
        ),
        (
            "resnet20",
            "w.pth",
            "cifar11:d",
            "unknown data format `cifar11`",
        ),
        (
            "resnet20",
            "embedded:resnet21",
            "cifar10:d",
            "unknown embedded checkpoint",
        ),
    ] {
        let subject = format!(
            "[[subjects]]\nmodel = \"{model}\"\nweights = \"{weights}\"\ndata = \"{data}\"\n"
        );
        let message = message(&(subject + SECTION));
        assert!(message.contains(why), "`{why}` is not in: {message}");
    }
}
