//! Content hashes: what a result depends on.

use crate::case::CaseSpec;
use crate::record::SCHEMA;
use serde_json::{Value, json};

/// Returns the hash of everything that the record of a case depends on. Where weights, also those of its `companions`, and data lie does
/// not matter, what they hold does.
pub(super) fn of_case(spec: &CaseSpec, weights: &str, data: &str, companions: &Value) -> String {
    let mut spec = json!(spec);
    if let Some(fields) = spec.as_object_mut() {
        for elsewhere in ["weights", "data", "judge", "decoder"] {
            fields.remove(elsewhere);
        }
    }
    of(&json!({"spec": spec, "weights": weights, "data": data, "companions": companions}))
}

/// Returns the hash of a value, of the record's format and of this program.
pub(super) fn of(value: &Value) -> String {
    let program = [env!("CARGO_PKG_VERSION"), env!("PTSBENCH_SOURCES")];
    let all = json!({"schema": SCHEMA, "program": program, "of": value});
    blake3::hash(all.to_string().as_bytes())
        .to_hex()
        .to_string()
}
