//! What the program says of its models, for review: the blocks of one model a family, as `ptsbench describe` shows them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ptsbench::graph::Description;
use ptsbench::models::{self, FAMILIES};
use ptsbench::registry::{Named, Spec};

/// Returns the first line of the description, and the units of granularity `block`.
fn blocks(description: &Description) -> String {
    let text = description.to_string();
    let mut parts = text.split("\n\n");
    let totals = parts.next().unwrap();
    let blocks = parts.find(|part| part.starts_with("block: ")).unwrap();
    format!("{totals}\n{blocks}")
}

#[test]
fn blocks_are_what_the_papers_call_blocks() {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path("snapshots/blocks");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for family in &FAMILIES {
        let first = family.variants()[0];
        let model = models::build(&Spec::plain(first)).unwrap();
        settings.set_description(format!("{}: {first}", family.summary()));
        settings.bind(|| {
            let text = blocks(&Description::of(&model.graph));
            insta::assert_snapshot!(family.name(), text);
        });
    }
}
