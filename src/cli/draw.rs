//! Frames and labels in pictures.

use crate::data::Image;
use embedded_graphics::mono_font::MonoTextStyleBuilder;
use embedded_graphics::mono_font::ascii::{FONT_6X10, FONT_10X20};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyleBuilder, Rectangle, StrokeAlignment};
use embedded_graphics::text::{Baseline, Text};
use std::convert::Infallible;

/// Colours that people with any kind of sight tell apart (Okabe and Ito 2008).
const COLOURS: [[u8; 3]; 7] = [
    [230, 159, 0],
    [86, 180, 233],
    [0, 158, 115],
    [240, 228, 66],
    [0, 114, 178],
    [213, 94, 0],
    [204, 121, 167],
];

/// The longer side of a picture for each pixel of a frame's line.
const SIDE_PER_LINE: u32 = 320;

/// The longer side of a picture from which on labels are large.
const LARGE: u32 = 640;

/// A picture to draw in.
pub(super) struct Sketch {
    size: Size,
    /// Red, green and blue of each pixel.
    pixels: Vec<[u8; 3]>,
}

impl Sketch {
    /// Takes a picture of one or three channels.
    pub(super) fn of(image: &Image) -> Self {
        let [channels, height, width] = image.shape();
        let planes: Vec<&[u8]> = image.channels().collect();
        let colour = |at: usize| [0, 1, 2].map(|c: usize| planes[c.min(channels - 1)][at]);
        Self {
            size: Size::new(width as u32, height as u32),
            pixels: (0..height * width).map(colour).collect(),
        }
    }

    /// Draws a frame with these edges (left, upper, right, lower) in the colour of its class, and writes in its corner.
    pub(super) fn frame(&mut self, edges: [f64; 4], class: &str, label: &str) {
        let longer = self.size.width.max(self.size.height);
        let [red, green, blue] = colour_of(class);
        let colour = Rgb888::new(red, green, blue);
        let [left, upper, right, lower] = edges.map(|edge| edge.round() as i32);
        let last = Point::new((right - 1).max(left), (lower - 1).max(upper));
        let frame = Rectangle::with_corners(Point::new(left, upper), last);
        let line = PrimitiveStyleBuilder::new()
            .stroke_color(colour)
            .stroke_width((longer / SIDE_PER_LINE).max(1))
            .stroke_alignment(StrokeAlignment::Inside)
            .build();
        let font = if longer < LARGE {
            &FONT_6X10
        } else {
            &FONT_10X20
        };
        let text = MonoTextStyleBuilder::new()
            .font(font)
            .text_color(Rgb888::BLACK)
            .background_color(colour)
            .build();
        let corner = Point::new(left.max(0), upper.max(0));
        let drawn = frame.into_styled(line).draw(self);
        let written = Text::with_baseline(label, corner, text, Baseline::Top).draw(self);
        drawn
            .and(written.map(|_| ()))
            .unwrap_or_else(|never| match never {});
    }

    pub(super) fn to_png(&self) -> Vec<u8> {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        Image::from_fn([3, height, width], |c, y, x| self.pixels[y * width + x][c]).to_png()
    }
}

fn colour_of(class: &str) -> [u8; 3] {
    let hash = class.bytes().fold(0_usize, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(byte.into())
    });
    COLOURS[hash % COLOURS.len()]
}

impl OriginDimensions for Sketch {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Sketch {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        let inside = self.bounding_box();
        for Pixel(point, colour) in pixels {
            if inside.contains(point) {
                let at = point.y as usize * self.size.width as usize + point.x as usize;
                self.pixels[at] = [colour.r(), colour.g(), colour.b()];
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_lies_on_its_edges_and_may_leave_the_picture() {
        let grey = Image::from_fn([1, 40, 60], |_, _, _| 9);
        let mut sketch = Sketch::of(&grey);
        sketch.frame([10.0, 5.0, 50.0, 35.0], "bag", "");
        sketch.frame([-5.0, -5.0, 90.0, 3.0], "bag", "bag");
        let colour = colour_of("bag");
        let at = |x: usize, y: usize| sketch.pixels[y * 60 + x];
        for (x, y) in [(10, 20), (49, 20), (30, 34), (10, 34)] {
            assert_eq!(at(x, y), colour, "{x}, {y}");
        }
        for (x, y) in [(9, 20), (50, 20), (30, 35), (30, 20)] {
            assert_eq!(at(x, y), [9; 3], "{x}, {y}");
        }
    }
}
