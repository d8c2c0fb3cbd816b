//! One axis of a correlation: which input each output sees through each tap.

/// Output `i` sees, through tap `k`, input `step * i + offsets[k]`, or zero where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kernels) struct Axis {
    /// The number of inputs.
    pub(in crate::kernels) input: usize,
    /// The number of outputs.
    pub(in crate::kernels) output: usize,
    /// How far the window moves from one output to the next.
    pub(in crate::kernels) step: usize,
    /// Where each tap looks, before the window has moved.
    pub(in crate::kernels) offsets: Vec<isize>,
}

impl Axis {
    /// Makes the axis of a convolution, or nothing where the window does not fit.
    pub(in crate::kernels) fn new(
        input: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
        dilation: usize,
    ) -> Option<Self> {
        let window = dilation * kernel.checked_sub(1)? + 1;
        let room = (input + 2 * padding).checked_sub(window)?;
        Some(Self {
            input,
            output: room.checked_div(stride)? + 1,
            step: stride,
            offsets: (0..kernel)
                .map(|k| (k * dilation) as isize - padding as isize)
                .collect(),
        })
    }

    /// Returns the first and one past the last output for which tap `k` sees an input.
    pub(in crate::kernels) fn seen(&self, k: usize) -> std::ops::Range<usize> {
        let (step, offset) = (self.step as isize, self.offsets[k]);
        let first = (-offset).max(0) + step - 1;
        let past = self.input as isize - offset + step - 1;
        let clamp = |i: isize| (i / step).clamp(0, self.output as isize) as usize;
        clamp(first)..clamp(past.max(0)).max(clamp(first))
    }

    /// Returns the lowest and the highest input that any tap sees, padding included.
    pub(in crate::kernels) fn span(&self) -> (isize, isize) {
        let lowest = self.offsets.iter().copied().min().unwrap_or(0);
        let highest = self.offsets.iter().copied().max().unwrap_or(0);
        (
            lowest,
            highest + (self.step * self.output.saturating_sub(1)) as isize,
        )
    }

    /// Returns the way back, from gradients of outputs to gradients of inputs. The inputs fall into `step` classes, and
    /// those of one class see the same taps at the same distances.
    pub(in crate::kernels) fn backward(&self) -> Vec<Class> {
        (0..self.step)
            .map(|first| {
                let distance = |offset: &isize| first as isize - offset;
                let step = self.step as isize;
                let taps = self.offsets.iter().enumerate();
                let (taps, offsets) = taps
                    .filter(|(_, offset)| distance(offset).rem_euclid(step) == 0)
                    .map(|(tap, offset)| (tap, distance(offset).div_euclid(step)))
                    .unzip();
                Class {
                    first,
                    taps,
                    axis: Self {
                        input: self.output,
                        output: self.input.saturating_sub(first).div_ceil(self.step),
                        step: 1,
                        offsets,
                    },
                }
            })
            .collect()
    }
}

/// Every `step`-th input from `first` on, seen from the outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kernels) struct Class {
    pub(in crate::kernels) first: usize,
    /// The taps of the convolution that reach these inputs, as many as the axis has.
    pub(in crate::kernels) taps: Vec<usize>,
    /// A correlation over the outputs that gives these inputs.
    pub(in crate::kernels) axis: Axis,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_ways_meet_the_same_pairs(
            input in 1..20_usize, kernel in 1..6_usize, stride in 1..5_usize, padding in 0..4_usize, dilation in 1..4_usize,
        ) {
            let Some(axis) = Axis::new(input, kernel, stride, padding, dilation) else {
                prop_assert!(input + 2 * padding < dilation * (kernel - 1) + 1);
                return Ok(());
            };
            let mut forward = Vec::new();
            for k in 0..kernel {
                for i in 0..axis.output {
                    let seen = (i * stride + k * dilation).checked_sub(padding).filter(|s| *s < input);
                    prop_assert_eq!(seen.is_some(), axis.seen(k).contains(&i));
                    forward.extend(seen.map(|s| (s, k, i)));
                }
            }
            let mut backward = Vec::new();
            for class in axis.backward() {
                for (at, tap) in class.taps.iter().enumerate() {
                    for j in class.axis.seen(at) {
                        let i = (j as isize + class.axis.offsets[at]) as usize;
                        backward.push((class.first + j * stride, *tap, i));
                    }
                }
            }
            forward.sort_unstable();
            backward.sort_unstable();
            prop_assert_eq!(forward, backward);
        }
    }
}
