//! Samples with what networks see in them.

use super::format::percent;
use super::gallery::{Gallery, Shown, is_picture};
use crate::record::Exhibit;
use crate::tasks::{Mark, Picture};
use serde::Serialize;

/// A sample, as the truth, the dense and the sparse network have it; of a drawing there is no truth.
#[derive(Debug, Serialize)]
pub(super) struct ExhibitRow<'a> {
    name: &'a str,
    views: Vec<View<'a>>,
}

#[derive(Debug, Serialize)]
struct View<'a> {
    title: &'static str,
    picture: Shown<'a>,
    marks: Vec<MarkRow>,
    /// What is to be seen, in words.
    words: String,
}

#[derive(Debug, Serialize)]
struct MarkRow {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
    title: String,
}

/// Makes the row of a sample, if its pictures are some.
pub(super) fn exhibit_row<'a>(
    exhibit: &'a Exhibit,
    gallery: &mut Gallery<'a>,
) -> Option<ExhibitRow<'a>> {
    let views = if exhibit.sparse_picture.is_some() {
        let [dense, sparse] = drawn(exhibit)?.map(|picture| gallery.show(picture));
        vec![drawing("dense", dense), drawing("sparse", sparse)]
    } else {
        let picture = Some(&exhibit.picture).filter(|picture| is_picture(picture))?;
        let mut seen = |title, marks| view(title, gallery.show(picture), marks);
        vec![
            seen("truth", &exhibit.truth),
            seen("dense", &exhibit.dense),
            seen("sparse", &exhibit.sparse),
        ]
    };
    Some(ExhibitRow {
        name: &exhibit.name,
        views,
    })
}

/// Returns what the dense and the sparse network drew, if the sample is a drawing and these are pictures.
pub(super) fn drawn(exhibit: &Exhibit) -> Option<[&Picture; 2]> {
    let pictures = [&exhibit.picture, exhibit.sparse_picture.as_ref()?];
    pictures
        .iter()
        .all(|picture| is_picture(picture))
        .then_some(pictures)
}

fn drawing<'a>(title: &'static str, picture: Shown<'a>) -> View<'a> {
    View {
        words: "drawings".to_owned(),
        ..view(title, picture, &[])
    }
}

fn view<'a>(title: &'static str, picture: Shown<'a>, marks: &[Mark]) -> View<'a> {
    let marks: Vec<MarkRow> = marks.iter().map(mark_row).collect();
    let titles: Vec<&str> = marks.iter().map(|mark| mark.title.as_str()).collect();
    let words = if titles.is_empty() {
        "nothing".to_owned()
    } else {
        titles.join(", ")
    };
    View {
        title,
        picture,
        marks,
        words,
    }
}

fn mark_row(mark: &Mark) -> MarkRow {
    let [left, upper, right, lower] = mark.edges;
    MarkRow {
        x: left,
        y: upper,
        width: (right - left).max(0.0),
        height: (lower - upper).max(0.0),
        title: match mark.score {
            Some(score) => format!("{} {} %", mark.label, percent(score.into(), 0)),
            None => mark.label.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &str = "data:image/png;base64,aGk=";

    fn exhibit(url: &str) -> Exhibit {
        let mark = |label: &str, score| Mark {
            edges: [1.0, 2.0, 4.0, 8.0],
            label: label.to_owned(),
            score,
        };
        Exhibit {
            name: "test image 0".to_owned(),
            picture: Picture {
                url: url.to_owned(),
                width: 64,
                height: 64,
            },
            sparse_picture: None,
            truth: vec![mark("bag", None)],
            dense: vec![mark("bag", Some(0.5)), mark("coat", Some(0.25))],
            sparse: Vec::new(),
        }
    }

    #[test]
    fn views_say_what_is_seen() {
        let exhibit = exhibit(PNG);
        let row = exhibit_row(&exhibit, &mut Gallery::default()).unwrap();
        let words: Vec<&str> = row.views.iter().map(|view| view.words.as_str()).collect();
        assert_eq!(words, ["bag", "bag 50 %, coat 25 %", "nothing"]);
        let mark = &row.views[0].marks[0];
        assert_eq!(
            [mark.x, mark.y, mark.width, mark.height],
            [1.0, 2.0, 3.0, 6.0]
        );
    }

    #[test]
    fn nothing_but_pictures_gets_into_the_page() {
        let picture = exhibit(PNG).picture;
        for url in [
            "javascript:alert(1)",
            "https://example.org/x.png",
            "data:image/svg+xml;base64,aGk=",
            "data:image/png;base64,\"><script>",
        ] {
            for exhibit in [exhibit(url), drawings(url)] {
                let mut gallery = Gallery::default();
                assert!(exhibit_row(&exhibit, &mut gallery).is_none(), "{url}");
                // The row that is not shown holds no data for others.
                let shown = gallery.show(&picture);
                assert!(shown.url.is_some());
            }
        }
    }

    fn drawings(sparse: &str) -> Exhibit {
        let exhibit = exhibit(PNG);
        Exhibit {
            sparse_picture: Some(Picture {
                url: sparse.to_owned(),
                ..exhibit.picture.clone()
            }),
            ..exhibit
        }
    }

    #[test]
    fn drawings_of_both_networks_are_shown() {
        let exhibit = drawings("data:image/png;base64,b28=");
        let row = exhibit_row(&exhibit, &mut Gallery::default()).unwrap();
        let views: Vec<_> = row
            .views
            .iter()
            .map(|view| (view.title, view.picture.url))
            .collect();
        let expected = [
            ("dense", &exhibit.picture),
            ("sparse", exhibit.sparse_picture.as_ref().unwrap()),
        ];
        assert_eq!(
            views,
            expected.map(|(title, picture)| (title, Some(picture.url.as_str())))
        );
    }
}
