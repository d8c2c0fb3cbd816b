//! Canvases to find things on: one to four items at random places, in random sizes and before random backgrounds.
//!
//! The boxes of their items are exact, for they are measured on the pixels that are painted. A canvas is a function of the items, the
//! seed and its number alone, in integers and in floating point without sums of open order, so that it has the same bits on
//! every machine; the first of many canvases are those of few.

mod background;
mod item;

use super::{Image, Rect};
use item::Item;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::RangeInclusive;

/// The side of a canvas, in pixels.
pub(super) const SIDE: usize = 64;

/// How many items a canvas has.
const COUNT: RangeInclusive<usize> = 1..=4;

/// The longer side of an item, in pixels.
const SIZE: RangeInclusive<usize> = 16..=44;

/// How often an item that hides others is put elsewhere in another size, before it is left out.
const TRIES: usize = 48;

/// The part of the smaller one of two boxes that the other may cover, as a divisor.
const SHARED: f64 = 10.0;

/// A square grey image of several items.
#[derive(Debug, Clone, PartialEq)]
pub struct Canvas {
    /// The pixels, `[1, 64, 64]`.
    pub image: Image,
    /// What is on it.
    pub things: Vec<Placed>,
}

/// An item on a canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// Which of the items it is.
    pub item: usize,
    /// The tight box of the pixels that can be seen of it, in pixels of the canvas.
    pub rect: Rect,
}

/// Makes `count` canvases of `items`, which are bright on black.
///
/// # Panics
/// If there are no items.
pub fn canvases(items: &[Image], count: usize, seed: u64) -> Vec<Canvas> {
    let one = |number: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number as u64);
        canvas(items, &mut rng)
    };
    (0..count).map(one).collect()
}

fn canvas(items: &[Image], rng: &mut ChaCha8Rng) -> Canvas {
    let mut pixels = background::draw(SIDE, rng);
    let mut taken = Vec::new();
    let mut things = Vec::new();
    for _ in 0..rng.random_range(COUNT) {
        let number = rng.random_range(0..items.len());
        let Some(item) = Item::cut(&items[number]) else {
            continue;
        };
        let Some([y, x, height, width]) = place(&item, &taken, rng) else {
            continue;
        };
        taken.push(rect([y, x, height, width]));
        let scaled = item.scaled([height, width]);
        paint(&mut pixels, &scaled, [y, x]);
        let seen = item::visible(&scaled).map(|[rows, columns]| Placed {
            item: number,
            rect: rect([y + rows.start, x + columns.start, rows.len(), columns.len()]),
        });
        things.extend(seen);
    }
    Canvas {
        image: Image::from_vec([1, SIDE, SIDE], pixels),
        things,
    }
}

/// Draws the first row, the first column, the height and the width of an item, where it leaves the others to be seen.
fn place(item: &Item, taken: &[Rect], rng: &mut ChaCha8Rng) -> Option<[usize; 4]> {
    let mut draw = || {
        let [height, width] = item.size(rng.random_range(SIZE));
        let y = rng.random_range(0..=SIDE - height);
        let x = rng.random_range(0..=SIDE - width);
        [y, x, height, width]
    };
    let free = |place: &[usize; 4]| {
        let new = rect(*place);
        let hides = |old: &Rect| new.intersection(old) * SHARED > new.area().min(old.area());
        !taken.iter().any(hides)
    };
    (0..TRIES).map(|_| draw()).find(free)
}

/// Returns the rectangle of whole pixels with this first row, first column, height and width.
fn rect(place: [usize; 4]) -> Rect {
    let [y, x, height, width] = place.map(|pixels| pixels as f64);
    Rect {
        x,
        y,
        width,
        height,
    }
}

/// Lights up the pixels of a canvas from row `y` and column `x` on as those of `item` do, which hides what is dark in neither.
fn paint(pixels: &mut [u8], item: &Image, [y, x]: [usize; 2]) {
    let [_, _, width] = item.shape();
    for (line, row) in item.pixels().chunks_exact(width).zip(y..) {
        let below = &mut pixels[row * SIDE + x..][..width];
        for (pixel, &light) in below.iter_mut().zip(line) {
            let dark = u16::from(255 - *pixel) * u16::from(255 - light);
            *pixel = 255 - ((dark + 127) / 255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Filled rectangles of all proportions, each surrounded by black.
    fn items() -> Vec<Image> {
        let rectangle = |(height, width): (usize, usize)| {
            Image::from_fn([1, 28, 28], |_, y, x| {
                let inside = (2..2 + height).contains(&y) && (1..=width).contains(&x);
                if inside { 255 } else { 16 }
            })
        };
        let sizes = [(26, 8), (26, 26), (12, 26), (20, 15)];
        sizes.map(rectangle).to_vec()
    }

    #[test]
    fn boxes_are_exactly_the_pixels_of_items() {
        for canvas in canvases(&items(), 200, 7) {
            assert_eq!(canvas.image.shape(), [1, SIDE, SIDE]);
            let covered = |y: usize, x: usize| {
                let pixel = rect([y, x, 1, 1]);
                let covers = |thing: &Placed| thing.rect.intersection(&pixel) > 0.5;
                canvas.things.iter().any(covers)
            };
            let expected = Image::from_fn([1, SIDE, SIDE], |_, y, x| u8::from(covered(y, x)));
            let bright = |_: usize, y, x| u8::from(canvas.image.value(0, y, x) == Some(255));
            assert_eq!(Image::from_fn([1, SIDE, SIDE], bright), expected);
        }
    }

    #[test]
    fn canvases_have_one_to_four_items_of_all_sizes_of_which_none_is_hidden() {
        let canvases = canvases(&items(), 1_000, 0);
        let mut counts = [0; 5];
        let mut sides = [0; SIDE];
        for Canvas { things, .. } in &canvases {
            counts[things.len()] += 1;
            for (place, Placed { rect, .. }) in things.iter().enumerate() {
                let [left, upper, right, lower] = rect.edges();
                assert!(left >= 0.0 && upper >= 0.0 && right <= 64.0 && lower <= 64.0);
                sides[rect.width.max(rect.height) as usize] += 1;
                for other in &things[..place] {
                    let smaller = rect.area().min(other.rect.area());
                    assert!(rect.intersection(&other.rect) <= smaller / SHARED);
                }
            }
        }
        assert_eq!(counts[0], 0);
        assert!(counts[1..].iter().all(|&count| count > 150), "{counts:?}");
        let (outside, inside) = (0..SIDE).partition::<Vec<_>, _>(|side| !SIZE.contains(side));
        assert!(outside.iter().all(|&side| sides[side] == 0), "{sides:?}");
        assert!(inside.iter().all(|&side| sides[side] > 10), "{sides:?}");
    }

    #[test]
    fn few_canvases_are_the_first_of_many_and_seeds_differ() {
        let (few, many) = (canvases(&items(), 3, 1), canvases(&items(), 9, 1));
        assert_eq!(few, many[..3]);
        assert_ne!(few, canvases(&items(), 3, 2));
        assert_ne!(many[0], many[1]);
    }

    #[test]
    fn items_that_cannot_be_seen_are_left_out() {
        let black = [Image::from_fn([1, 5, 5], |_, _, _| 9)];
        let canvas = &canvases(&black, 1, 0)[0];
        assert_eq!(canvas.things, []);
    }
}
