//! Where pages lie: names of people's choosing as file names and links that every system takes.

use super::track::Track;
use std::fmt::Write;

/// A page of the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address<'a> {
    Overview,
    /// The rankings of a track.
    Track(Track),
    Allocator(&'a str),
    Reconstruction(&'a str),
    Model(&'a str),
    /// A case, by its id.
    Case(&'a str),
    Cases,
    Compare,
    Drawings,
    Goldens,
    Methodology,
}

impl Address<'_> {
    /// Returns the path from the site's folder: letters, digits, `-`, `_`, `.` and `/`.
    pub(super) fn path(self) -> String {
        let (folder, name) = match self {
            Self::Overview => return "index.html".to_owned(),
            Self::Cases => return "cases.html".to_owned(),
            Self::Compare => return "compare.html".to_owned(),
            Self::Drawings => return "drawings.html".to_owned(),
            Self::Goldens => return "goldens.html".to_owned(),
            Self::Methodology => return "methodology.html".to_owned(),
            Self::Track(track) => ("tracks", track.name()),
            Self::Allocator(name) => ("allocators", name),
            Self::Reconstruction(name) => ("reconstructions", name),
            Self::Model(name) => ("models", name),
            Self::Case(name) => ("cases", name),
        };
        format!("{folder}/{}.html", slug(name))
    }
}

/// Names of devices, which some systems take for no file.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];
const LONGEST: usize = 96;

/// Returns a file name that tells `name` from all others, on systems too that do not tell cases apart: itself where it is fit, else what is
/// left of it and a hash.
fn slug(name: &str) -> String {
    let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let device = name.len() < 5 && RESERVED.iter().any(|reserved| name.starts_with(reserved))
        || name.len() == 4 && (name.starts_with("com") || name.starts_with("lpt"));
    if !name.is_empty() && name.len() <= LONGEST && name.chars().all(fit) && !device {
        return name.to_owned();
    }
    let mut slug = String::new();
    for c in name.chars().take(LONGEST) {
        let c = c.to_ascii_lowercase();
        let c = if fit(c) || c == '.' { c } else { '-' };
        if c != '-' || !slug.ends_with('-') {
            slug.push(c);
        }
    }
    let hash = blake3::hash(name.as_bytes());
    let mut slug = slug.trim_matches(['-', '.']).to_owned() + "-";
    for byte in &hash.as_bytes()[..5] {
        write!(slug, "{byte:02x}").expect("a string takes everything");
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    #[test]
    fn plain_names_stay_and_others_are_told_apart_by_a_hash() {
        assert_eq!(Address::Model("resnet20").path(), "models/resnet20.html");
        assert_eq!(
            Address::Allocator("l2norm").path(),
            "allocators/l2norm.html"
        );
        let odd = ["fcpts:erk", "fcpts-erk", "FCPTS:erk", "con", "com1", ""].map(slug);
        for (index, name) in odd.iter().enumerate() {
            assert!(!odd[..index].contains(name), "{name}");
            assert!(!name.is_empty() && name != "con" && name != "com1");
        }
        assert!(odd[0].starts_with("fcpts-erk-"));
        assert!(slug(&"x".repeat(400)).len() < 128);
    }

    proptest! {
        #[test]
        fn no_page_leaves_the_folder(name in "\\PC{0,40}", other in "[a-c./\\\\:A-C]{0,6}", third in "[a-c./\\\\:A-C]{0,6}") {
            for name in [&name, &other] {
                let path = Address::Case(name).path();
                let parts: Vec<Component> = Path::new(&path).components().collect();
                prop_assert_eq!(parts.len(), 2);
                prop_assert!(parts.iter().all(|part| matches!(part, Component::Normal(_))));
                prop_assert!(path.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c)));
            }
            if other != third {
                prop_assert_ne!(slug(&other).to_lowercase(), slug(&third).to_lowercase());
            }
        }
    }
}
