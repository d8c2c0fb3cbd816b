//! What is compared with what: the five tracks of arXiv 2412.07268.

use crate::record::Record;

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

/// A record with the family of its model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// Its place in the table of cases.
    pub(super) number: usize,
    pub(super) record: &'a Record,
    pub(super) family: &'a str,
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

    /// What a competitor is called.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Allocation | Self::Reconstruction => "technique",
            Self::Architecture | Self::Size => "family",
            Self::Application => "task",
        }
    }

    /// Returns what competes.
    pub(super) fn competitor(self, entry: Entry<'_>) -> &str {
        let record = entry.record;
        match self {
            Self::Allocation => &record.allocator,
            Self::Reconstruction => &record.reconstruction,
            Self::Architecture | Self::Size => entry.family,
            Self::Application => &record.task,
        }
    }

    pub(super) fn setting(self, Entry { record, .. }: Entry<'_>) -> Setting<'_> {
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

    pub(super) fn member(self, Entry { record, .. }: Entry<'_>) -> Member<'_> {
        let (dataset, model) = match self {
            Self::Allocation | Self::Reconstruction => ("", ""),
            Self::Architecture | Self::Size => ("", &*record.model),
            Self::Application => (&*record.dataset, &*record.model),
        };
        Member { dataset, model }
    }
}
