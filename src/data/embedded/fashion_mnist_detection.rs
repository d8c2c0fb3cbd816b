//! Canvases of Fashion-MNIST to find its items on, made when they are asked for and therefore without any bytes in the executable:
//! those to calibrate with of its calibration images, those to measure on of its test images.

use super::{Set, fashion_mnist};
use crate::data::canvas::{Canvas, SIDE, canvases};
use crate::data::memory::MemoryDataset;
use crate::data::{Annotation, DataError, Dataset, Image, Labels, Split};
use std::sync::{Arc, OnceLock};

pub(super) const FASHION_MNIST_DETECTION: Set = Set {
    name: "fashion-mnist-detection",
    open,
};

/// The number of canvases of a split, and the seed of their draw.
const fn drawn(split: Split) -> (usize, u64) {
    match split {
        Split::Calibration => (1_024, 0),
        Split::Test => (1_000, 1),
    }
}

/// Returns the set, made once in a process.
fn open() -> Result<Arc<dyn Dataset>, DataError> {
    static MADE: OnceLock<Arc<MemoryDataset>> = OnceLock::new();
    if let Some(set) = MADE.get() {
        return Ok(set.clone());
    }
    let set = Arc::new(make()?);
    Ok(MADE.get_or_init(|| set).clone())
}

fn make() -> Result<MemoryDataset, DataError> {
    let source = fashion_mnist::open()?;
    let calibration = canvases_of(source.as_ref(), Split::Calibration)?;
    let test = canvases_of(source.as_ref(), Split::Test)?;
    let classes = source.test_labels().classes().unwrap_or_default();
    let name = FASHION_MNIST_DETECTION.name;
    let set = MemoryDataset::new(name, [1, SIDE, SIDE], &fashion_mnist::CLASSES);
    Ok(set
        .with_calibration(pixels(&calibration))
        .with_test(pixels(&test), boxes(&test, classes)))
}

fn canvases_of(source: &dyn Dataset, split: Split) -> Result<Vec<Canvas>, DataError> {
    let all: Vec<usize> = (0..source.count(split)).collect();
    let items: Vec<Image> = source.images(split, &all)?;
    let (count, seed) = drawn(split);
    Ok(canvases(&items, count, seed))
}

fn pixels(canvases: &[Canvas]) -> Vec<u8> {
    let pixels = canvases.iter().map(|canvas| canvas.image.pixels());
    pixels.collect::<Vec<_>>().concat()
}

/// Returns what is on each canvas; `classes` are those of the items.
fn boxes(canvases: &[Canvas], classes: &[u32]) -> Labels {
    let boxes = canvases.iter().map(|canvas| {
        let things = canvas.things.iter();
        let known = things.map(|thing| Annotation::plain(thing.rect, classes[thing.item]));
        known.collect()
    });
    Labels::Boxes(boxes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_has_the_same_bits_everywhere() {
        let set = open().unwrap();
        assert_eq!(set.image_shape(), Some([1, 64, 64]));
        assert_eq!(set.count(Split::Calibration), 1_024);
        assert_eq!(set.count(Split::Test), 1_000);
        assert_eq!(
            set.fingerprint().unwrap(),
            "b0a1a637ffad841dcb726521da874430e34acda7d80fe62eff70c223a197a5f4"
        );
    }

    #[test]
    fn every_class_is_there_in_many_sizes() {
        let set = open().unwrap();
        let boxes = set.test_labels().boxes().unwrap();
        let mut members = [0; 10];
        let mut sides: Vec<f64> = Vec::new();
        for thing in boxes.iter().flatten() {
            members[thing.class as usize] += 1;
            sides.push(thing.rect.width.max(thing.rect.height));
        }
        assert!(members.iter().all(|&count| count > 150), "{members:?}");
        sides.sort_by(f64::total_cmp);
        let [least, most] = [sides[0], sides[sides.len() - 1]];
        assert!(
            (14.0..=16.0).contains(&least) && most == 44.0,
            "{least} {most}"
        );
        assert_eq!(set.class_name(9), Some("ankle boot"));
    }
}
