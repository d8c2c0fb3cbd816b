//! Raw pixels.

/// An image as stored: one byte a value, in the order `[c, h, w]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    shape: [usize; 3],
    pixels: Vec<u8>,
}

impl Image {
    /// Makes an image of `shape` `[c, h, w]` whose value in channel `c`, row `y` and column `x` is `value(c, y, x)`.
    pub fn from_fn(shape: [usize; 3], mut value: impl FnMut(usize, usize, usize) -> u8) -> Self {
        let [channels, height, width] = shape;
        let mut pixels = Vec::with_capacity(channels * height * width);
        for c in 0..channels {
            for y in 0..height {
                pixels.extend((0..width).map(|x| value(c, y, x)));
            }
        }
        Self { shape, pixels }
    }

    /// Copies an image out of a larger buffer.
    pub(super) fn from_slice(shape: [usize; 3], pixels: &[u8]) -> Self {
        debug_assert_eq!(pixels.len(), shape.iter().product::<usize>());
        Self {
            shape,
            pixels: pixels.to_vec(),
        }
    }

    /// Returns the shape, `[c, h, w]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Returns all values, in the order `[c, h, w]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Returns the values of one channel after the other, each in the order `[h, w]`.
    pub fn channels(&self) -> impl Iterator<Item = &[u8]> {
        let [_, height, width] = self.shape;
        self.pixels.chunks_exact((height * width).max(1))
    }

    /// Returns the value in channel `c`, row `y` and column `x`, `None` outside the image.
    pub fn value(&self, c: usize, y: usize, x: usize) -> Option<u8> {
        let [channels, height, width] = self.shape;
        (c < channels && y < height && x < width).then(|| self.pixels[(c * height + y) * width + x])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_where_they_were_put() {
        let shape = [2, 3, 4];
        let image = Image::from_fn(shape, |c, y, x| (100 * c + 10 * y + x) as u8);
        assert_eq!(image.pixels()[..5], [0, 1, 2, 3, 10]);
        assert_eq!(image.value(1, 2, 3), Some(123));
        assert_eq!(image.value(2, 0, 0), None);
        assert_eq!(image.value(0, 3, 0), None);
        assert_eq!(image.value(0, 0, 4), None);
        assert_eq!(image.channels().count(), 2);
        assert_eq!(image, Image::from_slice(shape, image.pixels()));
    }
}
