use crate::data::files::testing::{boxes, fault, open, picture, refusal, spec, widths, write};
use crate::data::{Annotation, Rect, Split};
use tempfile::TempDir;

/// Cats and dogs, with an image of 30x20 pixels and its label.
fn folder(label: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    write(&dir, "classes.txt", "cat\ndog\n");
    picture(&dir, "images/val/b.jpg", 30);
    write(&dir, "labels/val/b.txt", label);
    dir
}

#[test]
fn boxes_are_parts_of_the_image() {
    let dir = folder("1 0.5 0.5 1 1\n\n 0  0.25 0.75 0.1 0.2 \n");
    picture(&dir, "images/val/a.jpg", 40);
    picture(&dir, "images/val/deep/c.png", 10);
    write(&dir, "labels/val/deep/c.txt", "0 0.5 0.5 0.5 0.5");
    picture(&dir, "images/train/x/d.jpg", 50);
    let data = open("yolo", &dir);
    assert_eq!(widths(&*data, Split::Test), [40, 30, 10]);
    assert_eq!(widths(&*data, Split::Calibration), [50]);
    let whole = Annotation::plain(Rect::from_edges([0.0, 0.0, 30.0, 20.0]), 1);
    let small = [2.5, 5.0, 7.5, 15.0];
    let found = boxes(&*data);
    assert_eq!(found[0], []);
    assert_eq!(found[1][0], whole);
    assert_eq!(found[2], [Annotation::plain(Rect::from_edges(small), 0)]);
    let edges = found[1][1].rect.edges();
    for (edge, expected) in edges.iter().zip([6.0, 13.0, 9.0, 17.0]) {
        assert!((edge - expected).abs() < 1e-12, "{edges:?}");
    }
    assert_eq!(
        (data.class_name(1), data.class_name(2)),
        (Some("dog"), None)
    );
}

#[test]
fn a_label_that_cannot_be_used_costs_its_image_alone() {
    let line = "as `class cx cy w h`, expected the index of a class and four numbers";
    for (text, message) in [
        ("0 0.5 0.5 1.5 1", "has a box from [-7.5, 0.0] to [37.5, 20.0], expected it inside the image of 30x20 pixels".to_owned()),
        ("0 0.5 0.5 0.5 0", "has a box from [7.5, 10.0] to [22.5, 10.0], expected it to end".to_owned()),
        ("0 nan 0.5 0.5 0.5", "has a box from [NaN, 5.0] to [NaN, 15.0], expected it inside".to_owned()),
        ("2 0.5 0.5 0.1 0.1", "is of class `2`, expected 0 to 2 (exclusive)".to_owned()),
        ("0 0.5 0.5 0.1", format!("has `0 0.5 0.5 0.1` {line}")),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2", format!("has `0 0.1 0.1 0.2 0.1 0.2 0.2` {line}")),
        ("cat 0.5 0.5 0.1 0.1", format!("has `cat 0.5 0.5 0.1 0.1` {line}")),
        ("0 0,5 0.5 0.1 0.1", format!("has `0 0,5 0.5 0.1 0.1` {line}")),
    ] {
        let dir = folder(&format!("0 0.5 0.5 1 1\n\n{text}\n"));
        picture(&dir, "images/val/a.jpg", 40);
        let data = open("yolo", &dir);
        let found = fault(&*data, &dir, 1);
        let start = format!("line 3 of `DIR/labels/val/b.txt` {message}");
        assert!(found.starts_with(&start), "{found}");
        assert!(data.image(Split::Test, 0).is_ok());
    }
    let dir = folder("");
    write(&dir, "labels/val/b.txt", [0xff]);
    let found = fault(&*open("yolo", &dir), &dir, 0);
    assert!(
        found.starts_with("`DIR/labels/val/b.txt` is malformed: invalid utf-8"),
        "{found}"
    );
}

#[test]
fn an_image_that_is_none_is_named_rather_than_its_label() {
    let dir = folder("0 0.5 0.5 1 1");
    write(&dir, "images/val/b.jpg", "none");
    let data = open("yolo", &dir);
    let error = data.image(Split::Test, 0).unwrap_err().to_string();
    assert!(
        error.contains("images/val/b.jpg`: The image format could not"),
        "{error}"
    );
}

#[test]
fn what_is_missing_says_what_was_looked_for() {
    let dir = folder("");
    let path = dir.path().to_owned();
    let expected = "expected images in `images/val` with YOLO's labels in `labels/val`";
    std::fs::rename(path.join("classes.txt"), path.join("data.yaml")).unwrap();
    let names = "`DIR` has no names of classes, expected `classes.txt` with one a line, or a list `names` in `data.yaml`";
    assert_eq!(refusal("yolo", &dir), names);
    write(&dir, "data.yaml", "names: [cat]");
    assert_eq!(open("yolo", &dir).class_name(0), Some("cat"));
    std::fs::remove_file(path.join("data.yaml")).unwrap();
    assert_eq!(
        spec("yolo", &dir).availability().unwrap_err().to_string(),
        names.replace("DIR", &path.display().to_string())
    );
    write(&dir, "classes.txt", "cat");
    std::fs::remove_file(path.join("images/val/b.jpg")).unwrap();
    assert_eq!(
        refusal("yolo", &dir),
        "`DIR/images/val` has no test images, expected files that end as images do: .jpg, .png"
    );
    std::fs::remove_dir_all(path.join("labels")).unwrap();
    assert_eq!(
        refusal("yolo", &dir),
        format!("`DIR` has no file `labels/val`, {expected}")
    );
    std::fs::remove_dir_all(path.join("images")).unwrap();
    assert_eq!(
        refusal("yolo", &dir),
        format!("`DIR` has no file `images/val`, {expected}")
    );
}

#[test]
fn the_fingerprint_is_of_labels_classes_and_sizes() {
    let of = |label: &str, classes: &str, width| {
        let dir = folder(label);
        write(&dir, "classes.txt", classes);
        picture(&dir, "images/train/a.jpg", width);
        open("yolo", &dir).fingerprint().unwrap()
    };
    let original = of("0 0.5 0.5 1 1", "cat", 30);
    assert_eq!(original, of("0 0.5 0.5 1 1", "cat", 30));
    let others = [
        of("0 0.5 0.5 1 0.5", "cat", 30),
        of("0 0.5 0.5 1 1", "dog", 30),
        of("0 0.5 0.5 1 1", "cat", 3000),
    ];
    assert!(!others.contains(&original));
}
