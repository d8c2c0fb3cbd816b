use crate::data::files::testing::{boxes, fault, open, picture, refusal, spec, widths, write};
use crate::data::{Annotation, Rect, Split, Standing};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Two images of 30x20 pixels, `9.jpg` before `2.jpg`, of cats (id 7) and dogs (id 3).
fn instances(annotations: &Value) -> Value {
    json!({
        "info": {"year": 2017},
        "images": [
            {"id": 9, "file_name": "9.jpg", "width": 30, "height": 20},
            {"id": 2, "file_name": "2.jpg", "width": 31, "height": 20},
        ],
        "annotations": annotations,
        "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog", "supercategory": "animal"}],
    })
}

fn thing(id: u64, image: u64, bbox: [f64; 4]) -> Value {
    json!({"id": id, "image_id": image, "category_id": 7, "bbox": bbox, "area": 2.5, "iscrowd": 0, "segmentation": []})
}

const BOX: [f64; 4] = [1.0, 2.0, 10.0, 5.5];

/// A folder with these annotations as `instances_<name>.json`, and the images in `images`.
fn folder(name: &str, images: &str, annotations: &Value) -> TempDir {
    let dir = TempDir::new().unwrap();
    let text = instances(annotations).to_string();
    write(&dir, &format!("annotations/instances_{name}.json"), text);
    picture(&dir, &format!("{images}/9.jpg"), 30);
    picture(&dir, &format!("{images}/2.jpg"), 31);
    dir
}

#[test]
fn images_are_in_order_and_classes_without_gaps() {
    let mut dog = thing(1, 9, BOX);
    dog["category_id"] = json!(3);
    let mut crowd = thing(2, 9, [0.0, 0.0, 30.0, 20.5]);
    crowd["iscrowd"] = json!(1);
    let mut plain = thing(3, 2, BOX);
    plain.as_object_mut().unwrap().remove("area");
    plain.as_object_mut().unwrap().remove("iscrowd");
    let elsewhere = thing(4, 1000, BOX);
    let dir = folder("val2017", "val2017", &json!([dog, crowd, plain, elsewhere]));
    picture(&dir, "train2017/b.jpg", 41);
    picture(&dir, "train2017/a.jpg", 40);
    let data = open("coco", &dir);
    assert_eq!(widths(&*data, Split::Test), [31, 30]);
    assert_eq!(widths(&*data, Split::Calibration), [40, 41]);
    let annotation = |edges, class, area, standing| Annotation {
        rect: Rect::from_edges(edges),
        class,
        area,
        standing,
    };
    let edges = [1.0, 2.0, 11.0, 7.5];
    let expected = [
        vec![annotation(edges, 1, 55.0, Standing::Counts)],
        vec![
            annotation(edges, 0, 2.5, Standing::Counts),
            annotation([0.0, 0.0, 30.0, 20.5], 1, 2.5, Standing::Crowd),
        ],
    ];
    assert_eq!(boxes(&*data), expected);
    let names: Vec<_> = (0..3).map(|class| data.class_name(class)).collect();
    assert_eq!(names, [Some("dog"), Some("cat"), None]);
}

#[test]
fn the_pair_of_file_and_folder_is_found() {
    for (name, images, others) in [
        (
            "val2017",
            "val2017",
            &["annotations/instances_val2014.json", "val2014/a.jpg"][..],
        ),
        ("val2017", "images/val2017", &[]),
        ("minival", "minival", &["annotations/captions_val2017.json"]),
        ("minival", "minival", &["annotations/instances_other.json"]),
        (
            "val",
            "images/val",
            &["annotations/instances_train.json", "images/train/a.jpg"],
        ),
    ] {
        let dir = folder(name, images, &json!([]));
        for other in others {
            picture(&dir, other, 50);
        }
        let data = open("coco", &dir);
        assert_eq!(widths(&*data, Split::Test), [31, 30], "{name}");
        let calibration = others.contains(&"images/train/a.jpg");
        assert_eq!(
            data.count(Split::Calibration),
            usize::from(calibration),
            "{name}"
        );
    }
}

#[test]
fn an_annotation_that_cannot_be_used_costs_its_image_alone() {
    let changed = |field: &str, value: Value| {
        let mut thing = thing(17, 9, BOX);
        thing[field] = value;
        thing
    };
    for (bad, message) in [
        (
            thing(17, 9, [1.0, 2.0, 30.5, 5.0]),
            "has a box from [1.0, 2.0] to [31.5, 7.0], expected it inside the image of 30x20 pixels",
        ),
        (
            thing(17, 9, [1.0, 2.0, 0.0, 5.0]),
            "has a box from [1.0, 2.0] to [1.0, 7.0], expected it to end",
        ),
        (
            thing(17, 9, [1.0, 2.0, 9.0, -1.0]),
            "has a box from [1.0, 2.0] to [10.0, 1.0], expected it to end",
        ),
        (
            changed("category_id", json!(8)),
            "is of class `8`, expected the id of one of 2 categories",
        ),
        (
            changed("bbox", json!([1.0, 2.0])),
            "has `[1.0, 2.0]` as `bbox`, expected [x, y, width, height]",
        ),
    ] {
        let dir = folder(
            "val2017",
            "val2017",
            &json!([thing(1, 9, BOX), bad, thing(3, 2, BOX)]),
        );
        let data = open("coco", &dir);
        let found = fault(&*data, &dir, 1);
        let start = format!("annotation 17 of `DIR/annotations/instances_val2017.json` {message}");
        assert!(found.starts_with(&start), "{found}");
        assert_eq!(boxes(&*data)[0].len(), 1);
        assert!(data.image(Split::Test, 0).is_ok());
    }
}

#[test]
fn an_image_that_is_missing_is_named() {
    let dir = folder("val2017", "val2017", &json!([]));
    std::fs::remove_file(dir.path().join("val2017/9.jpg")).unwrap();
    let data = open("coco", &dir);
    let error = data.image(Split::Test, 1).unwrap_err().to_string();
    assert!(error.contains("val2017/9.jpg`: No such file"), "{error}");
}

#[test]
fn what_is_no_coco_says_what_was_looked_for() {
    let dir = TempDir::new().unwrap();
    let message = "`DIR` has no file `annotations/instances_val2017.json`, expected COCO's annotations of the test images";
    assert_eq!(refusal("coco", &dir), message);
    assert!(spec("coco", &dir).availability().is_err());
    write(&dir, "annotations/instances_a.json", "{");
    let message = "`DIR` has no file `val2017`, expected the folder of the images that the file in `annotations` is called after";
    assert_eq!(refusal("coco", &dir), message);
    picture(&dir, "a/x.jpg", 5);
    let message = "`DIR/annotations/instances_a.json` cannot be read as COCO's `images`, `annotations` and `categories`: EOF while parsing an object at line 1 column 1";
    assert_eq!(refusal("coco", &dir), message);
    write(
        &dir,
        "annotations/instances_a.json",
        r#"{"images":[],"annotations":[],"categories":[]}"#,
    );
    let message =
        "`DIR/annotations/instances_a.json` has no test images, expected them in its list `images`";
    assert_eq!(refusal("coco", &dir), message);
    for name in ["../x.jpg", "/x.jpg", "a/../../x.jpg"] {
        let images = json!([{"id": 1, "file_name": name, "width": 5, "height": 5}]);
        let content = json!({"images": images, "annotations": [], "categories": []});
        write(&dir, "annotations/instances_a.json", content.to_string());
        let message = format!(
            "`DIR/annotations/instances_a.json` names `{name}`, which is not in the folder of the images"
        );
        assert_eq!(refusal("coco", &dir), message);
    }
    picture(&dir, "b/x.jpg", 5);
    write(&dir, "annotations/instances_b.json", "{");
    let message = "`DIR` has `instances_a.json`, `instances_b.json`, expected one for the test";
    let found = refusal("coco", &dir);
    assert!(found.starts_with(message), "{found}");
}

#[test]
fn the_fingerprint_is_of_annotations_and_sizes() {
    let of = |bbox, width| {
        let dir = folder("val2017", "val2017", &json!([thing(1, 9, bbox)]));
        picture(&dir, "train2017/a.jpg", width);
        open("coco", &dir).fingerprint().unwrap()
    };
    let original = of(BOX, 30);
    assert_eq!(original, of(BOX, 30));
    let others = [of([1.0, 2.0, 3.0, 4.0], 30), of(BOX, 3000)];
    assert!(!others.contains(&original));
}
