//! What is put on a canvas.

use crate::data::Image;
use crate::data::resize::resize;
use crate::models::Interpolation;
use std::ops::Range;

/// What a pixel is brighter than if it can be seen.
const DARK: u8 = 16;

/// A thing that fills its image.
#[derive(Debug)]
pub(super) struct Item(Image);

impl Item {
    /// Cuts what can be seen out of an image, if there is any.
    pub(super) fn cut(image: &Image) -> Option<Self> {
        let grey = image.to_grey();
        let [rows, columns] = visible(&grey)?;
        let inside =
            |_: usize, y: usize, x: usize| grey.value(0, rows.start + y, columns.start + x);
        let shape = [1, rows.len(), columns.len()];
        Some(Self(Image::from_fn(shape, |c, y, x| {
            inside(c, y, x).expect("what can be seen of an image lies inside")
        })))
    }

    /// Returns the height and the width of it where the longer one is `side` pixels.
    pub(super) fn size(&self, side: usize) -> [usize; 2] {
        let [_, height, width] = self.0.shape();
        let longer = height.max(width);
        [height, width].map(|length| ((2 * length * side + longer) / (2 * longer)).max(1))
    }

    /// Returns it in another height and width.
    pub(super) fn scaled(&self, [height, width]: [usize; 2]) -> Image {
        let whole = [0..height, 0..width];
        resize(&self.0, [height, width], whole, Interpolation::Bilinear)
    }
}

/// Returns the rows and columns between the outermost pixels that can be seen, if there are any.
pub(super) fn visible(grey: &Image) -> Option<[Range<usize>; 2]> {
    let [_, height, width] = grey.shape();
    let seen = |y, x| grey.value(0, y, x).is_some_and(|pixel| pixel > DARK);
    let rows = span((0..height).filter(|&y| (0..width).any(|x| seen(y, x))))?;
    let columns = span((0..width).filter(|&x| rows.clone().any(|y| seen(y, x))))?;
    Some([rows, columns])
}

fn span(mut places: impl DoubleEndedIterator<Item = usize>) -> Option<Range<usize>> {
    let first = places.next()?;
    Some(first..places.next_back().unwrap_or(first) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image that is faint but for some pixels.
    fn dots(shape: [usize; 3], bright: &[[usize; 2]]) -> Image {
        Image::from_fn(
            shape,
            |_, y, x| {
                if bright.contains(&[y, x]) { 17 } else { 16 }
            },
        )
    }

    #[test]
    fn what_can_be_seen_is_the_tight_box() {
        for (bright, expected) in [
            (&[][..], None),
            (&[[2, 3]][..], Some([2..3, 3..4])),
            (&[[0, 5], [4, 1], [2, 2]], Some([0..5, 1..6])),
        ] {
            let image = dots([1, 5, 6], bright);
            assert_eq!(visible(&image), expected, "{bright:?}");
            let shape = Item::cut(&image).map(|item| item.0.shape());
            let expected = expected.map(|[rows, columns]| [1, rows.len(), columns.len()]);
            assert_eq!(shape, expected, "{bright:?}");
        }
    }

    #[test]
    fn proportions_are_kept() {
        let item = Item::cut(&dots([1, 30, 30], &[[1, 1], [28, 12]])).unwrap();
        for (side, expected) in [(28, [28, 12]), (14, [14, 6]), (44, [44, 19]), (1, [1, 1])] {
            assert_eq!(item.size(side), expected);
            assert_eq!(item.scaled(expected).shape()[1..], expected);
        }
    }
}
