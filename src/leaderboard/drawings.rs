//! Drawings of generators side by side: what is left of each after every technique, at every sparsity.

use super::exhibit::drawn;
use super::format::{better, number, rate};
use super::gallery::{Gallery, Shown};
use crate::record::{Metric, Record, Scale};
use crate::tasks::Picture;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What became of a generator.
#[derive(Debug, Serialize)]
pub(super) struct Generator<'a> {
    model: &'a str,
    task: &'a str,
    dataset: &'a str,
    suite: &'a str,
    /// What the pictures and the figures below them are.
    legend: String,
    /// The headings of the columns after the dense one.
    sparsities: Vec<String>,
    groups: Vec<Group<'a>>,
}

/// The techniques that were given the same dense generator.
#[derive(Debug, Serialize)]
struct Group<'a> {
    dense: Cell<'a>,
    rows: Vec<Row<'a>>,
}

/// What a technique left, by sparsity.
#[derive(Debug, Serialize)]
struct Row<'a> {
    allocator: &'a str,
    reconstruction: &'a str,
    /// The cases of each sparsity: one, or none.
    cells: Vec<Vec<Cell<'a>>>,
}

#[derive(Debug, Serialize)]
struct Cell<'a> {
    /// The page of the case that it is of; the dense drawings are of many.
    case: Option<&'a str>,
    picture: Shown<'a>,
    /// What is to be seen, in words.
    words: String,
    metric: &'a str,
    value: String,
}

/// Suite, task, data set and model.
type Key<'a> = [&'a str; 4];

/// A case with drawings.
#[derive(Debug)]
struct Drawn<'a> {
    page: &'a str,
    record: &'a Record,
    name: &'a str,
    dense: &'a Picture,
    sparse: &'a Picture,
}

/// Returns all generators that the records show drawings of; each record comes with the page of its case.
pub(super) fn generators<'a>(
    cases: impl IntoIterator<Item = (&'a str, &'a Record)>,
    scale: &impl Fn(&str) -> Scale,
    gallery: &mut Gallery<'a>,
) -> Vec<Generator<'a>> {
    let mut found: BTreeMap<Key, Vec<Drawn>> = BTreeMap::new();
    for (page, record) in cases {
        if let Some(drawn) = Drawn::of(page, record) {
            let Record { suite, task, .. } = record;
            let key: Key = [suite, task, &record.dataset, &record.model];
            found.entry(key).or_default().push(drawn);
        }
    }
    let found = found.into_iter();
    found
        .map(|(key, all)| Generator::new(key, &all, scale, gallery))
        .collect()
}

impl<'a> Generator<'a> {
    fn new(
        [suite, task, dataset, model]: Key<'a>,
        all: &[Drawn<'a>],
        scale: &impl Fn(&str) -> Scale,
        gallery: &mut Gallery<'a>,
    ) -> Self {
        let sparsities: BTreeSet<u64> = all.iter().map(Drawn::sparsity).collect();
        let mut groups: Vec<Vec<&Drawn>> = Vec::new();
        for drawn in all {
            match groups.iter_mut().find(|group| group[0].is_beside(drawn)) {
                Some(group) => group.push(drawn),
                None => groups.push(vec![drawn]),
            }
        }
        let group = |all: Vec<&Drawn<'a>>| Group::new(&all, &sparsities, scale, gallery);
        Self {
            model,
            task,
            dataset,
            suite,
            legend: legend(all, scale),
            groups: groups.into_iter().map(group).collect(),
            sparsities: sparsities
                .into_iter()
                .map(|bits| format!("{}\u{a0}%", rate(f64::from_bits(bits))))
                .collect(),
        }
    }
}

impl<'a> Group<'a> {
    fn new(
        all: &[&Drawn<'a>],
        sparsities: &BTreeSet<u64>,
        scale: &impl Fn(&str) -> Scale,
        gallery: &mut Gallery<'a>,
    ) -> Self {
        let dense = all[0].dense_cell(scale, gallery);
        let mut rows: BTreeMap<[&str; 2], Vec<&Drawn>> = BTreeMap::new();
        for drawn in all {
            let technique = [&*drawn.record.allocator, &*drawn.record.reconstruction];
            rows.entry(technique).or_default().push(drawn);
        }
        let row = |([allocator, reconstruction], of): ([&'a str; 2], Vec<&Drawn<'a>>)| {
            let cells = sparsities.iter().map(|sparsity| {
                let here = of.iter().filter(|drawn| drawn.sparsity() == *sparsity);
                here.map(|drawn| drawn.sparse_cell(scale, gallery))
                    .collect()
            });
            Row {
                allocator,
                reconstruction,
                cells: cells.collect(),
            }
        };
        Self {
            dense,
            rows: rows.into_iter().map(row).collect(),
        }
    }
}

impl<'a> Drawn<'a> {
    fn of(page: &'a str, record: &'a Record) -> Option<Self> {
        record.exhibits.iter().find_map(|exhibit| {
            let [dense, sparse] = drawn(exhibit)?;
            Some(Self {
                page,
                record,
                name: &exhibit.name,
                dense,
                sparse,
            })
        })
    }

    /// Returns the bits of the target, in whose order positive numbers are.
    fn sparsity(&self) -> u64 {
        self.record.sparsity.target.to_bits()
    }

    /// Whether the dense generators drew and measured the same.
    fn is_beside(&self, other: &Self) -> bool {
        let measured = |drawn: &Self| {
            let (name, metric) = drawn.record.metrics.first()?;
            Some((name.to_owned(), metric.dense.to_bits()))
        };
        self.dense == other.dense && measured(self) == measured(other)
    }

    fn dense_cell(&self, scale: &impl Fn(&str) -> Scale, gallery: &mut Gallery<'a>) -> Cell<'a> {
        let (metric, value) = self.measured(|metric| metric.dense, scale);
        Cell {
            case: None,
            picture: gallery.show(self.dense),
            words: format!("{}, dense", self.name),
            metric,
            value,
        }
    }

    fn sparse_cell(&self, scale: &impl Fn(&str) -> Scale, gallery: &mut Gallery<'a>) -> Cell<'a> {
        let (metric, value) = self.measured(|metric| metric.sparse, scale);
        let record = self.record;
        Cell {
            case: Some(self.page),
            picture: gallery.show(self.sparse),
            words: format!(
                "{}, {} / {} at {}\u{a0}% sparsity",
                self.name,
                record.allocator,
                record.reconstruction,
                rate(record.sparsity.target)
            ),
            metric,
            value,
        }
    }

    /// Returns the leading metric's name, and one of its values with its unit.
    fn measured(
        &self,
        value: impl Fn(&Metric) -> f64,
        scale: &impl Fn(&str) -> Scale,
    ) -> (&'a str, String) {
        match self.record.metrics.first() {
            Some((name, metric)) => {
                let text = format!("{}\u{a0}{}", number(value(metric)), scale(name).unit);
                (name, text.trim_end().to_owned())
            }
            None => ("", String::new()),
        }
    }
}

/// Says what is in the pictures, and which way the figures below them are better.
fn legend(all: &[Drawn], scale: &impl Fn(&str) -> Scale) -> String {
    let names: BTreeSet<&str> = all.iter().map(|drawn| drawn.name).collect();
    let leading = all.iter().filter_map(|drawn| drawn.record.metrics.first());
    let metrics: BTreeSet<&str> = leading.map(|(name, _)| name).collect();
    let metrics = metrics
        .into_iter()
        .map(|name| format!("; {name}: {}", better(scale(name))));
    let names: Vec<&str> = names.into_iter().collect();
    format!("{}{}", names.join(", "), metrics.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Exhibit;
    use crate::record::tests::record;

    fn picture(data: &str) -> Picture {
        Picture {
            url: format!("data:image/png;base64,{data}"),
            width: 168,
            height: 168,
        }
    }

    /// A case of a generator whose dense drawings are `dense`.
    fn case(technique: [&str; 2], sparsity: f64, dense: &str, sparse: &str) -> Record {
        let [allocator, reconstruction] = technique;
        let mut record = record("unet", allocator, reconstruction, sparsity, 12.25);
        "generation(steps=20)".clone_into(&mut record.task);
        record.exhibits.push(Exhibit {
            name: "36 drawings".to_owned(),
            picture: picture(dense),
            sparse_picture: Some(picture(sparse)),
            truth: Vec::new(),
            dense: Vec::new(),
            sparse: Vec::new(),
        });
        record
    }

    fn all(records: &[Record]) -> Vec<Generator<'_>> {
        let scale = |_: &str| Scale {
            unit: "levels",
            higher_is_better: false,
            tolerance: 0.0,
        };
        let pages = ["0", "1", "2", "3", "4", "5"];
        let cases = pages.into_iter().zip(records);
        generators(cases, &scale, &mut Gallery::default())
    }

    /// The cases in the cells of each row.
    fn cases(group: &Group) -> Vec<Vec<Vec<usize>>> {
        let case = |cell: &Cell| cell.case.unwrap().parse().unwrap();
        let cell = |cases: &Vec<Cell>| cases.iter().map(case).collect();
        let row = |row: &Row| row.cells.iter().map(cell).collect();
        group.rows.iter().map(row).collect()
    }

    #[test]
    fn techniques_are_rows_and_sparsities_columns() {
        let records = [
            case(["erk", "none"], 0.9, "D", "A"),
            case(["erk", "none"], 0.5, "D", "B"),
            record("resnet20", "erk", "none", 0.7, 60.0),
            case(["erk", "block"], 0.5, "D", "C"),
            case(["uniform", "none"], 0.975, "D", "E"),
        ];
        let [generator] = &all(&records)[..] else {
            panic!("one generator");
        };
        assert_eq!(
            generator.sparsities,
            ["50\u{a0}%", "90\u{a0}%", "97.5\u{a0}%"]
        );
        let [group] = &generator.groups[..] else {
            panic!("one group");
        };
        let rows = group.rows.iter();
        let techniques: Vec<_> = rows
            .map(|row| (row.allocator, row.reconstruction))
            .collect();
        assert_eq!(
            techniques,
            [("erk", "block"), ("erk", "none"), ("uniform", "none")]
        );
        let expected = [
            [vec![3], vec![], vec![]],
            [vec![1], vec![0], vec![]],
            [vec![], vec![], vec![4]],
        ];
        assert_eq!(cases(group), expected);
    }

    #[test]
    fn what_is_below_a_picture_is_said_with_its_unit() {
        let records = [case(["erk", "none"], 0.9, "D", "A")];
        let generator = &all(&records)[0];
        let group = &generator.groups[0];
        let cells = [&group.dense, &group.rows[0].cells[0][0]];
        let texts = cells.map(|cell| (cell.words.as_str(), cell.metric, cell.value.as_str()));
        let expected = [
            ("36 drawings, dense", "top1", "80.00\u{a0}levels"),
            (
                "36 drawings, erk / none at 90\u{a0}% sparsity",
                "top1",
                "12.25\u{a0}levels",
            ),
        ];
        assert_eq!(texts, expected);
        assert_eq!(generator.legend, "36 drawings; top1: lower is better");
    }

    #[test]
    fn another_suite_or_task_is_another_generator_and_other_drawings_another_group() {
        let technique = ["erk", "none"];
        let mut records = [(); 4].map(|()| case(technique, 0.5, "D", "A"));
        "generation(steps=50)".clone_into(&mut records[1].task);
        "mine".clone_into(&mut records[2].suite);
        records[3].exhibits[0].picture = picture("F");
        let shown = all(&records);
        let keys: Vec<_> = shown
            .iter()
            .map(|generator| (generator.suite, generator.task, generator.groups.len()))
            .collect();
        assert_eq!(
            keys,
            [
                ("default", "generation(steps=20)", 2),
                ("default", "generation(steps=50)", 1),
                ("mine", "generation(steps=20)", 1),
            ]
        );
        let groups: Vec<_> = shown[0].groups.iter().map(cases).collect();
        assert_eq!(groups, [vec![vec![vec![0]]], vec![vec![vec![3]]]]);
    }

    #[test]
    fn two_cases_of_one_place_are_both_shown_and_one_without_pictures_is_not() {
        let technique = ["erk", "none"];
        let mut records = [(); 3].map(|()| case(technique, 0.5, "D", "A"));
        records[2].sparsity.target = 0.8;
        records[2].exhibits[0].sparse_picture = Some(Picture {
            url: "https://example.org/x.png".to_owned(),
            ..picture("")
        });
        let shown = all(&records);
        assert_eq!(cases(&shown[0].groups[0]), [[[0, 1]]]);
        assert_eq!(all(&records[2..]).len(), 0);
    }
}
