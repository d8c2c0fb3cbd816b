//! One static table type for everything that can be named: models, allocators, solvers, tasks, metrics.
//!
//! A family of extensions is a `static` [`Registry`] in its `mod.rs`, one line an entry. What an entry is called and what
//! it takes is in the entry itself, so adding one touches its own file and that line. Names that are not in a table are
//! answered with the nearest ones ([`UnknownName`]).

mod spec;

pub use spec::{Params, Spec, SpecError};

use serde::de::DeserializeOwned;

/// Something that a [`Registry`] can hold.
pub trait Named {
    /// Returns the name under which users ask for it, unique within its registry.
    fn name(&self) -> &str;
}

impl<T: Named + ?Sized> Named for &T {
    fn name(&self) -> &str {
        (**self).name()
    }
}

/// A static table of named entries.
#[derive(Debug)]
pub struct Registry<T: 'static> {
    kind: &'static str,
    entries: &'static [T],
}

impl<T: Named> Registry<T> {
    /// Makes a registry of `entries`; `kind` says in messages what an entry is ("allocator").
    pub const fn new(kind: &'static str, entries: &'static [T]) -> Self {
        Self { kind, entries }
    }

    /// Returns the entry called `name`.
    ///
    /// # Errors
    /// [`UnknownName`] with the nearest known names.
    pub fn find(&self, name: &str) -> Result<&'static T, UnknownName> {
        self.entries
            .iter()
            .find(|entry| entry.name() == name)
            .ok_or_else(|| UnknownName::new(self.kind, name, self.names()))
    }

    /// Iterates over the entries in the order of the table.
    pub fn iter(&self) -> std::slice::Iter<'static, T> {
        self.entries.iter()
    }

    /// Iterates over the names in the order of the table.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().map(Named::name)
    }

    /// Returns what an entry is called in messages.
    pub fn kind(&self) -> &'static str {
        self.kind
    }
}

impl<T: Named> IntoIterator for &Registry<T> {
    type Item = &'static T;
    type IntoIter = std::slice::Iter<'static, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A name that no entry of a registry has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind} `{name}`{}", self.hint())]
pub struct UnknownName {
    /// What was asked for, for example `allocator`.
    pub kind: &'static str,
    /// The name that was not found.
    pub name: String,
    /// The nearest known names, best first.
    pub suggestions: Vec<String>,
    /// Every known name.
    pub known: Vec<String>,
}

impl UnknownName {
    /// The similarity from which a known name is offered as a correction.
    const NEAR: f64 = 0.7;

    /// Describes the unknown `name` among the `known` ones of a `kind`.
    pub fn new<'a>(
        kind: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        let mut near: Vec<(f64, &String)> = known
            .iter()
            .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
            .filter(|(similarity, _)| *similarity >= Self::NEAR)
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        let suggestions = near.into_iter().take(3).map(|(_, n)| n.clone()).collect();
        Self {
            kind,
            name: name.to_owned(),
            suggestions,
            known,
        }
    }

    fn hint(&self) -> String {
        if self.suggestions.is_empty() {
            format!(" (known: {})", self.known.join(", "))
        } else {
            format!(", did you mean `{}`?", self.suggestions.join("`, `"))
        }
    }
}

/// A registry entry for techniques made from parameters: the technique's struct *is* its parameters.
///
/// `T` is the trait object that the entry builds, for example `dyn Allocator`.
pub struct Technique<T: ?Sized + 'static> {
    name: &'static str,
    summary: &'static str,
    build: fn(&Params) -> Result<Box<T>, serde_json::Error>,
}

impl<T: ?Sized> std::fmt::Debug for Technique<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Technique").field(&self.name).finish()
    }
}

impl<T: ?Sized> Technique<T> {
    /// Makes an entry; `build` is usually a closure over [`from_params`].
    pub const fn new(
        name: &'static str,
        summary: &'static str,
        build: fn(&Params) -> Result<Box<T>, serde_json::Error>,
    ) -> Self {
        Self {
            name,
            summary,
            build,
        }
    }

    /// Returns the one-line description shown by `--help` and on the leaderboard.
    pub fn summary(&self) -> &'static str {
        self.summary
    }
}

impl<T: ?Sized> Named for Technique<T> {
    fn name(&self) -> &str {
        self.name
    }
}

impl<T: ?Sized> Registry<Technique<T>> {
    /// Builds the technique that `spec` names, with its parameters.
    ///
    /// # Errors
    /// [`SpecError`] for an unknown name, or a parameter that is unknown or of the wrong type.
    pub fn build(&self, spec: &Spec) -> Result<Box<T>, SpecError> {
        let entry = self.find(&spec.name)?;
        (entry.build)(&spec.params).map_err(|source| SpecError::Params {
            spec: spec.to_string(),
            source,
        })
    }
}

/// Reads a technique's struct from the parameters of a spec.
///
/// The struct derives `Deserialize` with `#[serde(default, deny_unknown_fields)]`, so that a misspelt parameter is an error.
///
/// # Errors
/// What serde says of an unknown or ill-typed parameter.
pub fn from_params<P: DeserializeOwned>(params: &Params) -> Result<P, serde_json::Error> {
    serde_json::from_value(serde_json::Value::Object(params.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    static NAMES: Registry<&'static Word> = Registry::new("word", &[&Word("erk"), &Word("lamp")]);

    #[derive(Debug, PartialEq)]
    struct Word(&'static str);

    impl Named for Word {
        fn name(&self) -> &str {
            self.0
        }
    }

    #[test]
    fn a_known_name_is_found() {
        assert_eq!(NAMES.find("lamp").unwrap(), &&Word("lamp"));
    }

    #[test]
    fn a_near_name_is_suggested() {
        let error = NAMES.find("lampp").unwrap_err();
        assert_eq!(error.suggestions, ["lamp"]);
        assert_eq!(
            error.to_string(),
            "unknown word `lampp`, did you mean `lamp`?"
        );
    }

    #[test]
    fn a_far_name_lists_all() {
        let error = NAMES.find("zzz").unwrap_err();
        assert_eq!(error.to_string(), "unknown word `zzz` (known: erk, lamp)");
    }
}
