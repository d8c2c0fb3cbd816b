//! The pictures of the page, whose data it holds once each.

use crate::tasks::Picture;
use serde::Serialize;
use std::collections::BTreeMap;

/// The pictures that the page holds so far.
#[derive(Debug, Default)]
pub(super) struct Gallery<'a> {
    numbers: BTreeMap<(&'a str, usize, usize), usize>,
}

/// A picture at one place of the page.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    number: usize,
    /// Its data, at the first place only: the others refer to that by the number.
    pub(super) url: Option<&'a str>,
    width: usize,
    height: usize,
}

impl<'a> Gallery<'a> {
    /// Puts a picture, which [`is_picture`] says it is, at another place of the page.
    pub(super) fn show(&mut self, picture: &'a Picture) -> Shown<'a> {
        debug_assert!(is_picture(picture));
        let Picture { url, width, height } = picture;
        let next = self.numbers.len();
        let number = *self.numbers.entry((url, *width, *height)).or_insert(next);
        Shown {
            number,
            url: (number == next).then_some(url),
            width: *width,
            height: *height,
        }
    }
}

/// Whether a picture is a PNG and nothing else: records may come from strangers.
pub(super) fn is_picture(picture: &Picture) -> bool {
    let data = picture.url.strip_prefix("data:image/png;base64,");
    let letter = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    data.is_some_and(|data| data.chars().all(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_held_at_the_first_place() {
        let picture = |data: &str, width| Picture {
            url: format!("data:image/png;base64,{data}"),
            width,
            height: 4,
        };
        let [a, b, wide] = [picture("YQ==", 4), picture("Yg==", 4), picture("YQ==", 8)];
        let mut gallery = Gallery::default();
        let places = [&a, &b, &a, &wide, &b].map(|picture| {
            let shown = gallery.show(picture);
            (shown.number, shown.url.is_some())
        });
        let expected = [(0, true), (1, true), (0, false), (2, true), (1, false)];
        assert_eq!(places, expected);
    }
}
