//! What names in records mean, which records do not tell.

use super::format::better;
use crate::allocate::ALLOCATORS;
use crate::graph::GRANULARITIES;
use crate::metrics::METRICS;
use crate::models;
use crate::reconstruct::{CORRECTIONS, SOLVERS};
use crate::record::Scale;
use crate::registry::Named as _;
use serde::Serialize;

/// A name and what it means.
#[derive(Debug, Serialize)]
pub(super) struct Named {
    name: String,
    about: String,
}

impl Named {
    fn new(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
        }
    }
}

/// Returns the part of a spec before its parameters.
fn stem(spec: &str) -> &str {
    spec.split(['(', ':']).next().unwrap_or(spec)
}

/// Returns the family of the model that a spec names.
pub(super) fn family(model: &str) -> Option<&'static str> {
    Some(models::family_of(stem(model)).ok()?.name())
}

/// Says what the model is that a spec names.
pub(super) fn model(model: &str) -> Option<&'static str> {
    Some(models::family_of(stem(model)).ok()?.summary())
}

/// Says what the allocator does that a spec names.
pub(super) fn allocator(spec: &str) -> Option<String> {
    Some(ALLOCATORS.find(stem(spec)).ok()?.summary().to_owned())
}

/// Says what the parts of a reconstruction do, link by link.
pub(super) fn reconstruction(spec: &str) -> Option<String> {
    if spec == "none" {
        return Some("masks alone: nothing is corrected or reconstructed".to_owned());
    }
    let known = parts();
    let about = |word: &str| known.iter().find(|named| named.name == word);
    let mut said: Vec<String> = Vec::new();
    for word in spec.split(['-', ',']).map(stem) {
        let text = about(word).map(|named| format!("{word}: {}", named.about));
        if let Some(text) = text.filter(|text| !said.contains(text)) {
            said.push(text);
        }
    }
    (!said.is_empty()).then(|| said.join("; "))
}

/// Returns all allocators.
pub(super) fn allocators() -> Vec<Named> {
    let all = ALLOCATORS.iter();
    all.map(|entry| Named::new(entry.name(), entry.summary()))
        .collect()
}

/// Returns all that reconstructions are put together from.
pub(super) fn parts() -> Vec<Named> {
    let granularities = GRANULARITIES
        .iter()
        .map(|g| Named::new(g.name(), g.summary()));
    let inputs = [
        ("dense", "units see what the dense network feeds them"),
        (
            "sparse",
            "units see what the network pruned so far feeds them",
        ),
    ];
    let inputs = inputs.map(|(name, about)| Named::new(name, about));
    let corrections = CORRECTIONS
        .iter()
        .map(|c| Named::new(c.name(), c.summary()));
    let solvers = SOLVERS.iter().map(|s| Named::new(s.name(), s.summary()));
    granularities
        .chain(inputs)
        .chain(corrections)
        .chain(solvers)
        .collect()
}

/// Returns all metrics with their units, directions and tolerances.
pub(super) fn metrics() -> Vec<Named> {
    let about = |name: &str, title: &str| {
        let scale = Scale::of(name);
        let unit = if scale.unit.is_empty() {
            String::new()
        } else {
            format!(" in {}", scale.unit)
        };
        let tolerance = scale.tolerance;
        format!("{title}{unit}, {}, tolerance {tolerance}", better(scale))
    };
    let all = METRICS.iter();
    all.map(|metric| Named::new(metric.name, about(metric.name, metric.title)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_explained_part_by_part() {
        assert_eq!(family("resnet20(num_classes=100)"), Some("resnet-cifar"));
        assert_eq!(family("no_such_model"), None);
        assert!(
            allocator("fcpts:erk(iterations=20)")
                .unwrap()
                .contains("FCPTS")
        );
        let said = reconstruction("block-sparse-weight+bias-adam(lr=0.003,decay=cosine)").unwrap();
        for word in ["block: ", "sparse: ", "weight+bias: ", "adam: "] {
            assert_eq!(said.matches(word).count(), 1, "{word} in {said}");
        }
        assert_eq!(reconstruction("mine"), None);
        assert!(
            metrics()
                .iter()
                .all(|metric| metric.about.contains("tolerance"))
        );
    }
}
