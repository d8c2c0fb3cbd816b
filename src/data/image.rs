//! Raw pixels.

use super::DataError;
use super::files::decode;
use super::resize::resize;
use crate::models::Interpolation;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use std::path::Path;

/// Pixels between the images of a grid.
const GAP: usize = 2;

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

    /// Reads a file (JPEG, PNG, WebP, BMP, PNM) as red, green and blue.
    ///
    /// # Errors
    /// [`DataError::Image`] for one that cannot be read.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        decode(path)
    }

    /// Takes values that are in the order of an image's.
    pub(super) fn from_vec(shape: [usize; 3], pixels: Vec<u8>) -> Self {
        debug_assert_eq!(pixels.len(), shape.iter().product::<usize>());
        Self { shape, pixels }
    }

    /// Copies an image out of a larger buffer.
    pub(super) fn from_slice(shape: [usize; 3], pixels: &[u8]) -> Self {
        Self::from_vec(shape, pixels.to_vec())
    }

    /// Makes an image of values in the order `[h, w, c]`, as files have them.
    pub(super) fn from_interleaved([channels, height, width]: [usize; 3], values: &[u8]) -> Self {
        let mut pixels = Vec::with_capacity(values.len());
        for channel in 0..channels {
            pixels.extend(values.iter().skip(channel).step_by(channels));
        }
        Self::from_vec([channels, height, width], pixels)
    }

    /// Returns the luminance of a red, green and blue image in one channel, in the fixed point of Pillow's `convert("L")`
    /// (ITU-R 601-2); grey stays as it is.
    #[must_use]
    pub fn to_grey(&self) -> Self {
        let [3, height, width] = self.shape else {
            return self.clone();
        };
        let (red, rest) = self.pixels.split_at(height * width);
        let (green, blue) = rest.split_at(height * width);
        let luminance = |((&r, &g), &b): ((&u8, &u8), &u8)| {
            let [r, g, b] = [r, g, b].map(u32::from);
            ((19_595 * r + 38_470 * g + 7_471 * b + 0x8000) >> 16) as u8
        };
        let pixels = red.iter().zip(green).zip(blue).map(luminance).collect();
        Self::from_vec([1, height, width], pixels)
    }

    /// Returns the image with one channel or three: colours as their luminance, grey as equal colours; anything else as it is.
    #[must_use]
    pub fn with_channels(&self, channels: usize) -> Self {
        let [found, height, width] = self.shape;
        match (found, channels) {
            (3, 1) => self.to_grey(),
            (1, 3) => Self::from_vec([3, height, width], self.pixels.repeat(3)),
            _ => self.clone(),
        }
    }

    /// Returns the image in another height and width.
    #[must_use]
    pub fn resized(&self, [height, width]: [usize; 2]) -> Self {
        let [_, rows, columns] = self.shape;
        if [rows, columns] == [height, width] {
            return self.clone();
        }
        let whole = [0..height, 0..width];
        resize(self, [height, width], whole, Interpolation::Bilinear)
    }

    /// Returns the image as a PNG: in grey if it has one channel, otherwise in the colours of its first three.
    ///
    /// # Panics
    /// If it has no pixels, or two channels.
    pub fn to_png(&self) -> Vec<u8> {
        let [channels, height, width] = self.shape;
        let (colours, kind) = match channels {
            1 => (1, ExtendedColorType::L8),
            _ => (3, ExtendedColorType::Rgb8),
        };
        let at = |position: usize| (0..colours).map(move |c| c * height * width + position);
        let places = (0..height * width).flat_map(at);
        let pixels: Vec<u8> = places.map(|place| self.pixels[place]).collect();
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(&pixels, width as u32, height as u32, kind)
            .expect("an image with pixels fits a PNG in memory");
        png
    }

    /// Returns a square of `side` pixels with this image at row `top` and column `left`, where all of it has room, and around it
    /// the level that `fill` has for each channel.
    pub(super) fn framed(self, side: usize, [top, left]: [usize; 2], fill: &[u8]) -> Self {
        let [channels, ..] = self.shape;
        let shape = [channels, side, side];
        if self.shape == shape {
            return self;
        }
        Self::from_fn(shape, |c, y, x| {
            let inside = y.checked_sub(top).zip(x.checked_sub(left));
            let value = inside.and_then(|(y, x)| self.value(c, y, x));
            value.unwrap_or(fill[c])
        })
    }

    /// Returns images of one shape side by side, row by row with `columns` in each, white between them.
    ///
    /// # Panics
    /// If there are none, or no columns.
    #[must_use]
    pub fn grid(images: &[Self], columns: usize) -> Self {
        let [channels, height, width] = images[0].shape;
        let lines = |count: usize, side: usize| count * (side + GAP) + GAP;
        let rows = images.len().div_ceil(columns);
        let columns = columns.min(images.len());
        let shape = [channels, lines(rows, height), lines(columns, width)];
        // The number of a tile, and the pixel within it.
        let place = |at: usize, side: usize| {
            let inner = at.checked_sub(GAP)?;
            let pixel = inner % (side + GAP);
            (pixel < side).then_some((inner / (side + GAP), pixel))
        };
        Self::from_fn(shape, |c, y, x| {
            let places = place(y, height).zip(place(x, width));
            let value = places.and_then(|((row, y), (column, x))| {
                let image = images.get(row * columns + column)?;
                image.value(c, y, x)
            });
            value.unwrap_or(u8::MAX)
        })
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
    fn grey_has_equal_colours() {
        let grey = Image::from_fn([1, 2, 2], |_, y, x| (2 * y + x) as u8);
        let colours = grey.with_channels(3);
        assert_eq!(colours.shape(), [3, 2, 2]);
        assert_eq!(colours.pixels(), [0, 1, 2, 3].repeat(3));
        assert_eq!(colours.with_channels(1), grey);
        assert_eq!(grey.with_channels(1), grey);
    }

    #[test]
    fn images_stand_in_a_grid() {
        let images = [10, 20, 30].map(|level| Image::from_fn([1, 1, 3], |_, _, _| level));
        let grid = Image::grid(&images, 2);
        assert_eq!(grid.shape(), [1, 8, 12]);
        let white = [255; 12];
        let row = |left: u8, right: u8| {
            [&[255; 2][..], &[left; 3], &[255; 2], &[right; 3], &[255; 2]].concat()
        };
        let rows: Vec<&[u8]> = grid.pixels().chunks(12).collect();
        assert_eq!(rows[2], row(10, 20));
        assert_eq!(rows[5], row(30, 255));
        for at in [0, 1, 3, 4, 6, 7] {
            assert_eq!(rows[at], white, "row {at}");
        }
        assert_eq!(Image::grid(&images[..1], 8).shape(), [1, 5, 7]);
    }

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
        let values = [0, 100, 1, 101, 2, 102, 3, 103];
        let image = Image::from_interleaved([2, 2, 2], &values);
        assert_eq!(image.pixels(), [0, 1, 2, 3, 100, 101, 102, 103]);
    }

    #[test]
    fn a_png_holds_the_pixels() {
        for channels in [1, 3] {
            let image = Image::from_fn([channels, 2, 3], |c, y, x| (90 * c + 10 * y + x) as u8);
            let read = image::load_from_memory(&image.to_png()).unwrap();
            assert_eq!([read.width(), read.height()], [3, 2]);
            let back = Image::from_interleaved(image.shape(), read.as_bytes());
            assert_eq!(back, image);
        }
    }

    #[test]
    fn grey_is_the_luminance_and_stays() {
        let image = Image::from_slice([3, 1, 4], &[255, 0, 0, 77, 0, 255, 0, 77, 0, 0, 255, 77]);
        let grey = image.to_grey();
        assert_eq!(grey, Image::from_slice([1, 1, 4], &[76, 150, 29, 77]));
        assert_eq!(grey.to_grey(), grey);
    }
}
