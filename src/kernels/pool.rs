//! Max pooling.

use super::conv::axis::Axis;
use super::scratch::filled;
use super::storage::{numbers, result, tensor, with_numbers};
use super::sums::planes_a_task;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

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
    let x = &x.contiguous()?;
    let output = x.apply_op1_no_bwd(&pool)?;
    if output.dims() != gradient.dims() {
        bail!(
            "a gradient {:?} is not of {:?}",
            gradient.dims(),
            output.dims()
        );
    }
    pool.routed(x, &output, gradient)
}

struct MaxPool {
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl MaxPool {
    /// Returns the leading dimensions and the axes.
    fn axes<'a>(&self, dims: &'a [usize]) -> Result<(&'a [usize], [Axis; 2])> {
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
        Ok((leading, [axis(*height)?, axis(*width)?]))
    }

    /// Takes the gradient of each window to the first of its largest pixels.
    fn routed(&self, x: &Tensor, output: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let (_, [y, x_axis]) = self.axes(x.dims())?;
        let (plane, pooled) = (y.input * x_axis.input, y.output * x_axis.output);
        let task = planes_a_task(plane);
        let operands = [x, output, &gradient.contiguous()?];
        let routed = with_numbers(operands, |[x, output, gradient]| {
            Ok(filled(x.len(), task * plane, |index, routed| {
                let first = index * task;
                for (offset, routed) in routed.chunks_exact_mut(plane.max(1)).enumerate() {
                    let at = first + offset;
                    let input = &x[at * plane..][..plane];
                    let output = &output[at * pooled..][..pooled];
                    let mut left = gradient[at * pooled..][..pooled].to_vec();
                    windows(&y, &x_axis, |input_at, output_at| {
                        let (pixel, largest) = (input[input_at], output[output_at]);
                        if pixel == largest || (pixel.is_nan() && largest.is_nan()) {
                            routed[input_at] += std::mem::take(&mut left[output_at]);
                        }
                    });
                }
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
        let (leading, [y, x_axis]) = self.axes(layout.dims())?;
        let numbers = numbers((x, layout))?;
        let (plane, pooled) = (y.input * x_axis.input, y.output * x_axis.output);
        let task = planes_a_task(plane);
        let planes: usize = leading.iter().product();
        let output = filled(planes * pooled, task * pooled, |index, output| {
            let input = numbers[index * task * plane..].chunks_exact(plane.max(1));
            for (input, output) in input.zip(output.chunks_exact_mut(pooled.max(1))) {
                output.fill(f32::NEG_INFINITY);
                windows(&y, &x_axis, |input_at, output_at| {
                    let largest = &mut output[output_at];
                    if wins(input[input_at], *largest) {
                        *largest = input[input_at];
                    }
                });
            }
        });
        result(output, &[leading, &[y.output, x_axis.output]].concat())
    }

    fn bwd(&self, x: &Tensor, output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        self.routed(x, output, gradient).map(Some)
    }
}

/// Whether a number takes the place of the largest so far.
#[inline(always)]
fn wins(number: f32, largest: f32) -> bool {
    number > largest || number.is_nan()
}

/// Calls `visit(input, output)` for all pixels of all windows, those of each window in order.
#[inline(always)]
fn windows(y: &Axis, x: &Axis, mut visit: impl FnMut(usize, usize)) {
    for ky in 0..y.offsets.len() {
        for oy in y.seen(ky) {
            let row = ((oy * y.step) as isize + y.offsets[ky]) as usize * x.input;
            for kx in 0..x.offsets.len() {
                for ox in x.seen(kx) {
                    let column = ((ox * x.step) as isize + x.offsets[kx]) as usize;
                    visit(row + column, oy * x.output + ox);
                }
            }
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
            h in 1..9_usize, w in 1..9_usize, kernel in 1..4_usize, stride in 1..4_usize, padding in 0..2_usize,
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
}
