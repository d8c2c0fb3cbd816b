use crate::data::files::testing::{boxes, fault, open, picture, refusal, spec, widths, write};
use crate::data::{Annotation, Rect, Split, Standing};
use tempfile::TempDir;

/// An object with a box.
fn object(class: &str, [left, upper, right, lower]: [&str; 4], more: &str) -> String {
    format!(
        "<object><name>{class}</name>{more}<bndbox><xmax>{right}</xmax><xmin>{left}</xmin><ymin>{upper}</ymin>\
        <ymax>{lower}</ymax></bndbox></object>"
    )
}

fn annotation(objects: &[String]) -> String {
    let size = "<size><width>30</width><height>20</height><depth>3</depth></size>";
    format!(
        "<annotation>\n{size}\n{}\n</annotation>\n",
        objects.join("\n")
    )
}

const EDGES: [&str; 4] = ["1", "2", "30", "20"];

/// Adds an image of the test with an annotation of these objects.
fn add(dir: &TempDir, root: &str, name: &str, objects: &[String]) {
    picture(dir, &format!("{root}JPEGImages/{name}.jpg"), 30);
    write(
        dir,
        &format!("{root}Annotations/{name}.xml"),
        annotation(objects),
    );
}

#[test]
fn objects_are_read_as_they_are_written() {
    let dir = TempDir::new().unwrap();
    let part = "<part><name>head</name><bndbox><xmin>3</xmin></bndbox></part>";
    let objects = [
        object("person", EDGES, &format!("<difficult>0</difficult>{part}")),
        object(
            "aeroplane",
            ["3.5", "4", " 9 ", "10.25"],
            "<difficult>1</difficult>",
        ),
        object("tvmonitor", ["5", "5", "6", "6"], ""),
    ];
    add(&dir, "", "b", &objects);
    add(&dir, "", "a", &[]);
    write(&dir, "ImageSets/Main/test.txt", "b\na  1\n\n");
    let data = open("voc", &dir);
    let thing = |edges, class| Annotation::plain(Rect::from_edges(edges), class);
    let difficult = Annotation {
        standing: Standing::Difficult,
        ..thing([3.5, 4.0, 9.0, 10.25], 0)
    };
    let expected = [
        thing([1.0, 2.0, 30.0, 20.0], 14),
        difficult,
        thing([5.0, 5.0, 6.0, 6.0], 19),
    ];
    assert_eq!(boxes(&*data), [expected.to_vec(), vec![]]);
    assert_eq!(data.class_name(14), Some("person"));
    assert_eq!(data.class_name(20), None);
    assert_eq!(data.image_shape(), None);
    assert_eq!(widths(&*data, Split::Test), [30, 30]);
    assert_eq!(data.count(Split::Calibration), 0);
    let advice = data.calibration_advice();
    assert!(advice.ends_with("JPEGImages`"), "{advice}");
}

#[test]
fn lists_say_which_split_an_image_is_of() {
    for (root, lists, test, calibration) in [
        ("", &["test", "train", "trainval", "val"][..], 0, Some(1)),
        ("VOC2012/", &["train", "trainval", "val"], 3, Some(1)),
        ("VOCdevkit/VOC2007/", &["test", "trainval"], 0, Some(2)),
        // What is tested on is in `trainval`.
        ("VOC2007/", &["trainval", "val"], 3, None),
    ] {
        let dir = TempDir::new().unwrap();
        for (name, width) in ["test", "train", "trainval", "val"].iter().zip(30..) {
            picture(&dir, &format!("{root}JPEGImages/{name}.jpg"), width);
            write(
                &dir,
                &format!("{root}Annotations/{name}.xml"),
                annotation(&[]),
            );
        }
        for list in lists {
            write(&dir, &format!("{root}ImageSets/Main/{list}.txt"), list);
        }
        let data = open("voc", &dir);
        assert_eq!(widths(&*data, Split::Test), [30 + test], "{root}");
        let expected: Vec<usize> = calibration.iter().map(|place| 30 + place).collect();
        assert_eq!(widths(&*data, Split::Calibration), expected, "{root}");
    }
}

#[test]
fn an_annotation_that_cannot_be_used_costs_its_image_alone() {
    let good = object("cat", EDGES, "");
    let with = |edges| annotation(&[good.clone(), object("cat", edges, "")]);
    let replaced = |from: &str, to: &str| annotation(&[good.replace(from, to)]);
    let of = "of `DIR/Annotations/bad.xml`";
    for (text, message) in [
        (with(["1", "2", "32", "20"]), format!("object 2 {of} has a box from [1.0, 2.0] to [32.0, 20.0], expected it inside the image of 30x20 pixels")),
        (with(["9", "2", "9", "20"]), format!("object 2 {of} has a box from [9.0, 2.0] to [9.0, 20.0], expected it to end")),
        (with(["1", "2", "nan", "20"]), format!("object 2 {of} has `nan` as `xmax`, expected a number of pixels")),
        (with(["1", "", "9", "20"]), format!("object 2 {of} has no `ymin`, expected a number of pixels")),
        (replaced("cat", "kat"), format!("object 1 {of} is of class `kat`, expected one of aeroplane, bicycle,")),
        (replaced("name>", "title>"), format!("object 1 {of} has no `name`, expected a class of PASCAL VOC")),
        (replaced("bndbox", "box"), format!("object 1 {of} has no `bndbox`, expected the edges of a box")),
        (replaced("<bndbox>", "<difficult>yes</difficult><bndbox>"), format!("object 1 {of} has `yes` as `difficult`, expected 0 or 1")),
        (replaced("</object>", ""), "`DIR/Annotations/bad.xml` is malformed: expected 'object' tag, not 'annotation' at 4:1".to_owned()),
        ("<html/>".to_owned(), "`DIR/Annotations/bad.xml` is malformed: it is `<html>`, expected `<annotation>`".to_owned()),
        (String::new(), "`DIR/Annotations/bad.xml` is malformed: ".to_owned()),
        // What is compared and copied for these grows with their square.
        ("<a xmlns:b='c'>".repeat(4100), "`DIR/Annotations/bad.xml` is malformed: it has 4100 equals signs, expected at most 4096".to_owned()),
        ("<a>".repeat(1 << 19), "`DIR/Annotations/bad.xml` is malformed: it has 1572864 bytes, expected at most 1048576".to_owned()),
        ("<a>".repeat(1 << 18), "`DIR/Annotations/bad.xml` is malformed: ".to_owned()),
    ] {
        let dir = TempDir::new().unwrap();
        add(&dir, "", "good", std::slice::from_ref(&good));
        add(&dir, "", "bad", &[]);
        write(&dir, "Annotations/bad.xml", text);
        write(&dir, "ImageSets/Main/val.txt", "good\nbad\n");
        let data = open("voc", &dir);
        let found = fault(&*data, &dir, 1);
        assert!(found.starts_with(&message), "{found}");
        assert!(data.image(Split::Test, 0).is_ok());
    }
}

#[test]
fn files_that_are_missing_are_named() {
    let dir = TempDir::new().unwrap();
    add(&dir, "", "a", &[]);
    write(&dir, "Annotations/b.xml", annotation(&[]));
    picture(&dir, "JPEGImages/c.jpg", 30);
    write(&dir, "Annotations/d.xml", [0xff]);
    picture(&dir, "JPEGImages/d.jpg", 30);
    write(&dir, "ImageSets/Main/val.txt", "a\nb\nc\nd\n");
    let data = open("voc", &dir);
    let missing = data.image(Split::Test, 1).unwrap_err().to_string();
    assert!(
        missing.contains("JPEGImages/b.jpg`: No such file"),
        "{missing}"
    );
    let found = fault(&*data, &dir, 2);
    assert!(
        found.starts_with("`DIR/Annotations/c.xml` cannot be read: No such file"),
        "{found}"
    );
    let found = fault(&*data, &dir, 3);
    assert!(
        found.starts_with("`DIR/Annotations/d.xml` is malformed: invalid utf-8"),
        "{found}"
    );
}

#[test]
fn what_is_no_voc_says_what_was_looked_for() {
    let dir = TempDir::new().unwrap();
    write(&dir, "VOC2007/ImageSets/Main/train.txt", "a");
    let message = "`DIR/VOC2007` has no file `ImageSets/Main/test.txt`, expected PASCAL VOC with that list of test images, or `val.txt` beside it";
    assert_eq!(refusal("voc", &dir), message);
    assert!(spec("voc", &dir).availability().is_err());
    write(&dir, "VOC2007/ImageSets/Main/val.txt", "\n");
    let message =
        "`DIR/VOC2007/ImageSets/Main/val.txt` has no test images, expected the name of one a line";
    assert_eq!(refusal("voc", &dir), message);
    write(&dir, "VOC2007/ImageSets/Main/val.txt", "a\n../../b 1\n");
    let message = "`DIR/VOC2007/ImageSets/Main/val.txt` names `../../b`, which is not in the folder of the images";
    assert_eq!(refusal("voc", &dir), message);
    let spec: crate::data::DataSpec = "voc:/no/such/VOC2007".parse().unwrap();
    assert_eq!(spec.dataset_name(), "VOC2007");
    let message = "`/no/such/VOC2007` is not a folder, expected the one that holds PASCAL VOC's `ImageSets`, `JPEGImages` and `Annotations`";
    assert_eq!(spec.availability().unwrap_err().to_string(), message);
}

#[test]
fn the_fingerprint_is_of_lists_sizes_and_annotations() {
    let of = |class: &str, list: &str, width: u32| {
        let dir = TempDir::new().unwrap();
        add(&dir, "", "a", &[object(class, EDGES, "")]);
        picture(&dir, "JPEGImages/b.jpg", width);
        write(&dir, "ImageSets/Main/val.txt", "a");
        write(&dir, "ImageSets/Main/train.txt", list);
        open("voc", &dir).fingerprint().unwrap()
    };
    let original = of("cat", "b", 30);
    assert_eq!(original, of("cat", "b", 30));
    let others = [of("dog", "b", 30), of("cat", "a", 30), of("cat", "b", 3000)];
    assert!(!others.contains(&original));
}
