//! Boxes around things in images.

/// A rectangle in the pixels of an image, of which x grows to the right and y downwards.
///
/// Corners are points between pixels: the first pixel of a row lies between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// The left edge.
    pub x: f64,
    /// The upper edge.
    pub y: f64,
    /// The distance from the left edge to the right one.
    pub width: f64,
    /// The distance from the upper edge to the lower one.
    pub height: f64,
}

impl Rect {
    /// Makes the rectangle with these edges.
    pub fn from_edges([left, upper, right, lower]: [f64; 4]) -> Self {
        Self {
            x: left,
            y: upper,
            width: right - left,
            height: lower - upper,
        }
    }

    /// Returns the left, upper, right and lower edge.
    pub fn edges(&self) -> [f64; 4] {
        [self.x, self.y, self.x + self.width, self.y + self.height]
    }

    /// Returns the area, in pixels.
    pub fn area(&self) -> f64 {
        self.width * self.height
    }

    /// Returns the area that both rectangles cover.
    pub fn intersection(&self, other: &Self) -> f64 {
        let ([l, u, r, d], [left, upper, right, lower]) = (self.edges(), other.edges());
        let width = r.min(right) - l.max(left);
        let height = d.min(lower) - u.max(upper);
        width.max(0.0) * height.max(0.0)
    }
}

/// What an annotation says of a thing when detections are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Standing {
    /// It is to be found.
    #[default]
    Counts,
    /// It need not be found, and finding it is no mistake: PASCAL VOC's `difficult`.
    Difficult,
    /// It is many things at once, of which any number may be found: COCO's `iscrowd`.
    Crowd,
}

/// A thing in an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Annotation {
    /// Where it is.
    pub rect: Rect,
    /// What it is, see [`super::Dataset::class_name`].
    pub class: u32,
    /// Its area in pixels: that of its outline where that is known, otherwise that of the rectangle.
    pub area: f64,
    /// What it counts for.
    pub standing: Standing,
}

impl Annotation {
    /// Makes an annotation that counts, of a thing whose outline is not known.
    pub fn plain(rect: Rect, class: u32) -> Self {
        Self {
            rect,
            class,
            area: rect.area(),
            standing: Standing::Counts,
        }
    }

    /// Writes all of it in bytes, as many for each annotation.
    pub(super) fn bytes(&self) -> [u8; 48] {
        let Rect {
            x,
            y,
            width,
            height,
        } = self.rect;
        let mut bytes = [0; 48];
        let numbers = [x, y, width, height, self.area].map(f64::to_bits);
        let words = [self.class, self.standing as u32];
        let words = u64::from(words[0]) | u64::from(words[1]) << 32;
        let all = numbers.into_iter().chain([words]);
        for (place, number) in bytes.chunks_exact_mut(8).zip(all) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_areas_and_intersections_follow_the_closed_forms() {
        let rect = Rect::from_edges([1.0, 2.0, 4.0, 8.0]);
        assert_eq!(rect.edges(), [1.0, 2.0, 4.0, 8.0]);
        assert!((rect.area() - 18.0).abs() < 1e-12);
        for (edges, expected) in [
            ([1.0, 2.0, 4.0, 8.0], 18.0),
            ([3.0, 7.0, 9.0, 9.0], 1.0),
            ([2.0, 3.0, 3.0, 4.0], 1.0),
            ([4.0, 2.0, 5.0, 8.0], 0.0),
            ([5.0, 9.0, 6.0, 10.0], 0.0),
        ] {
            let other = Rect::from_edges(edges);
            assert!(
                (rect.intersection(&other) - expected).abs() < 1e-12,
                "{edges:?}"
            );
            assert!(
                (other.intersection(&rect) - expected).abs() < 1e-12,
                "{edges:?}"
            );
        }
    }
}
