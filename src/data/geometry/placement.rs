//! Where an image lies in what a network sees.

use crate::data::Rect;

/// Where an image lies in the input of a network: an original row `y` is row `y * scale + offset` there, and a column likewise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// What heights and widths are multiplied by.
    pub scale: [f64; 2],
    /// The row and the column of the upper left corner; negative where it is cut off.
    pub offset: [f64; 2],
    /// The row and the column where the image ends in the input: nothing lies beyond.
    pub extent: [f64; 2],
}

impl Placement {
    /// Places an image of `original` rows and columns, resized to `to`, in the upper left corner.
    pub(super) fn new(original: [usize; 2], to: [usize; 2]) -> Self {
        let ratio = |axis: usize| to[axis] as f64 / original[axis] as f64;
        Self {
            scale: [ratio(0), ratio(1)],
            offset: [0.0, 0.0],
            extent: to.map(|length| length as f64),
        }
    }

    /// Returns the place of an image of `original` rows and columns that is the input itself.
    pub(in crate::data) fn identity(original: [usize; 2]) -> Self {
        Self::new(original, original)
    }

    /// Moves the image by `offset` in a square of `side` pixels.
    pub(super) fn moved(self, offset: [f64; 2], side: usize) -> Self {
        let end = |axis: usize| (self.extent[axis] + offset[axis]).min(side as f64);
        Self {
            scale: self.scale,
            offset,
            extent: [end(0), end(1)],
        }
    }

    /// Returns a rectangle of the input in pixels of the original image.
    #[must_use]
    pub fn to_original(&self, rect: Rect) -> Rect {
        let [top, left] = self.offset;
        let [height, width] = self.scale;
        Rect {
            x: (rect.x - left) / width,
            y: (rect.y - top) / height,
            width: rect.width / width,
            height: rect.height / height,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_go_back_to_where_they_were() {
        let rect = Rect::from_edges([12.0, 5.0, 36.0, 25.0]);
        assert_eq!(Placement::identity([40, 60]).to_original(rect), rect);
        let placement = Placement::new([10, 20], [5, 40]).moved([-5.0, 4.0], 40);
        let expected = Rect::from_edges([4.0, 20.0, 16.0, 60.0]);
        assert_eq!(placement.to_original(rect), expected);
        assert_eq!(placement.extent, [0.0, 40.0]);
    }
}
