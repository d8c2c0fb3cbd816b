//! What is compared with what: the five tracks of arXiv 2412.07268.

use super::entry::Entry;
use std::fmt;

/// What is ranked; everything else is held fixed within a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Track {
    /// Allocators, at fixed reconstructions.
    Allocation,
    /// Reconstructions, at fixed allocators.
    Reconstruction,
    /// Families of models, under fixed techniques.
    Architecture,
    /// Families across their sizes, likewise.
    Size,
    /// Tasks, likewise, over all their data sets and models.
    Application,
}

/// What is held fixed: everything of a case but what is ranked, which is empty here, and so is what may differ within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Setting<'a> {
    pub(super) task: &'a str,
    pub(super) dataset: &'a str,
    pub(super) model: &'a str,
    pub(super) allocator: &'a str,
    pub(super) reconstruction: &'a str,
    /// The target sparsity in millionths, which have an order and an equality.
    pub(super) sparsity: u32,
}

/// What may differ within a setting: what a competitor must have all of, for its results to be compared. Empty where nothing may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member<'a> {
    pub(super) dataset: &'a str,
    pub(super) model: &'a str,
}

impl fmt::Display for Setting<'_> {
    /// Writes what is held fixed, joined by slashes, and the sparsity as case ids do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            self.task,
            self.dataset,
            self.model,
            self.allocator,
            self.reconstruction,
        ];
        let held: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
        write!(
            f,
            "{}@{:.2}",
            held.join("/"),
            f64::from(self.sparsity) / 1e6
        )
    }
}

impl Track {
    pub(super) const ALL: [Self; 5] = [
        Self::Allocation,
        Self::Reconstruction,
        Self::Architecture,
        Self::Size,
        Self::Application,
    ];

    /// The heading of its ranking.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Allocation => "Allocators",
            Self::Reconstruction => "Reconstructions",
            Self::Architecture => "Architectures",
            Self::Size => "Robustness to size",
            Self::Application => "Tasks",
        }
    }

    /// Its name in links.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Allocation => "allocation",
            Self::Reconstruction => "reconstruction",
            Self::Architecture => "architectures",
            Self::Size => "sizes",
            Self::Application => "tasks",
        }
    }

    /// The question that it answers.
    pub(super) fn question(self) -> &'static str {
        match self {
            Self::Allocation => "How should sparsity be shared out over the layers?",
            Self::Reconstruction => "How should the pruned network be reconstructed?",
            Self::Architecture => "Which families of networks bear pruning best?",
            Self::Size => "How does it depend on a network's size?",
            Self::Application => "Which tasks bear pruning best?",
        }
    }

    /// What a competitor is called.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Allocation | Self::Reconstruction => "technique",
            Self::Architecture | Self::Size => "family",
            Self::Application => "task",
        }
    }

    /// Returns what competes.
    pub(super) fn competitor<'a>(self, entry: &Entry<'a>) -> &'a str {
        let record = entry.record;
        match self {
            Self::Allocation => &record.allocator,
            Self::Reconstruction => &record.reconstruction,
            Self::Architecture | Self::Size => entry.family,
            Self::Application => &record.task,
        }
    }

    pub(super) fn setting<'a>(self, Entry { record, .. }: &Entry<'a>) -> Setting<'a> {
        let all = Setting {
            task: &record.task,
            dataset: &record.dataset,
            model: &record.model,
            allocator: &record.allocator,
            reconstruction: &record.reconstruction,
            sparsity: (record.sparsity.target * 1e6).round() as u32,
        };
        match self {
            Self::Allocation => Setting {
                allocator: "",
                ..all
            },
            Self::Reconstruction => Setting {
                reconstruction: "",
                ..all
            },
            Self::Architecture | Self::Size => Setting { model: "", ..all },
            Self::Application => Setting {
                task: "",
                dataset: "",
                model: "",
                ..all
            },
        }
    }

    pub(super) fn member<'a>(self, Entry { record, .. }: &Entry<'a>) -> Member<'a> {
        let (dataset, model) = match self {
            Self::Allocation | Self::Reconstruction => ("", ""),
            Self::Architecture | Self::Size => ("", &*record.model),
            Self::Application => (&*record.dataset, &*record.model),
        };
        Member { dataset, model }
    }
}
