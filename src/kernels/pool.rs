//! Max pooling.

use super::conv::axis::Axis;
use super::scratch::{filled, with_scratch};
use super::simd::Level;
use super::storage::{numbers, result, tensor, with_numbers};
use super::sums::planes_a_task;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use pulp::NullaryFnOnce;
use std::ops::Range;

/// Returns the largest number of each window of `x` `[n, c, h, w]`, borders left out of account; windows are `kernel` wide
/// and `stride` apart. NaNs win. The gradient flows to the first of the largest, as in PyTorch.
///
/// # Errors
/// A window that does not fit.
pub fn max_pool2d(x: &Tensor, kernel: usize, stride: usize, padding: usize) -> Result<Tensor> {
    x.contiguous()?.apply_op1(MaxPool {
        kernel,
        stride,
        padding,
    })
}

/// Returns the gradient of `x` for that of [`max_pool2d`]'s result.
///
/// # Errors
/// Those of [`max_pool2d`], or a gradient of another shape.
pub fn max_pool2d_gradient(
    x: &Tensor,
    gradient: &Tensor,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    let pool = MaxPool {
        kernel,
        stride,
        padding,
    };
    pool.gradient(&x.contiguous()?, gradient)
}

struct MaxPool {
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl MaxPool {
    /// Returns the leading dimensions and the windows.
    fn windows<'a>(&self, dims: &'a [usize]) -> Result<(&'a [usize], Windows)> {
        let [leading @ .., height, width] = dims else {
            bail!("an image is needed, not {dims:?}");
        };
        let axis = |size: usize| {
            let axis = Axis::new(size, self.kernel, self.stride, self.padding, 1);
            let axis = axis.filter(|_| 2 * self.padding <= self.kernel);
            let Self {
                kernel, padding, ..
            } = self;
            let refused =
                || format!("a window of {kernel} with padding {padding} does not fit {size}");
            axis.ok_or_else(|| candle_core::Error::Msg(refused()))
        };
        Ok((leading, Windows::new(axis(*height)?, axis(*width)?)))
    }

    /// Takes the gradient of each window to the first of its largest pixels.
    fn gradient(&self, x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let (leading, windows) = self.windows(x.dims())?;
        let expected = [leading, &windows.output()].concat();
        if gradient.dims() != expected {
            bail!("a gradient {:?} is not of {expected:?}", gradient.dims());
        }
        let [plane, pooled] = windows.planes();
        let task = planes_a_task(plane);
        let lengths = [windows.y.input * windows.sorted(), windows.x.output];
        let level = Level::best();
        let routed = with_numbers([x, &gradient.contiguous()?], |[x, gradient]| {
            Ok(filled(x.len(), task * plane, |index, routed| {
                let input = x[index * task * plane..].chunks_exact(plane.max(1));
                let gradient = gradient[index * task * pooled..].chunks_exact(pooled.max(1));
                let places = &mut vec![NOWHERE; windows.x.output];
                with_scratch(lengths, |[sorted, largest]| {
                    for ((input, gradient), routed) in input
                        .zip(gradient)
                        .zip(routed.chunks_exact_mut(plane.max(1)))
                    {
                        level.run(Route {
                            windows: &windows,
                            input,
                            gradient,
                            sorted,
                            largest,
                            places,
                            routed,
                        });
                    }
                });
            }))
        });
        tensor(routed?, x.dims())
    }
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max-pool2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (leading, windows) = self.windows(layout.dims())?;
        let numbers = numbers((x, layout))?;
        let [plane, pooled] = windows.planes();
        let task = planes_a_task(plane);
        let count: usize = leading.iter().product();
        let lengths = [windows.x.input, windows.sorted()];
        let level = Level::best();
        let output = filled(count * pooled, task * pooled, |index, output| {
            let input = numbers[index * task * plane..].chunks_exact(plane.max(1));
            with_scratch(lengths, |[row, sorted]| {
                for (input, output) in input.zip(output.chunks_exact_mut(pooled.max(1))) {
                    level.run(Pool {
                        windows: &windows,
                        input,
                        row,
                        sorted,
                        output,
                    });
                }
            });
        });
        result(output, &[leading, &windows.output()].concat())
    }

    fn bwd(&self, x: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        self.gradient(x, gradient).map(Some)
    }
}

/// The windows of a plane.
struct Windows {
    y: Axis,
    x: Axis,
    /// For each tap along a row, the column that it sees first, and the windows for which it sees one.
    taps: Vec<(usize, Range<usize>)>,
}

impl Windows {
    fn new(y: Axis, x: Axis) -> Self {
        let taps = x.offsets.iter().enumerate();
        let taps = taps
            .map(|(tap, &offset)| (offset, x.seen(tap)))
            .filter(|(_, seen)| !seen.is_empty())
            .map(|(offset, seen)| (((x.step * seen.start) as isize + offset) as usize, seen))
            .collect();
        Self { y, x, taps }
    }

    fn output(&self) -> [usize; 2] {
        [self.y.output, self.x.output]
    }

    /// Returns the pixels of a plane before and after.
    fn planes(&self) -> [usize; 2] {
        [self.y.input * self.x.input, self.y.output * self.x.output]
    }

    /// Returns the rows that a row of windows sees.
    #[inline(always)]
    fn rows(&self, out: usize) -> impl Iterator<Item = usize> {
        let first = (self.y.step * out) as isize;
        let rows = self.y.offsets.iter().map(move |offset| first + offset);
        rows.filter_map(|row| usize::try_from(row).ok().filter(|row| *row < self.y.input))
    }

    /// Returns the length of a row that is sorted.
    fn sorted(&self) -> usize {
        self.x.step * self.x.input.div_ceil(self.x.step)
    }

    /// Sorts a row by which of the columns of a step it is: what a tap sees then lies in one piece.
    #[inline(always)]
    fn sort(&self, row: &[f32], sorted: &mut [f32]) {
        let pieces = sorted.chunks_exact_mut(self.x.input.div_ceil(self.x.step));
        for (first, piece) in pieces.enumerate() {
            let columns = row.iter().skip(first).step_by(self.x.step);
            for (place, column) in piece.iter_mut().zip(columns) {
                *place = *column;
            }
        }
    }

    /// Returns what `count` windows in turn see of a sorted row from a column on.
    #[inline(always)]
    fn seen<'a>(&self, sorted: &'a [f32], column: usize, count: usize) -> &'a [f32] {
        let piece = sorted.len() / self.x.step;
        let first = (column % self.x.step) * piece + column / self.x.step;
        &sorted[first..][..count]
    }
}

/// Pools a plane: first the rows of each row of windows, then the columns of each window.
struct Pool<'a> {
    windows: &'a Windows,
    input: &'a [f32],
    row: &'a mut [f32],
    sorted: &'a mut [f32],
    output: &'a mut [f32],
}

impl NullaryFnOnce for Pool<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Windows { x, taps, .. } = self.windows;
        for (out, output) in self.output.chunks_exact_mut(x.output).enumerate() {
            self.row.fill(f32::NEG_INFINITY);
            for row in self.windows.rows(out) {
                let pixels = &self.input[row * x.input..][..x.input];
                largest(self.row, pixels);
            }
            self.windows.sort(self.row, self.sorted);
            output.fill(f32::NEG_INFINITY);
            for (column, seen) in taps {
                let pixels = self.windows.seen(self.sorted, *column, seen.len());
                largest(&mut output[seen.clone()], pixels);
            }
        }
    }
}

/// Puts the larger of two numbers in the place of the first one, or the one that is none.
#[inline(always)]
fn largest(largest: &mut [f32], numbers: &[f32]) {
    for (largest, &number) in largest.iter_mut().zip(numbers) {
        *largest = if number > *largest || number.is_nan() {
            number
        } else {
            *largest
        };
    }
}

/// The place of no pixel.
const NOWHERE: u32 = u32::MAX;

/// Takes the gradient of each window of a plane to a pixel.
struct Route<'a> {
    windows: &'a Windows,
    input: &'a [f32],
    gradient: &'a [f32],
    sorted: &'a mut [f32],
    largest: &'a mut [f32],
    places: &'a mut [u32],
    routed: &'a mut [f32],
}

impl NullaryFnOnce for Route<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Windows { y, x, taps } = self.windows;
        let length = self.sorted.len() / y.input;
        let rows = self.sorted.chunks_exact_mut(length);
        for (row, sorted) in self.input.chunks_exact(x.input).zip(rows) {
            self.windows.sort(row, sorted);
        }
        for (out, gradient) in self.gradient.chunks_exact(x.output).enumerate() {
            self.places.fill(NOWHERE);
            for row in self.windows.rows(out) {
                let sorted = &self.sorted[row * length..][..length];
                for (column, seen) in taps {
                    let pixels = self.windows.seen(sorted, *column, seen.len());
                    let place = (row * x.input + column) as u32;
                    let places = &mut self.places[seen.clone()];
                    find(
                        &mut self.largest[seen.clone()],
                        places,
                        pixels,
                        place,
                        x.step as u32,
                    );
                }
            }
            for (&place, gradient) in self.places.iter().zip(gradient) {
                self.routed[place as usize] += gradient;
            }
        }
    }
}

/// Keeps the first of the largest pixels and its place; those of `pixels` lie `step` apart, the first one at `place`.
#[inline(always)]
fn find(largest: &mut [f32], places: &mut [u32], pixels: &[f32], place: u32, step: u32) {
    let kept = largest.iter_mut().zip(places);
    for (index, ((largest, kept), &pixel)) in kept.zip(pixels).enumerate() {
        let none = pixel.is_nan() && !largest.is_nan();
        if *kept == NOWHERE || pixel > *largest || none {
            *largest = pixel;
            *kept = place + step * index as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use proptest::prelude::*;

    fn noise(dims: [usize; 4]) -> Vec<f32> {
        let count = dims.iter().product();
        (0..count)
            .map(|i: usize| ((i * 2_654_435_761) % 17) as f32 - 8.0)
            .collect()
    }

    proptest! {
        #[test]
        fn each_window_gives_its_largest_and_the_first_of_them_gets_the_gradient(
            h in 1..9_usize, w in 1..40_usize, kernel in 1..6_usize, stride in 1..4_usize, padding in 0..3_usize,
        ) {
            prop_assume!(2 * padding <= kernel && kernel <= h.min(w) + 2 * padding);
            let dims = [2, 3, h, w];
            let numbers = noise(dims);
            let x = Var::from_vec(numbers.clone(), &dims, &Device::Cpu).unwrap();
            let y = max_pool2d(&x, kernel, stride, padding).unwrap();
            let gradients = y.backward().unwrap();
            let (oh, ow) = ((h + 2 * padding - kernel) / stride + 1, (w + 2 * padding - kernel) / stride + 1);
            let (mut expected, mut routed) = (Vec::new(), vec![0.0; numbers.len()]);
            for plane in 0..6 {
                for (oy, ox) in (0..oh).flat_map(|oy| (0..ow).map(move |ox| (oy, ox))) {
                    let mut best: Option<usize> = None;
                    for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
                        let row = (oy * stride + ky).checked_sub(padding).filter(|y| *y < h);
                        let column = (ox * stride + kx).checked_sub(padding).filter(|x| *x < w);
                        if let (Some(row), Some(column)) = (row, column) {
                            let at = (plane * h + row) * w + column;
                            if best.is_none_or(|best| numbers[at] > numbers[best]) {
                                best = Some(at);
                            }
                        }
                    }
                    expected.push(numbers[best.unwrap()]);
                    routed[best.unwrap()] += 1.0;
                }
            }
            prop_assert_eq!(y.flatten_all().unwrap().to_vec1::<f32>().unwrap(), expected);
            let found = gradients.get(&x).unwrap().flatten_all().unwrap();
            prop_assert_eq!(found.to_vec1::<f32>().unwrap(), routed);
        }
    }

    #[test]
    fn a_number_that_is_none_wins_and_the_lowest_numbers_have_a_first() {
        let (none, low) = (f32::NAN, f32::NEG_INFINITY);
        let x = Tensor::new(
            &[[[[1f32, none, low, low], [none, 9.0, low, low]]]],
            &Device::Cpu,
        );
        let x = Var::from_tensor(&x.unwrap()).unwrap();
        let y = max_pool2d(&x, 2, 2, 0).unwrap();
        let gradient = Tensor::new(&[[[[3f32, 4.0]]]], &Device::Cpu).unwrap();
        let routed = max_pool2d_gradient(&x, &gradient, 2, 2, 0).unwrap();
        let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let pooled = numbers(&y);
        assert!(pooled[0].is_nan());
        assert_eq!(pooled[1].to_bits(), low.to_bits());
        assert_eq!(numbers(&routed), [0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(max_pool2d_gradient(&x, &gradient, 1, 1, 0).is_err());
    }
}
