//! A folder of images of which nothing is known: `images:<dir>`, as LSUN and CelebA-HQ are when they are exported.
//!
//! These are what a generator's drawings are compared with. The test images are all images anywhere below `<dir>`, in the order of
//! their paths; names that begin with a dot are passed over. Files are told, read and hashed as those of `imagefolder` are.
//!
//! The calibration images are the same ones, for allocators that look at some: there are no answers to learn from them, and none
//! that a metric could ask for. Generators do without, for they calibrate with what they draw.

use super::files::{EXTENSIONS, FileList, FolderFormat, PlainFiles, walk};
use super::{DataError, Dataset};
use std::path::Path;
use std::sync::Arc;

/// The format `images`.
pub(super) static IMAGES: FolderFormat = FolderFormat {
    name: "images",
    check,
    open,
};

fn check(dir: &Path) -> Result<(), DataError> {
    if !dir.is_dir() {
        return Err(DataError::NoFolder {
            path: dir.to_owned(),
            expected: "images, itself or in folders below",
        });
    }
    match walk(dir).next() {
        Some(first) => first.map(|_| ()),
        None => Err(DataError::NoImages {
            path: dir.to_owned(),
            place: "in it or below",
            extensions: &EXTENSIONS,
        }),
    }
}

fn open(name: String, dir: &Path) -> Result<Arc<dyn Dataset>, DataError> {
    check(dir)?;
    let images = FileList::below(dir.to_owned())?;
    Ok(Arc::new(PlainFiles::new(name, images)))
}

#[cfg(test)]
mod tests {
    use crate::data::files::testing::{open, picture, refusal, spec, widths, write};
    use crate::data::{DataError, DataSpec, Labels, Split};
    use tempfile::TempDir;

    /// A folder of images whose width is their place in the list, from one.
    fn folder(files: &[&str]) -> TempDir {
        let dir = TempDir::new().unwrap();
        for (file, width) in files.iter().zip(1..) {
            picture(&dir, file, width);
        }
        dir
    }

    #[test]
    fn images_are_found_anywhere_below_in_the_order_of_their_paths() {
        let dir = folder(&[
            "z.png",
            "b/deep/er/x.PNG",
            "b/a.jpg",
            "10.webp",
            "val/cat/y.bmp",
        ]);
        for file in ["notes.txt", ".hidden/a.png", "b/._a.png"] {
            write(&dir, file, b"none");
        }
        let data = open("images", &dir);
        for split in [Split::Test, Split::Calibration] {
            assert_eq!(widths(&*data, split), [4, 3, 2, 5, 1]);
        }
        assert_eq!(data.image_shape(), None);
        let error = data.image(Split::Calibration, 5).unwrap_err();
        assert!(matches!(error, DataError::Index { .. }), "{error}");
    }

    #[test]
    fn nothing_is_known_of_them() {
        let data = open("images", &folder(&["cat/a.png", "dog/b.png"]));
        let labels = data.test_labels();
        assert_eq!(labels, &Labels::Unknown(2));
        assert_eq!(labels.count(), 2);
        assert_eq!((labels.classes(), labels.boxes()), (None, None));
        assert_eq!(data.class_name(0), None);
    }

    #[test]
    fn an_image_that_cannot_be_read_is_named() {
        let dir = folder(&["a.png"]);
        write(&dir, "b.png", b"no image at all");
        let data = open("images", &dir);
        let error = data.image(Split::Test, 1).unwrap_err();
        assert!(matches!(error, DataError::Image { .. }), "{error}");
        assert!(error.to_string().contains("b.png"), "{error}");
    }

    #[test]
    fn a_folder_without_images_says_what_was_looked_for() {
        let missing: DataSpec = "images:/no/such".parse().unwrap();
        let message = "`/no/such` is not a folder, expected the one that holds images, itself or in folders below";
        assert_eq!(missing.availability().unwrap_err().to_string(), message);
        assert_eq!(missing.open().unwrap_err().to_string(), message);
        let dir = TempDir::new().unwrap();
        write(&dir, "church/a.gif", b"none");
        let message = "`DIR` has no images in it or below, expected files that end in .jpg, .jpeg, .png, .webp, .bmp, .ppm, .pgm, .pbm, .pnm";
        assert_eq!(refusal("images", &dir), message);
        assert!(spec("images", &dir).availability().is_err());
    }

    #[test]
    fn the_fingerprint_is_of_paths_and_sizes() {
        let of = |dir: &TempDir| open("images", dir).fingerprint().unwrap();
        let original = of(&folder(&["a.png", "b/c.png"]));
        assert_eq!(original.len(), 64);
        assert_eq!(original, of(&folder(&["a.png", "b/c.png"])));
        let longer = folder(&["a.png", "b/c.png"]);
        write(&longer, "a.png", b"longer or shorter");
        assert_ne!(original, of(&longer));
        for others in [&["a.png", "b/d.png"][..], &["a.png"], &["a.png", "c.png"]] {
            assert_ne!(original, of(&folder(others)), "{others:?}");
        }
    }

    #[test]
    fn too_few_say_where_to_put_more() {
        let dir = folder(&["a.png"]);
        let advice = open("images", &dir).calibration_advice();
        let root = format!("in `{}`", dir.path().display());
        assert!(advice.ends_with(&root), "{advice}");
    }
}
