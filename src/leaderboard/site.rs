//! The pages, and what they share.

use super::address::Address;
use super::case::{CasePage, Fact, environment};
use super::drawings::{Generator, generators};
use super::entry::Entry;
use super::format::count;
use super::gallery::Gallery;
use super::goldens::GoldensPage;
use super::model::ModelPage;
use super::overview::Overview;
use super::rankings::RankingView;
use super::table::Row;
use super::technique::TechniquePage;
use super::track::Track;
use super::versus::Versus;
use super::words::{self, Named};
use super::{Input, Origin};
use crate::chain::chain;
use crate::record::{Environment, Failed, Ignored, Loaded, Record, Scale};
use minijinja::{Environment as Templates, UndefinedBehavior, context, value};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The templates by name; the extension of a name decides how values are escaped in it.
const TEMPLATES: [(&str, &str); 20] = [
    ("case.html", include_str!("../../templates/case.html")),
    ("cases.html", include_str!("../../templates/cases.html")),
    ("charts.html", include_str!("../../templates/charts.html")),
    ("compare.html", include_str!("../../templates/compare.html")),
    ("compare.js", include_str!("../../templates/compare.js")),
    (
        "difference.html",
        include_str!("../../templates/difference.html"),
    ),
    (
        "drawings.html",
        include_str!("../../templates/drawings.html"),
    ),
    ("goldens.html", include_str!("../../templates/goldens.html")),
    ("index.html", include_str!("../../templates/index.html")),
    ("layout.html", include_str!("../../templates/layout.html")),
    (
        "methodology.html",
        include_str!("../../templates/methodology.html"),
    ),
    ("model.html", include_str!("../../templates/model.html")),
    ("numbers.html", include_str!("../../templates/numbers.html")),
    ("picture.html", include_str!("../../templates/picture.html")),
    ("ranking.html", include_str!("../../templates/ranking.html")),
    ("script.js", include_str!("../../templates/script.js")),
    ("style.css", include_str!("../../templates/style.css")),
    ("table.html", include_str!("../../templates/table.html")),
    (
        "technique.html",
        include_str!("../../templates/technique.html"),
    ),
    ("track.html", include_str!("../../templates/track.html")),
];

/// What all pages are made from.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) entries: Vec<Entry<'a>>,
    /// The rankings of each suite, suite by suite.
    pub(super) rankings: Vec<(Track, RankingView<'a>)>,
}

/// All pages of a leaderboard.
#[derive(Debug)]
pub(super) struct Site<'a> {
    parts: &'a Parts<'a>,
    origin: Origin,
    templates: Templates<'static>,
    nav: Vec<(String, &'static str)>,
    generators: Vec<Generator<'a>>,
}

/// What every page has around it.
#[derive(Debug, Serialize)]
pub(super) struct Frame<'a> {
    pub(super) title: String,
    /// The way back to the site's folder.
    pub(super) root: &'static str,
    /// Whether style and script are in the page; otherwise it shares them with its neighbours.
    pub(super) complete: bool,
    /// Paths and names of the pages that every page leads to.
    pub(super) nav: &'a [(String, &'static str)],
    pub(super) path: String,
    /// Whether the results are goldens.
    pub(super) goldens: bool,
}

/// What the page of methods says besides its text.
#[derive(Debug, Serialize)]
struct Methodology {
    metrics: Vec<Named>,
    allocators: Vec<Named>,
    reconstructions: Vec<Named>,
    environments: Vec<(String, Vec<Fact>)>,
}

/// The rankings of a track in all suites.
#[derive(Debug, Serialize)]
struct TrackPage<'a> {
    title: &'static str,
    question: &'static str,
    rankings: Vec<&'a RankingView<'a>>,
}

/// Everything in one table.
#[derive(Debug, Serialize)]
struct CasesPage<'a> {
    rows: Vec<Row<'a>>,
    failed: Vec<&'a Failed>,
    ignored: Vec<&'a Ignored>,
    problems: Vec<String>,
}

impl<'a> Parts<'a> {
    pub(super) fn new(input: &Input<'a>) -> Self {
        let loaded = input.loaded;
        let entries = Entry::gather(&loaded.records, input.drift, words::family);
        Self {
            loaded,
            rankings: rankings(&entries),
            entries,
        }
    }

    /// Returns what the records have at a field, sorted.
    pub(super) fn names(&self, field: impl Fn(&'a Record) -> &'a str) -> BTreeSet<&'a str> {
        let records = self.entries.iter().map(|entry| entry.record);
        records.map(field).collect()
    }
}

fn rankings<'a>(entries: &[Entry<'a>]) -> Vec<(Track, RankingView<'a>)> {
    let mut suites: BTreeMap<&'a str, Vec<&Entry<'a>>> = BTreeMap::new();
    for entry in entries {
        suites.entry(&entry.record.suite).or_default().push(entry);
    }
    let of_suite = |(suite, entries): (&'a str, Vec<&Entry<'a>>)| {
        let rank = |track| {
            let rankings = RankingView::all(suite, track, &entries).into_iter();
            rankings.map(|ranking| (track, ranking)).collect::<Vec<_>>()
        };
        let tracks = Track::ALL.into_par_iter();
        tracks.flat_map_iter(rank).collect::<Vec<_>>()
    };
    suites.into_iter().flat_map(of_suite).collect()
}

impl<'a> Site<'a> {
    /// Prepares the pages.
    pub(super) fn new(parts: &'a Parts<'a>, origin: Origin) -> Self {
        let mut gallery = Gallery::default();
        let pictures = parts.entries.iter();
        let pictures = pictures.map(|entry| (entry.page.as_str(), entry.record));
        let generators = generators(pictures, &Scale::of, &mut gallery);
        let mut site = Self {
            parts,
            origin,
            templates: templates(),
            nav: Vec::new(),
            generators,
        };
        let nav = site.main_pages().into_iter();
        site.nav = nav.map(|(address, name)| (address.path(), name)).collect();
        site
    }

    /// Returns the pages that every page leads to.
    fn main_pages(&self) -> Vec<(Address<'a>, &'static str)> {
        let mut pages = vec![(Address::Overview, "Overview")];
        for track in Track::ALL {
            if self.parts.rankings.iter().any(|(other, _)| *other == track) {
                pages.push((Address::Track(track), track.title()));
            }
        }
        if !self.parts.entries.is_empty() {
            pages.push((Address::Cases, "Cases"));
            pages.push((Address::Compare, "Compare"));
        }
        if !self.generators.is_empty() {
            pages.push((Address::Drawings, "Drawings"));
        }
        if self.parts.entries.iter().any(|entry| entry.drift.is_some()) {
            pages.push((Address::Goldens, "Goldens"));
        }
        pages.push((Address::Methodology, "Methodology"));
        pages
    }

    /// Returns the addresses of all pages.
    pub(super) fn addresses(&self) -> Vec<Address<'a>> {
        let parts = self.parts;
        let main = self.main_pages().into_iter().map(|(address, _)| address);
        let allocators = parts.names(|record| &record.allocator);
        let reconstructions = parts.names(|record| &record.reconstruction);
        let models = parts.names(|record| &record.model);
        let cases = parts.entries.iter().map(|entry| &*entry.record.case);
        main.chain(allocators.into_iter().map(Address::Allocator))
            .chain(reconstructions.into_iter().map(Address::Reconstruction))
            .chain(models.into_iter().map(Address::Model))
            .chain(cases.map(Address::Case))
            .collect()
    }

    /// Returns a page as HTML.
    ///
    /// # Panics
    /// Only if the embedded templates are broken.
    pub(super) fn page(&self, address: Address<'a>) -> String {
        match address {
            Address::Overview => {
                self.render(address, "ptsbench results", Overview::new(self.parts))
            }
            Address::Track(track) => {
                let all = self.parts.rankings.iter();
                let own: Vec<&RankingView> = all
                    .filter(|(other, _)| *other == track)
                    .map(|(_, ranking)| ranking)
                    .collect();
                let page = TrackPage {
                    title: track.title(),
                    question: track.question(),
                    rankings: own,
                };
                self.render(address, track.title(), page)
            }
            Address::Allocator(name) => {
                let own = self.cases_of(|record| record.allocator == name);
                self.technique(address, Track::Allocation, name, &own)
            }
            Address::Reconstruction(name) => {
                let own = self.cases_of(|record| record.reconstruction == name);
                self.technique(address, Track::Reconstruction, name, &own)
            }
            Address::Model(name) => {
                let own = self.cases_of(|record| record.model == name);
                let about = words::model(name);
                self.render(address, name, ModelPage::new(&own, about))
            }
            Address::Case(case) => {
                let entries = &self.parts.entries;
                let place = entries.binary_search_by(|entry| (*entry.record.case).cmp(case));
                let entry = place.map(|place| &entries[place]);
                let page = entry.map(|entry| CasePage::new(entry, Scale::of));
                self.render(address, case, page.ok())
            }
            Address::Cases => self.render(address, "Cases", self.cases()),
            Address::Compare => self.render(address, "Compare", Versus::new(&self.parts.entries)),
            Address::Drawings => self.render(address, "Drawings", &self.generators),
            Address::Goldens => {
                self.render(address, "Goldens", GoldensPage::new(&self.parts.entries))
            }
            Address::Methodology => self.render(address, "Methodology", self.methodology()),
        }
    }

    fn technique(
        &self,
        address: Address<'a>,
        track: Track,
        name: &'a str,
        entries: &[&'a Entry<'a>],
    ) -> String {
        let about = match track {
            Track::Allocation => words::allocator(name),
            _ => words::reconstruction(name),
        };
        let rankings = &self.parts.rankings;
        let page = TechniquePage::new(track, name, about, rankings, entries);
        self.render(address, name, page)
    }

    fn cases_of(&self, own: impl Fn(&Record) -> bool) -> Vec<&'a Entry<'a>> {
        let entries = self.parts.entries.iter();
        entries.filter(|entry| own(entry.record)).collect()
    }

    fn cases(&self) -> CasesPage<'a> {
        let loaded = self.parts.loaded;
        CasesPage {
            rows: self.parts.entries.iter().map(Row::new).collect(),
            failed: loaded.summaries.iter().flat_map(|s| &s.failed).collect(),
            ignored: loaded.summaries.iter().flat_map(|s| &s.ignored).collect(),
            problems: loaded.problems.iter().map(|p| chain(p)).collect(),
        }
    }

    fn methodology(&self) -> Methodology {
        Methodology {
            metrics: words::metrics(),
            allocators: words::allocators(),
            reconstructions: words::parts(),
            environments: environments(&self.parts.loaded.records),
        }
    }

    fn render(&self, address: Address<'a>, title: &str, page: impl Serialize) -> String {
        let path = address.path();
        let frame = Frame {
            title: title.to_owned(),
            root: if path.contains('/') { "../" } else { "" },
            complete: !path.contains('/'),
            nav: &self.nav,
            goldens: self.origin == Origin::Goldens,
            path,
        };
        let template = match address {
            Address::Track(_) => "track.html",
            Address::Allocator(_) | Address::Reconstruction(_) => "technique.html",
            Address::Model(_) => "model.html",
            Address::Case(_) => "case.html",
            _ => &frame.path,
        };
        fill(&self.templates, template, &frame, &page)
    }

    /// Returns a file that pages share.
    ///
    /// # Panics
    /// Only if there is no such template.
    pub(super) fn shared(&self, name: &str) -> String {
        let template = self.templates.get_template(name);
        template
            .and_then(|template| template.render(()))
            .expect("style and script are among the templates")
    }
}

/// Returns the templates.
///
/// # Panics
/// Only if they are broken.
pub(super) fn templates() -> Templates<'static> {
    let mut templates = Templates::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in TEMPLATES {
        templates
            .add_template(name, source)
            .expect("the embedded templates parse, as the tests show");
    }
    templates
}

/// Fills a template.
///
/// # Panics
/// Only if the templates are broken.
pub(super) fn fill(
    templates: &Templates<'_>,
    name: &str,
    frame: &Frame<'_>,
    page: &impl Serialize,
) -> String {
    let filled = templates.get_template(name).and_then(|template| {
        template.render(context! { frame => value::Serde(frame), page => value::Serde(page) })
    });
    filled.expect("the embedded templates use only what pages have, as the tests show")
}

fn environments(records: &[Record]) -> Vec<(String, Vec<Fact>)> {
    let mut cases: BTreeMap<&Environment, usize> = BTreeMap::new();
    for record in records
        .iter()
        .filter(|record| record.environment.is_known())
    {
        *cases.entry(&record.environment).or_default() += 1;
    }
    let view = |(which, number)| (count(number, "record"), environment(which));
    cases.into_iter().map(view).collect()
}
