//! Tokens of an image sorted into windows, and merged by fours (Liu et al. 2021, "Swin Transformer", sections 3.1 and 3.2).

use crate::graph::op::{expect_size, only};
use crate::graph::{OpError, Operator, Shape};
use candle_core::{Result, Tensor};
use serde::Serialize;

/// How the pixels of an image fall into square windows. The image is first padded to whole windows, then rolled up and left.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Windows {
    /// The height of the image.
    pub height: usize,
    /// Its width.
    pub width: usize,
    /// The side of a window.
    pub window: usize,
    /// How far the image is rolled in a direction in which it has more than one window.
    pub shift: usize,
}

impl Windows {
    /// Returns the pixels of a window.
    pub fn area(&self) -> usize {
        self.window * self.window
    }

    /// Returns the number of windows.
    pub fn count(&self) -> usize {
        self.padded().iter().product::<usize>() / self.area()
    }

    /// Returns for each place in the windows, one window after the other, the region that its pixel is in: rolling brings
    /// pixels side by side that are not, and these differ in their region. Nothing if nothing is rolled.
    pub fn regions(&self) -> Option<Vec<usize>> {
        let (sides, shifts) = (self.padded(), self.shifts());
        let region = |axis: usize, place: usize| match (sides[axis], shifts[axis]) {
            (_, 0) => 0,
            (side, _) if place < side - self.window => 0,
            (side, shift) if place < side - shift => 1,
            _ => 2,
        };
        let regions = self.places().map(|[y, x]| 3 * region(0, y) + region(1, x));
        (shifts != [0, 0]).then(|| regions.collect())
    }

    fn padded(&self) -> [usize; 2] {
        [self.height, self.width].map(|side| side.next_multiple_of(self.window))
    }

    fn shifts(&self) -> [usize; 2] {
        let shift = |side| if side > self.window { self.shift } else { 0 };
        self.padded().map(shift)
    }

    /// Returns row and column in the rolled image of each place in the windows.
    fn places(&self) -> impl Iterator<Item = [usize; 2]> {
        let (window, area) = (self.window, self.area());
        let across = self.padded()[1] / window;
        (0..self.count() * area).map(move |place| {
            let (number, place) = (place / area, place % area);
            [
                number / across * window + place / window,
                number % across * window + place % window,
            ]
        })
    }

    /// Returns the token in each place in the windows; `height * width` where there is none.
    fn tokens(&self) -> Vec<usize> {
        let ([h, w], [down, right]) = (self.padded(), self.shifts());
        self.places()
            .map(|[y, x]| match [(y + down) % h, (x + right) % w] {
                [y, x] if y < self.height && x < self.width => y * self.width + x,
                _ => self.height * self.width,
            })
            .collect()
    }

    fn check(&self) -> std::result::Result<(), OpError> {
        expect_size("a window", self.window.max(1), self.window)?;
        let most = self.window - 1;
        expect_size("a shift", self.shift.min(most), self.shift)
    }
}

/// Tokens in the order of their windows: `[n, h * w, c]` to `[n, windows * area, c]`, with zeros for what is padding.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ToWindows {
    /// The windows.
    #[serde(flatten)]
    pub windows: Windows,
}

impl Operator for ToWindows {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let windows = &self.windows;
        windows.check()?;
        let [tokens, dim] = only(inputs)?.exactly()?;
        expect_size("tokens", windows.height * windows.width, tokens)?;
        Ok([windows.count() * windows.area(), dim].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        gather(inputs[0], &self.windows.tokens())
    }
}

/// Tokens back from their windows, where [`ToWindows`] took them: `[n, windows * area, c]` to `[n, h * w, c]`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct FromWindows {
    /// The windows.
    #[serde(flatten)]
    pub windows: Windows,
}

impl Operator for FromWindows {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let windows = &self.windows;
        windows.check()?;
        let [places, dim] = only(inputs)?.exactly()?;
        expect_size("tokens", windows.count() * windows.area(), places)?;
        Ok([windows.height * windows.width, dim].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let mut places = vec![0; self.windows.height * self.windows.width];
        for (place, token) in self.windows.tokens().into_iter().enumerate() {
            if let Some(slot) = places.get_mut(token) {
                *slot = place;
            }
        }
        gather(inputs[0], &places)
    }
}

/// The features of each square of four tokens side by side, column by column: `[n, h * w, c]` to `[n, h / 2 * w / 2, 4c]`.
/// Zeros stand where an odd side has no token.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PatchMerging {
    /// The height of the image.
    pub height: usize,
    /// Its width.
    pub width: usize,
}

impl Operator for PatchMerging {
    fn shape(&self, inputs: &[&Shape]) -> std::result::Result<Shape, OpError> {
        let [tokens, dim] = only(inputs)?.exactly()?;
        expect_size("tokens", self.height * self.width, tokens)?;
        Ok([self.height.div_ceil(2) * self.width.div_ceil(2), 4 * dim].into())
    }

    fn run(&self, inputs: &[&Tensor], _params: &[&Tensor]) -> Result<Tensor> {
        let (h, w) = (self.height, self.width);
        let square = |(y, x): (usize, usize)| {
            [(y, x), (y + 1, x), (y, x + 1), (y + 1, x + 1)]
                .map(|(y, x)| if y < h && x < w { y * w + x } else { h * w })
        };
        let corners = (0..h).step_by(2);
        let corners = corners.flat_map(|y| (0..w).step_by(2).map(move |x| (y, x)));
        let indices: Vec<usize> = corners.flat_map(square).collect();
        let (n, _, dim) = inputs[0].dims3()?;
        gather(inputs[0], &indices)?.reshape((n, indices.len() / 4, 4 * dim))
    }
}

/// Takes tokens of `[n, t, c]` by their index, and zeros for index `t`.
fn gather(x: &Tensor, indices: &[usize]) -> Result<Tensor> {
    let tokens = x.dim(1)?;
    let padded = if indices.contains(&tokens) {
        x.pad_with_zeros(1, 0, 1)?
    } else {
        x.clone()
    };
    let indices: Vec<u32> = indices.iter().map(|i| *i as u32).collect();
    padded
        .contiguous()?
        .index_select(&Tensor::new(indices, x.device())?, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// An image whose tokens are 1, 2, 3 and so on, in two features, of which the second is negative.
    fn counted(tokens: usize) -> Tensor {
        let value = |i: usize| [(i + 1) as f32, -((i + 1) as f32)];
        let values: Vec<f32> = (0..tokens).flat_map(value).collect();
        Tensor::from_vec(values, (1, tokens, 2), &Device::Cpu).unwrap()
    }

    fn first_features(x: &Tensor) -> Vec<f32> {
        let rows = x.squeeze(0).unwrap().to_vec2::<f32>().unwrap();
        rows.into_iter().map(|row| row[0]).collect()
    }

    fn windows([height, width]: [usize; 2], window: usize, shift: usize) -> Windows {
        Windows {
            height,
            width,
            window,
            shift,
        }
    }

    #[test]
    fn windows_of_a_rolled_image() {
        let windows = windows([4, 4], 2, 1);
        let found = ToWindows { windows }.run(&[&counted(16)], &[]).unwrap();
        assert_eq!(
            first_features(&found),
            [6, 7, 10, 11, 8, 5, 12, 9, 14, 15, 2, 3, 16, 13, 4, 1].map(|v| v as f32)
        );
        let regions = windows.regions().unwrap();
        assert_eq!(regions, [0, 0, 0, 0, 1, 2, 1, 2, 3, 3, 6, 6, 4, 5, 7, 8]);
    }

    #[test]
    fn padding_is_zeros_and_a_side_of_one_window_is_not_rolled() {
        let windows = windows([2, 3], 2, 1);
        let found = ToWindows { windows }.run(&[&counted(6)], &[]).unwrap();
        assert_eq!(
            first_features(&found),
            [2.0, 3.0, 5.0, 6.0, 0.0, 1.0, 0.0, 4.0]
        );
    }

    #[test]
    fn tokens_come_back_from_their_windows() {
        for sides in [[4, 4], [5, 7], [3, 2], [9, 6]] {
            for shift in [0, 1] {
                let windows = windows(sides, 3, shift);
                let tokens = counted(sides.iter().product());
                let there = ToWindows { windows }.run(&[&tokens], &[]).unwrap();
                let back = FromWindows { windows }.run(&[&there], &[]).unwrap();
                assert_eq!(first_features(&back), first_features(&tokens));
            }
        }
    }

    #[test]
    fn nothing_is_rolled_without_a_shift() {
        assert!(windows([4, 4], 2, 0).regions().is_none());
        assert!(windows([4, 4], 4, 2).regions().is_none());
    }

    #[test]
    fn four_tokens_become_one() {
        let op = PatchMerging {
            height: 2,
            width: 3,
        };
        let found = op.run(&[&counted(6)], &[]).unwrap();
        assert_eq!(
            found.squeeze(0).unwrap().to_vec2::<f32>().unwrap(),
            [
                [1.0, -1.0, 4.0, -4.0, 2.0, -2.0, 5.0, -5.0],
                [3.0, -3.0, 6.0, -6.0, 0.0, 0.0, 0.0, 0.0]
            ]
        );
    }
}
