//! From a suite's sections to its cases.

use super::file::{Section, SubjectTable, SuiteErrorKind, SuiteFile};
use crate::case::{Case, CaseError, CaseSpec, Settings, Stage};
use crate::data::DataSpec;
use crate::models;
use crate::registry::Spec;
use serde::Deserialize;
use std::collections::HashMap;

/// A suite with all its cases, nothing loaded.
#[derive(Debug)]
pub struct Suite {
    /// The path of its file below the folder of suites, without the extension.
    pub name: String,
    /// What it answers.
    pub description: String,
    /// Its cases, in the order of its sections.
    pub entries: Vec<Entry>,
}

/// A case of a suite.
#[derive(Debug)]
pub struct Entry {
    /// The case.
    pub case: Case,
    /// Why it cannot run here, if it cannot.
    pub ignored: Option<String>,
}

impl Suite {
    /// Reads a suite from the text of its file; `variable` looks up `${...}`.
    pub(super) fn parse(
        name: &str,
        text: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, SuiteErrorKind> {
        let file: SuiteFile = toml::from_str(text)?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, (usize, &str)> = HashMap::new();
        for section in &file.sections {
            for spec in section.cases(name, &file)? {
                let id = spec.id();
                if let Some((index, first)) = seen.get(&id) {
                    if entries[*index].case.spec.settings != spec.settings {
                        return Err(SuiteErrorKind::Conflict {
                            case: id,
                            first: (*first).to_owned(),
                            second: section.name.clone(),
                        });
                    }
                    continue;
                }
                seen.insert(id, (entries.len(), &section.name));
                let entry = Entry::new(spec, variable);
                entries.push(entry.map_err(|source| section.case_error(source))?);
            }
        }
        Ok(Self {
            name: name.to_owned(),
            description: file.description,
            entries,
        })
    }
}

impl Section {
    /// Returns the full product, subjects outermost.
    fn cases(&self, suite: &str, file: &SuiteFile) -> Result<Vec<CaseSpec>, SuiteErrorKind> {
        let settings = self.settings(file)?;
        if let Some(value) = self.sparsities.iter().find(|s| !(0.0..1.0).contains(*s)) {
            return Err(SuiteErrorKind::Sparsity {
                section: self.name.clone(),
                value: *value,
            });
        }
        let mut cases = Vec::new();
        for subject in self.subjects(file)? {
            let base = subject.base(suite, &settings);
            let base = base.map_err(|source| self.case_error(source))?;
            for allocator in &self.allocators {
                for reconstruction in &self.reconstructions {
                    cases.extend(self.sparsities.iter().map(|sparsity| CaseSpec {
                        allocator: allocator.clone(),
                        reconstruction: reconstruction.clone(),
                        sparsity: *sparsity,
                        ..base.clone()
                    }));
                }
            }
        }
        Ok(cases)
    }

    fn subjects<'a>(&self, file: &'a SuiteFile) -> Result<Vec<&'a SubjectTable>, SuiteErrorKind> {
        if self.models.is_empty() {
            return Ok(file.subjects.iter().collect());
        }
        let find = |model: &String| {
            let subject = file.subjects.iter().find(|s| s.model == *model);
            subject.ok_or_else(|| SuiteErrorKind::Subject {
                section: self.name.clone(),
                model: model.clone(),
                known: models_of(file),
            })
        };
        self.models.iter().map(find).collect()
    }

    /// Returns the defaults, overridden by the suite's settings and then by the section's.
    fn settings(&self, file: &SuiteFile) -> Result<Settings, SuiteErrorKind> {
        let read = |table: &toml::Table, place: &str| {
            Settings::deserialize(table.clone()).map_err(|source| SuiteErrorKind::Settings {
                place: place.to_owned(),
                source,
            })
        };
        read(&file.settings, "the suite")?;
        let mut merged = file.settings.clone();
        merged.extend(self.settings.clone());
        read(&merged, &format!("section `{}`", self.name))
    }

    fn case_error(&self, source: CaseError) -> SuiteErrorKind {
        SuiteErrorKind::Case {
            section: self.name.clone(),
            source,
        }
    }
}

fn models_of(file: &SuiteFile) -> String {
    let models: Vec<&str> = file.subjects.iter().map(|s| s.model.as_str()).collect();
    models.join(", ")
}

impl SubjectTable {
    /// Returns a case of this subject whose techniques are yet to be filled in.
    fn base(&self, suite: &str, settings: &Settings) -> Result<CaseSpec, CaseError> {
        let at = |e: Box<dyn std::error::Error + Send + Sync>| {
            CaseError::at(&self.model, Stage::Resolve)(e)
        };
        let model: Spec = self.model.parse().map_err(|e| at(Box::new(e)))?;
        let family = models::family_of(&model.name).map_err(|e| at(Box::new(e)))?;
        let data: DataSpec = self.data.parse().map_err(|e| at(Box::new(e)))?;
        Ok(CaseSpec {
            suite: suite.to_owned(),
            task: family.task().to_owned(),
            dataset: data.dataset_name().to_owned(),
            model: self.model.clone(),
            weights: self.weights.clone(),
            data: self.data.clone(),
            allocator: String::new(),
            reconstruction: String::new(),
            sparsity: 0.0,
            settings: settings.clone(),
        })
    }
}

impl Entry {
    fn new(
        mut spec: CaseSpec,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, CaseError> {
        let mut unset = None;
        for text in [&mut spec.weights, &mut spec.data] {
            match expanded(text, variable) {
                Ok(full) => *text = full,
                Err(name) => unset = unset.or(Some(format!("the variable `{name}` is not set"))),
            }
        }
        let case = Case::resolve(spec)?;
        let ignored = unset.or_else(|| case.availability().err());
        Ok(Self { case, ignored })
    }
}

/// Replaces each `${NAME}`.
fn expanded(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut rest = text;
    let mut full = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        full.push_str(before);
        full.push_str(&variable(name).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    Ok(full + rest)
}

#[cfg(test)]
mod tests;
