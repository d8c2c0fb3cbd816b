use super::*;
use crate::data::{DataSpec, Image, Split};
use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use std::fs;
use std::io::Cursor;
use tempfile::TempDir;

/// An image of one colour and of `width` times 4 pixels.
fn plain(width: u32, color: [u8; 3]) -> DynamicImage {
    RgbImage::from_pixel(width, 4, Rgb(color)).into()
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A folder of files, those without content being images whose width is their place in the list, from one.
fn folder(files: &[&str]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (file, width) in files.iter().zip(1..) {
        let bytes = encoded(&plain(width, [9; 3]), ImageFormat::Png);
        write(&dir, file, &bytes);
    }
    dir
}

fn write(dir: &TempDir, file: &str, bytes: &[u8]) {
    let path = dir.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn spec(dir: &Path) -> DataSpec {
    format!("imagefolder:{}", dir.display()).parse().unwrap()
}

fn open(dir: &TempDir) -> Arc<dyn Dataset> {
    let spec = spec(dir.path());
    spec.availability().unwrap();
    spec.open().unwrap()
}

fn labels(data: &dyn Dataset) -> &[u32] {
    data.test_labels().classes().unwrap()
}

/// The widths of all images of a split, which tell which they are.
fn widths(data: &dyn Dataset, split: Split) -> Vec<usize> {
    let all: Vec<usize> = (0..data.count(split)).collect();
    let images = data.images(split, &all).unwrap();
    images.iter().map(|image| image.shape()[2]).collect()
}

#[test]
fn both_splits_are_found_and_classes_take_turns() {
    let dir = folder(&[
        "train/cat/z.png",
        "train/a.png",
        "train/dog/deep/er/y.PNG",
        "val/cat/1.png",
        "val/cat/2.png",
        "val/cat/3.png",
        "val/dog/b.png",
        "val/dog/a/x.png",
    ]);
    // None of these is an image of a class.
    for file in ["val/cat/notes.txt", "val/.hidden/a.png", "val/cat/._1.png"] {
        write(&dir, file, b"none");
    }
    write(&dir, "val/stray.png", b"none");
    fs::create_dir(dir.path().join("val/empty")).unwrap();
    let data = open(&dir);
    assert_eq!(data.image_shape(), None);
    assert_eq!(widths(&*data, Split::Calibration), [2, 1, 3]);
    assert_eq!(widths(&*data, Split::Test), [4, 8, 5, 7, 6]);
    assert_eq!(labels(&*data), [0, 1, 0, 1, 0]);
    let names: Vec<_> = (0..4).map(|class| data.class_name(class)).collect();
    assert_eq!(names, [Some("cat"), Some("dog"), Some("empty"), None]);
}

#[test]
fn other_names_of_the_folders_serve_too() {
    for (files, calibration, test) in [
        (
            &["calibration/a.png", "test/x/b.png"][..],
            &[1][..],
            &[2][..],
        ),
        (
            &["train/a.png", "calibration/b.png", "validation/x/c.png"],
            &[2],
            &[3],
        ),
        // The test split of ILSVRC-2012 has no labels.
        (&["test/a.png", "train/x/b.png", "val/x/c.png"], &[2], &[3]),
        (&["cat/a.png", "dog/b.png"], &[], &[1, 2]),
    ] {
        let data = open(&folder(files));
        assert_eq!(data.count(Split::Calibration), calibration.len());
        assert_eq!(data.count(Split::Test), test.len());
    }
}

#[test]
fn the_names_of_folders_tell_the_classes() {
    for (files, expected) in [
        (&["val/10/a.png", "val/9/a.png"][..], [10, 9]),
        (&["n02102040/a.png", "n15075141/b.png"], [217, 999]),
        (&["9/a.png", "ten/a.png"], [0, 1]),
    ] {
        let data = open(&folder(files));
        assert_eq!(labels(&*data), expected);
        assert_eq!(data.class_name(3), None);
        let name = data.class_name(expected[1]).unwrap();
        assert!(files[1].contains(name), "{name}");
    }
}

#[test]
fn every_format_is_read_as_red_green_and_blue() {
    let color = [200, 100, 50];
    let rgb = plain(5, color);
    let transparent: DynamicImage = RgbaImage::from_pixel(5, 4, Rgba([200, 100, 50, 0])).into();
    let grey: DynamicImage = GrayImage::from_pixel(5, 4, image::Luma([77])).into();
    let deep: DynamicImage =
        image::ImageBuffer::from_pixel(5, 4, Rgb([200 * 257, 100 * 257_u16, 50 * 257])).into();
    let dir = TempDir::new().unwrap();
    for (file, image, format, expected) in [
        ("x/a.png", &rgb, ImageFormat::Png, color),
        ("x/b.webp", &rgb, ImageFormat::WebP, color),
        ("x/c.BMP", &rgb, ImageFormat::Bmp, color),
        ("x/d.ppm", &rgb, ImageFormat::Pnm, color),
        ("x/e.jpeg", &grey, ImageFormat::Jpeg, [77; 3]),
        ("x/f.png", &transparent, ImageFormat::Png, color),
        ("x/g.png", &grey, ImageFormat::Png, [77; 3]),
        ("x/h.png", &deep, ImageFormat::Png, color),
        // As one of ImageNet's.
        ("x/i.JPEG", &rgb, ImageFormat::Png, color),
    ] {
        write(&dir, file, &encoded(image, format));
        let data = open(&dir);
        let image = data
            .image(Split::Test, data.count(Split::Test) - 1)
            .unwrap();
        let expected = Image::from_fn([3, 4, 5], |c, _, _| expected[c]);
        assert_eq!(image, expected, "{file}");
    }
}

/// Sets both sides in the header of an encoded image to 60,000.
fn huge(format: ImageFormat) -> Vec<u8> {
    let mut bytes = encoded(&plain(5, [1, 2, 3]), format);
    match format {
        ImageFormat::Jpeg => {
            let frame = bytes.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
            bytes[frame + 5..frame + 9].copy_from_slice(&[60_000_u16.to_be_bytes(); 2].concat());
        }
        ImageFormat::Png => {
            bytes[16..24].copy_from_slice(&[60_000_u32.to_be_bytes(); 2].concat());
            let mut crc = flate2::Crc::new();
            crc.update(&bytes[12..29]);
            bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        }
        _ => bytes[18..26].copy_from_slice(&[60_000_u32.to_le_bytes(); 2].concat()),
    }
    bytes
}

#[test]
fn what_cannot_be_read_says_why() {
    let noise = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * y) as u8, (x ^ y) as u8, x as u8]));
    let jpeg = encoded(&noise.clone().into(), ImageFormat::Jpeg);
    let png = encoded(&noise.into(), ImageFormat::Png);
    let large = "it is 60000x60000 pixels, expected at most 89478485 in all";
    let truncated = "it ends before its end-of-image marker";
    for (bytes, why) in [
        (jpeg[..jpeg.len() / 2].to_vec(), truncated),
        (jpeg[..jpeg.len() - 1].to_vec(), truncated),
        (jpeg[..300].to_vec(), truncated),
        (png[..png.len() / 2].to_vec(), "unexpected end of file"),
        (
            b"no image at all".to_vec(),
            "format could not be determined",
        ),
        (Vec::new(), "format could not be determined"),
        (huge(ImageFormat::Jpeg), large),
        (huge(ImageFormat::Png), large),
        (huge(ImageFormat::Bmp), large),
        (b"P6 60000 60000 255\n".to_vec(), large),
    ] {
        let dir = TempDir::new().unwrap();
        write(&dir, "val/cat/x.jpg", &bytes);
        let error = open(&dir).image(Split::Test, 0).unwrap_err();
        assert!(matches!(error, DataError::Image { .. }), "{error}");
        let message = error.to_string();
        let path = dir.path().join("val/cat/x.jpg");
        let start = format!("cannot read image `{}`: ", path.display());
        assert!(message.starts_with(&start), "{message}");
        assert!(message.contains(why), "{why}: {message}");
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_one_to_nowhere_is_an_image_that_cannot_be_read() {
    use std::os::unix::fs::symlink;
    let dir = folder(&["val/cat/a.png", "elsewhere/b.png"]);
    symlink("../../elsewhere", dir.path().join("val/cat/linked")).unwrap();
    symlink("nowhere", dir.path().join("val/cat/x.png")).unwrap();
    symlink("nowhere", dir.path().join("val/x")).unwrap();
    let data = open(&dir);
    assert_eq!(data.count(Split::Test), 3);
    let error = data.image(Split::Test, 2).unwrap_err().to_string();
    assert!(error.contains("x.png"), "{error}");
    data.fingerprint().unwrap();
}

#[test]
fn what_is_missing_says_what_was_looked_for() {
    let missing = Path::new("/no/such");
    let message =
        "`/no/such` is not a folder, expected the one that holds images as `val/<class>/<image>`";
    assert_eq!(
        spec(missing).availability().unwrap_err().to_string(),
        message
    );
    for (file, message) in [
        (
            "train/cat/a.png",
            "`DIR` has none of the folders `val`, `validation`, `test`, expected the test images in one of them as `<class>/<image>`",
        ),
        (
            "val/a.png",
            "`DIR/val` has no folders, expected one a class with its images in it",
        ),
        (
            "a.png",
            "`DIR` has no folders, expected one a class with its images in it",
        ),
    ] {
        let dir = folder(&[file]);
        let message = message.replace("DIR", &dir.path().display().to_string());
        let spec = spec(dir.path());
        assert_eq!(spec.availability().unwrap_err().to_string(), message);
        assert_eq!(spec.open().unwrap_err().to_string(), message);
    }
    let dir = folder(&["val/cat/a.gif"]);
    let spec = spec(dir.path());
    spec.availability().unwrap();
    let message = "`DIR/val` has no images in its class folders, expected files that end in .jpg, .jpeg, .png, .webp, .bmp, .ppm, .pgm, .pbm, .pnm";
    let message = message.replace("DIR", &dir.path().display().to_string());
    assert_eq!(spec.open().unwrap_err().to_string(), message);
}

#[test]
fn too_few_calibration_images_say_where_to_put_them() {
    let dir = folder(&["cat/a.png"]);
    let data = open(&dir);
    let preprocess = serde_json::from_str(r#"{"mean":[0.0],"std":[1.0]}"#).unwrap();
    let reader = crate::data::Reader {
        dataset: &*data,
        preprocess: &preprocess,
        strict: false,
    };
    let message = "there are 0 calibration images, expected at least 16: ask for fewer, or put images (.jpg, .jpeg, .png, .webp, .bmp, .ppm, .pgm, .pbm, .pnm) in `DIR/train`";
    let message = message.replace("DIR", &dir.path().display().to_string());
    assert_eq!(reader.calibration(16, 0).unwrap_err().to_string(), message);
}

#[test]
fn the_fingerprint_is_of_paths_sizes_and_labels() {
    let files = ["train/a.png", "val/1/a.png", "val/2/b.png"];
    let of = |dir: &TempDir| open(dir).fingerprint().unwrap();
    let original = of(&folder(&files));
    assert_eq!(original.len(), 64);
    assert_eq!(original, of(&folder(&files)));
    let longer = folder(&files);
    write(&longer, "train/a.png", b"longer or shorter");
    assert_ne!(original, of(&longer));
    for others in [
        ["train/b.png", "val/1/a.png", "val/2/b.png"],
        ["train/a.png", "val/1/a.png", "val/1/b.png"],
        ["train/a.png", "val/1/a.png", "val/3/b.png"],
    ] {
        assert_ne!(original, of(&folder(&others)), "{others:?}");
    }
}

#[test]
fn the_name_is_the_folder_s() {
    for (argument, name) in [
        ("/data/imagenet", "imagenet"),
        ("/data/ImageNet-1k_v2.1/", "ImageNet-1k_v2.1"),
        ("my pictures/a::b@c", "a--b-c"),
        ("ünï", "-n-"),
        ("..", "imagefolder"),
        ("/", "imagefolder"),
        ("日本", "imagefolder"),
    ] {
        let spec: DataSpec = format!("imagefolder:{argument}").parse().unwrap();
        assert_eq!(spec.dataset_name(), name, "{argument}");
    }
}
