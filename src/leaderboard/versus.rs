//! What the page that compares any two techniques computes with.

use super::entry::Entry;
use serde::Serialize;
use std::collections::BTreeMap;

/// All cases, by the numbers of their names.
#[derive(Debug, Serialize)]
pub(super) struct Versus<'a> {
    settings: Vec<String>,
    models: Vec<&'a str>,
    allocators: Vec<&'a str>,
    reconstructions: Vec<&'a str>,
    /// Setting, model, allocator, reconstruction, sparsity, relative performance, its deviation over seeds if known, page.
    cases: Vec<Case<'a>>,
}

type Case<'a> = (usize, usize, usize, usize, f64, f64, Option<f64>, &'a str);

/// Names in the order in which they were first met.
#[derive(Debug)]
struct Numbers<T> {
    names: Vec<T>,
    numbers: BTreeMap<T, usize>,
}

impl<T: Ord + Clone> Numbers<T> {
    fn new() -> Self {
        Self {
            names: Vec::new(),
            numbers: BTreeMap::new(),
        }
    }

    fn of(&mut self, name: T) -> usize {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = self.names.len();
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }
}

impl<'a> Versus<'a> {
    /// Gathers the cases that have a result.
    pub(super) fn new(entries: &'a [Entry<'a>]) -> Self {
        let mut settings = Numbers::new();
        let [mut models, mut allocators, mut reconstructions] = [(); 3].map(|()| Numbers::new());
        let case = |entry: &'a Entry<'a>| {
            let record = entry.record;
            let rho = entry.relative()?;
            let setting = format!("{}: {} / {}", record.suite, record.task, record.dataset);
            Some((
                settings.of(setting),
                models.of(&*record.model),
                allocators.of(&*record.allocator),
                reconstructions.of(&*record.reconstruction),
                record.sparsity.target,
                rho,
                entry.deviation(crate::record::Record::relative),
                &*entry.page,
            ))
        };
        let cases = entries.iter().filter_map(case).collect();
        Self {
            cases,
            settings: settings.names,
            models: models.names,
            allocators: allocators.names,
            reconstructions: reconstructions.names,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::testing::entries;
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn names_are_written_once() {
        let records = [
            record("vit", "er", "none", 0.5, 80.0),
            record("vit", "erk", "none", 0.5, 40.0),
            record("vit", "lamp", "none", 0.5, f64::NAN),
        ];
        let entries = entries(&records);
        let data = Versus::new(&entries);
        assert_eq!(data.models, ["vit"]);
        assert_eq!(data.allocators, ["er", "erk"]);
        assert_eq!(data.settings, ["default: classification / fashion-mnist"]);
        let last = data.cases.last().unwrap();
        assert_eq!((last.2, last.5), (1, 0.5));
    }
}
