//! Bilinear resizing without antialiasing, as `torch.nn.functional.interpolate` has it (`align_corners=False`) for networks that
//! resize tensors; `cv2.INTER_LINEAR` is at most a level away, for its weights have 11 binary digits.
//!
//! Pixels are squares around their centres; beyond the outermost centres nothing changes. Weights are whole numbers over the double of
//! the resized side, so that all is exact but for the rounding to the nearest byte at the end (halves upwards).

use crate::data::Image;
use std::ops::Range;

/// The two pixels of a line between whose centres a pixel of the resized line lies.
#[derive(Debug)]
struct Pair {
    places: [usize; 2],
    weights: [u64; 2],
}

impl Pair {
    fn mix(&self, [first, second]: [u64; 2]) -> u64 {
        first * self.weights[0] + second * self.weights[1]
    }
}

/// Returns the part `window` (rows, columns) of `image` resized to `to`, `[h, w]`.
pub(super) fn resize(image: &Image, to: [usize; 2], window: [Range<usize>; 2]) -> Image {
    let [channels, height, width] = image.shape();
    let [rows, columns] = window;
    let shape = [channels, rows.len(), columns.len()];
    let rows = pairs([height, to[0]], rows);
    let columns = pairs([width, to[1]], columns);
    // All weights of a pixel together.
    let whole = 4 * (to[0] * to[1]) as u64;
    let mut pixels = Vec::with_capacity(shape.iter().product());
    for channel in image.channels() {
        for row in &rows {
            let lines = row.places.map(|place| &channel[place * width..][..width]);
            let value = |column: &Pair| {
                let along = |line: &[u8]| column.mix(column.places.map(|x| line[x].into()));
                ((row.mix(lines.map(along)) + whole / 2) / whole) as u8
            };
            pixels.extend(columns.iter().map(value));
        }
    }
    Image::from_vec(shape, pixels)
}

/// Returns what makes each pixel of `window` of a line resized `from` pixels `to` pixels.
fn pairs([from, to]: [usize; 2], window: Range<usize>) -> Vec<Pair> {
    let last = from - 1;
    let whole = 2 * to;
    let pair = |place: usize| {
        // The centre is (place + 1/2) from / to - 1/2.
        let center = ((2 * place + 1) * from).saturating_sub(to);
        let first = (center / whole).min(last);
        let second = center % whole;
        Pair {
            places: [first, (first + 1).min(last)],
            weights: [whole - second, second].map(|weight| weight as u64),
        }
    };
    window.map(pair).collect()
}
