//! The number of a class, from the names of all class folders:
//!
//! 1. whole numbers are meant: `17/` is class 17;
//! 2. WordNet synsets (`n01440764`), all of them among the 1,000 of ILSVRC-2012, have their places in the sorted list of
//!    these, as in ImageNet checkpoints; a subset of the folders is enough;
//! 3. other names have their places in sorted order, as in torchvision's `ImageFolder`.

/// The synsets of ILSVRC-2012, sorted.
const SYNSETS: &str = include_str!("../../../assets/imagenet/synsets.txt");

/// Returns the class of each folder; `folders` are sorted.
pub(super) fn of_folders(folders: &[String]) -> Vec<u32> {
    numbers(folders)
        .or_else(|| synsets(folders))
        .unwrap_or_else(|| (0..).take(folders.len()).collect())
}

fn numbers(folders: &[String]) -> Option<Vec<u32>> {
    let number = |name: &String| {
        let digits = name.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| name.parse().ok()).flatten()
    };
    folders.iter().map(number).collect()
}

fn synsets(folders: &[String]) -> Option<Vec<u32>> {
    let known: Vec<&str> = SYNSETS.lines().collect();
    let place = |name: &String| known.binary_search(&name.as_str()).ok();
    folders
        .iter()
        .map(|name| Some(place(name)? as u32))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_synsets_are_a_thousand_in_order() {
        let known: Vec<&str> = SYNSETS.lines().collect();
        assert_eq!(known.len(), 1000);
        assert!(known.is_sorted_by(|a, b| a < b));
        // Tench, English springer (a class of Imagenette) and toilet tissue.
        for (place, synset) in [(0, "n01440764"), (217, "n02102040"), (999, "n15075141")] {
            assert_eq!(known[place], synset);
        }
    }

    #[test]
    fn each_rule_has_its_names() {
        for (folders, expected) in [
            (&["0", "1", "10", "2"][..], &[0, 1, 10, 2][..]),
            (&["007", "281"], &[7, 281]),
            (&["n01440764", "n02102040", "n15075141"], &[0, 217, 999]),
            (&["n00000001", "n02102040", "n15075141"], &[0, 1, 2]),
            (&["+1", "2"], &[0, 1]),
            (&["1", "99999999999"], &[0, 1]),
            (&["1", "cat"], &[0, 1]),
            (&["cat", "dog"], &[0, 1]),
            (&[], &[]),
        ] {
            let names: Vec<String> = folders.iter().map(ToString::to_string).collect();
            assert_eq!(of_folders(&names), expected, "{folders:?}");
        }
    }
}
