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
    let message = suite(&(SECTION.to_owned() + &other))
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("sections `first` and `second` have case"),
        "{message}"
    );
}

#[test]
fn bad_suites_say_where_and_why() {
    for (from, to, why) in [
        ("0.875", "1.0", "section `first` has sparsity 1, expected"),
        ("0.875", "-0.1", "section `first` has sparsity -0.1"),
        ("sparsities", "sparsitys", "unknown field `sparsitys`"),
        ("\"uniform\"", "\"unifrom\"", "cannot be resolved"),
        (
            "name = \"first\"",
            "name = \"first\"\nmodels = [\"resnet\"]",
            "which is no subject",
        ),
        (
            "name = \"first\"",
            "name = \"first\"\nsettings = { iteration = 1 }",
            "unknown field `iteration`",
        ),
    ] {
        let message = suite(&SECTION.replace(from, to)).unwrap_err().to_string();
        assert!(message.contains(why), "{why}: {message}");
    }
}
