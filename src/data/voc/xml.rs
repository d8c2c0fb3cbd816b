//! What the annotation of an image says.

use super::CLASSES;
use crate::data::files::Thing;
use crate::data::{Annotation, AnnotationError, AnnotationErrorKind, Place, Rect, Standing};
use roxmltree::{Document, Node};
use std::path::Path;

/// The largest file, in bytes.
const LARGEST: usize = 1 << 20;

/// The most equals signs in a file, and with them attributes, which annotations have no use for: each is compared with all others of its
/// element, and the names of spaces that they declare are copied from element to element.
const MOST_SIGNS: usize = 1 << 12;

/// Returns the objects of an annotation; `path` names it in messages.
///
/// # Errors
/// The first thing that is wrong with it.
pub(in crate::data) fn things(path: &Path, bytes: &[u8]) -> Result<Vec<Thing>, AnnotationError> {
    let fault = |place, kind| AnnotationError {
        path: path.to_owned(),
        place,
        kind,
    };
    let malformed = |why: String| fault(None, AnnotationErrorKind::Malformed(why));
    if bytes.len() > LARGEST {
        let length = bytes.len();
        return Err(malformed(format!(
            "it has {length} bytes, expected at most {LARGEST}"
        )));
    }
    let text = str::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
    let signs = text.matches('=').count();
    if signs > MOST_SIGNS {
        return Err(malformed(format!(
            "it has {signs} equals signs, expected at most {MOST_SIGNS}"
        )));
    }
    let document = Document::parse(text).map_err(|error| malformed(error.to_string()))?;
    let root = document.root_element();
    if !root.has_tag_name("annotation") {
        let name = root.tag_name().name();
        return Err(malformed(format!(
            "it is `<{name}>`, expected `<annotation>`"
        )));
    }
    let objects = root.children().filter(|node| node.has_tag_name("object"));
    let thing = |(number, object)| {
        let place = Place {
            unit: "object",
            number,
        };
        let annotation = annotation(object).map_err(|kind| fault(Some(place), kind))?;
        Ok(Thing { place, annotation })
    };
    (1..).zip(objects).map(thing).collect()
}

fn annotation(object: Node<'_, '_>) -> Result<Annotation, AnnotationErrorKind> {
    let name = text(object, "name", "a class of PASCAL VOC")?;
    let class = CLASSES.iter().position(|class| *class == name);
    let class = class.ok_or_else(|| AnnotationErrorKind::Class {
        found: name.to_owned(),
        expected: format!("one of {}", CLASSES.join(", ")),
    })?;
    // Parts of a person have boxes of their own, but not as children of the object.
    let bounds = child(object, "bndbox").ok_or(AnnotationErrorKind::Missing {
        field: "bndbox",
        expected: "the edges of a box",
    })?;
    let edge = |field| number(bounds, field);
    let edges = [edge("xmin")?, edge("ymin")?, edge("xmax")?, edge("ymax")?];
    Ok(Annotation {
        standing: standing(object)?,
        ..Annotation::plain(Rect::from_edges(edges), class as u32)
    })
}

/// Reads what newer annotations tell and older ones leave out.
fn standing(object: Node<'_, '_>) -> Result<Standing, AnnotationErrorKind> {
    const FIELD: &str = "difficult";
    if child(object, FIELD).is_none() {
        return Ok(Standing::Counts);
    }
    match text(object, FIELD, "0 or 1")? {
        "0" => Ok(Standing::Counts),
        "1" => Ok(Standing::Difficult),
        found => Err(AnnotationErrorKind::Value {
            field: FIELD,
            found: found.to_owned(),
            expected: "0 or 1",
        }),
    }
}

fn number(node: Node<'_, '_>, field: &'static str) -> Result<f64, AnnotationErrorKind> {
    let expected = "a number of pixels";
    let found = text(node, field, expected)?;
    let number = found.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| AnnotationErrorKind::Value {
        field,
        found: found.to_owned(),
        expected,
    })
}

fn text<'a>(
    node: Node<'a, '_>,
    field: &'static str,
    expected: &'static str,
) -> Result<&'a str, AnnotationErrorKind> {
    let text = child(node, field).and_then(|child| child.text());
    text.map(str::trim)
        .ok_or(AnnotationErrorKind::Missing { field, expected })
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.has_tag_name(name))
}
