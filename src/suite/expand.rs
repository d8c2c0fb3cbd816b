//! From a suite's sections to its cases.

use super::file::{Section, SubjectTable, SuiteErrorKind, SuiteFile};
use crate::case::{Case, CaseError, CaseSpec, Settings};
use crate::data::DataSpec;
use crate::models;
use crate::registry::{Spec, UnknownName};
use serde::Deserialize;
use std::collections::HashMap;
use std::error::Error;

/// The most cases of a suite.
const MOST_CASES: usize = 100_000;

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
    pub(crate) fn parse(
        name: &str,
        text: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, SuiteErrorKind> {
        let file: SuiteFile = toml::from_str(text)?;
        let bases = file.bases(name)?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, (CaseSpec, &str)> = HashMap::new();
        let mut left = MOST_CASES;
        for section in &file.sections {
            let cases = section.cases(&bases, &file.settings, left)?;
            left -= cases.len();
            for spec in cases {
                let id = spec.id();
                match seen.get(&id) {
                    None => {
                        let entry = Entry::new(spec.clone(), variable);
                        entries.push(entry.map_err(|source| section.case_error(source))?);
                        seen.insert(id, (spec, &section.name));
                    }
                    Some((same, _)) if *same == spec => {}
                    Some((_, first)) => {
                        return Err(SuiteErrorKind::Conflict {
                            case: id,
                            first: (*first).to_owned(),
                            second: section.name.clone(),
                        });
                    }
                }
            }
        }
        Ok(Self {
            name: name.to_owned(),
            description: file.description,
            entries,
        })
    }
}

impl SuiteFile {
    /// Returns a case of each subject whose techniques and settings are yet to be filled in.
    fn bases(&self, suite: &str) -> Result<Vec<CaseSpec>, SuiteErrorKind> {
        let base = |subject: &SubjectTable| {
            let base = subject.base(suite);
            base.map_err(|source| SuiteErrorKind::Subject {
                model: subject.model.clone(),
                source,
            })
        };
        self.subjects.iter().map(base).collect()
    }
}

impl Section {
    /// Returns the full product, subjects outermost, where it has no more than `most` cases.
    fn cases(
        &self,
        bases: &[CaseSpec],
        suite: &toml::Table,
        most: usize,
    ) -> Result<Vec<CaseSpec>, SuiteErrorKind> {
        let settings = self.settings(suite)?;
        if let Some(value) = self.sparsities.iter().find(|s| !(0.0..1.0).contains(*s)) {
            return Err(SuiteErrorKind::Sparsity {
                section: self.name.clone(),
                value: *value,
            });
        }
        let subjects = self.subjects(bases)?;
        let lists = [&self.allocators, &self.reconstructions].map(Vec::len);
        let sizes = [subjects.len(), self.sparsities.len()].into_iter();
        let count = sizes.chain(lists).try_fold(1, usize::checked_mul);
        if count.is_none_or(|count| count > most) {
            return Err(SuiteErrorKind::TooManyCases {
                section: self.name.clone(),
                most: MOST_CASES,
            });
        }
        let mut cases = Vec::new();
        for base in subjects {
            for allocator in &self.allocators {
                for reconstruction in &self.reconstructions {
                    cases.extend(self.sparsities.iter().map(|sparsity| CaseSpec {
                        allocator: allocator.clone(),
                        reconstruction: reconstruction.clone(),
                        sparsity: *sparsity,
                        settings: settings.clone(),
                        ..base.clone()
                    }));
                }
            }
        }
        if cases.is_empty() {
            return Err(SuiteErrorKind::NoCases {
                section: self.name.clone(),
            });
        }
        Ok(cases)
    }

    /// Returns the subjects whose models the section names, or all.
    fn subjects<'a>(&self, bases: &'a [CaseSpec]) -> Result<Vec<&'a CaseSpec>, SuiteErrorKind> {
        let known = || bases.iter().map(|base| base.model.as_str());
        for model in &self.models {
            if !known().any(|known| known == model) {
                return Err(SuiteErrorKind::NoSubject {
                    section: self.name.clone(),
                    source: Box::new(UnknownName::new("subject", model, known())),
                });
            }
        }
        let picked = |base: &&CaseSpec| self.models.is_empty() || self.models.contains(&base.model);
        Ok(bases.iter().filter(picked).collect())
    }

    /// Returns the defaults, overridden by the settings of the suite and then by the section's.
    fn settings(&self, suite: &toml::Table) -> Result<Settings, SuiteErrorKind> {
        let read = |table: &toml::Table, place: &str| {
            Settings::deserialize(table.clone()).map_err(|source| SuiteErrorKind::Settings {
                place: place.to_owned(),
                source: Box::new(source),
            })
        };
        read(suite, "the suite")?;
        let mut merged = suite.clone();
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

impl SubjectTable {
    fn base(&self, suite: &str) -> Result<CaseSpec, Box<dyn Error + Send + Sync>> {
        let data: DataSpec = self.data.parse()?;
        // Built once, so that a misspelt parameter is found here and not by the first case that runs.
        let model = models::build(&self.model.parse()?)?;
        Ok(CaseSpec {
            suite: suite.to_owned(),
            task: self.task(model.task)?,
            dataset: data.dataset_name().to_owned(),
            model: self.model.clone(),
            weights: self.weights.clone(),
            data: self.data.clone(),
            judge: self.judge.clone(),
            decoder: self.decoder.clone(),
            allocator: String::new(),
            reconstruction: String::new(),
            sparsity: 0.0,
            settings: Settings::default(),
        })
    }

    /// Returns the task of the subject, which is its model's.
    fn task(&self, of_model: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
        let Some(text) = &self.task else {
            return Ok(of_model.to_owned());
        };
        let spec: Spec = text.parse()?;
        if spec.name == of_model {
            Ok(text.clone())
        } else {
            Err(format!(
                "the model is for the task `{of_model}`, not for `{}`",
                spec.name
            )
            .into())
        }
    }
}

impl Entry {
    fn new(
        mut spec: CaseSpec,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, CaseError> {
        let mut unset = None;
        let decoder = spec.decoder.as_mut().map(|decoder| &mut decoder.weights);
        let texts = [
            Some(&mut spec.weights),
            Some(&mut spec.data),
            spec.judge.as_mut(),
            decoder,
        ];
        for text in texts.into_iter().flatten() {
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
