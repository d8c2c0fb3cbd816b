//! A data set that fits in memory: what the formats of small images read their files into.

use super::{DataError, Dataset, Image, Labels, Split};
use std::sync::OnceLock;

/// Images of one shape, whole in memory.
#[derive(Debug)]
pub struct MemoryDataset {
    name: &'static str,
    shape: [usize; 3],
    classes: &'static [&'static str],
    calibration: Vec<u8>,
    test: Vec<u8>,
    labels: Labels,
    fingerprint: OnceLock<String>,
}

impl MemoryDataset {
    /// Makes an empty set of images of `shape` `[c, h, w]`.
    pub fn new(name: &'static str, shape: [usize; 3], classes: &'static [&'static str]) -> Self {
        Self {
            name,
            shape,
            classes,
            calibration: Vec::new(),
            test: Vec::new(),
            labels: Labels::Classes(Vec::new()),
            fingerprint: OnceLock::new(),
        }
    }

    /// Sets the calibration images, one after the other, each in the order `[c, h, w]`.
    #[must_use]
    pub fn with_calibration(mut self, pixels: Vec<u8>) -> Self {
        debug_assert_eq!(pixels.len() % self.image_size(), 0);
        self.calibration = pixels;
        self
    }

    /// Sets the test images, likewise, and what is known of each.
    #[must_use]
    pub fn with_test(mut self, pixels: Vec<u8>, labels: Labels) -> Self {
        debug_assert_eq!(pixels.len(), self.image_size() * labels.count());
        self.test = pixels;
        self.labels = labels;
        self
    }

    fn image_size(&self) -> usize {
        self.shape.iter().product()
    }

    fn pixels(&self, split: Split) -> &[u8] {
        match split {
            Split::Calibration => &self.calibration,
            Split::Test => &self.test,
        }
    }

    /// Hashes everything, each part after its length, so that no two sets share a stream of bytes.
    fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        part(&self.shape.map(|side| (side as u64).to_le_bytes()).concat());
        part(&self.calibration);
        part(&self.test);
        part(&self.labels.bytes());
        hasher.finalize().to_hex().to_string()
    }
}

impl Dataset for MemoryDataset {
    fn name(&self) -> &str {
        self.name
    }

    fn image_shape(&self) -> Option<[usize; 3]> {
        Some(self.shape)
    }

    fn class_name(&self, class: u32) -> Option<&str> {
        self.classes.get(class as usize).copied()
    }

    fn count(&self, split: Split) -> usize {
        self.pixels(split).len() / self.image_size()
    }

    fn image(&self, split: Split, index: usize) -> Result<Image, DataError> {
        let size = self.image_size();
        let count = self.count(split);
        if index >= count {
            return Err(DataError::Index {
                split,
                index,
                count,
            });
        }
        let pixels = &self.pixels(split)[index * size..][..size];
        Ok(Image::from_slice(self.shape, pixels))
    }

    fn test_labels(&self) -> &Labels {
        &self.labels
    }

    fn fingerprint(&self) -> Result<String, DataError> {
        Ok(self.fingerprint.get_or_init(|| self.hash()).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Annotation, Rect, Standing};

    fn tiny(calibration: &[u8], test: &[u8], classes: &[u32]) -> MemoryDataset {
        MemoryDataset::new("tiny", [1, 1, 2], &["a", "b"])
            .with_calibration(calibration.to_vec())
            .with_test(test.to_vec(), Labels::Classes(classes.to_vec()))
    }

    #[test]
    fn images_come_in_the_order_asked_for() {
        let data = tiny(&[1, 2, 3, 4, 5, 6], &[7, 8], &[1]);
        assert_eq!(data.count(Split::Calibration), 3);
        let images = data.images(Split::Calibration, &[2, 0, 2]).unwrap();
        let pixels: Vec<&[u8]> = images.iter().map(Image::pixels).collect();
        assert_eq!(pixels, [[5, 6], [1, 2], [5, 6]]);
    }

    #[test]
    fn an_index_beyond_the_split_is_an_error() {
        let error = tiny(&[1, 2], &[], &[])
            .images(Split::Calibration, &[0, 1])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no calibration image 1, expected 0 to 1 (exclusive)"
        );
    }

    #[test]
    fn the_fingerprint_depends_on_every_part() {
        let of = |data: MemoryDataset| data.fingerprint().unwrap();
        let original = of(tiny(&[1, 2, 3, 4], &[5, 6], &[0]));
        assert_eq!(original.len(), 64);
        assert_eq!(original, of(tiny(&[1, 2, 3, 4], &[5, 6], &[0])));
        let others = [
            tiny(&[1, 2, 3, 5], &[5, 6], &[0]),
            tiny(&[1, 2, 3, 4], &[5, 7], &[0]),
            tiny(&[1, 2, 3, 4], &[5, 6], &[1]),
            tiny(&[1, 2], &[3, 4, 5, 6], &[0, 0]),
            MemoryDataset::new("tiny", [2, 1, 1], &["a", "b"])
                .with_calibration(vec![1, 2, 3, 4])
                .with_test(vec![5, 6], Labels::Classes(vec![0])),
            tiny(&[1, 2, 3, 4], &[], &[]).with_test(vec![5, 6], Labels::Unknown(1)),
        ];
        for (row, other) in others.into_iter().enumerate() {
            assert_ne!(original, of(other), "row {row}");
        }
    }

    #[test]
    fn the_fingerprint_depends_on_every_part_of_a_box() {
        let of = |boxes: Vec<Vec<Annotation>>| {
            let data = MemoryDataset::new("tiny", [1, 1, 1], &["a", "b"]);
            let pixels = vec![7; boxes.len()];
            let data = data.with_test(pixels, Labels::Boxes(boxes));
            data.fingerprint().unwrap()
        };
        let edges = [1.0, 2.0, 3.0, 5.0];
        let thing = |edges, class| Annotation::plain(Rect::from_edges(edges), class);
        let thing_ = thing(edges, 1);
        let original = of(vec![vec![thing_], vec![]]);
        assert_eq!(original, of(vec![vec![thing_], vec![]]));
        let area = 5.0;
        let standing = Standing::Crowd;
        for (row, other) in [
            vec![vec![], vec![thing_]],
            vec![vec![thing_, thing_], vec![]],
            vec![vec![], vec![]],
            vec![vec![thing(edges, 0)], vec![]],
            vec![vec![thing([-1.0, 2.0, 3.0, 5.0], 1)], vec![]],
            vec![vec![thing([1.0, 2.0, 3.0, 5.0 + 1e-12], 1)], vec![]],
            vec![vec![Annotation { area, ..thing_ }], vec![]],
            vec![vec![Annotation { standing, ..thing_ }], vec![]],
        ]
        .into_iter()
        .enumerate()
        {
            assert_ne!(original, of(other), "row {row}");
        }
        assert_ne!(of(vec![]), of(vec![vec![]]));
    }
}
