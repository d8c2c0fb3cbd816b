//! Convolutions against their definition, and gradients against finite differences and candle's.

use super::*;
use crate::kernels::Clamp;
use crate::kernels::simd::Level;
use candle_core::{Device, Tensor, Var};
use proptest::prelude::*;

/// A convolution, and the dimensions of its input and weight.
#[derive(Debug, Clone, Copy)]
struct Case {
    attributes: Convolution,
    input: [usize; 4],
    weight: [usize; 4],
    /// Of how many weights one is not zero.
    one_in: usize,
}

impl Case {
    fn weights(&self) -> Vec<f32> {
        let mut weights = noise(2, &self.weight);
        for (index, weight) in weights.iter_mut().enumerate() {
            if index * 40_503 % 101 % self.one_in != 0 {
                *weight = 0.0;
            }
        }
        weights
    }

    fn geometry(&self) -> Geometry {
        self.attributes.geometry(&self.input, &self.weight).unwrap()
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let few = || prop_oneof![1..3_usize, Just(9), Just(17)];
    let any_window = (pair(1..5), pair(1..4), pair(0..4), pair(1..3));
    let any_window = (1..4_usize, few(), few(), any_window);
    // Enough channels, and the window, for Winograd's way.
    let tiles = (pair(3..4), pair(1..2), pair(0..4), pair(1..2));
    let tiles = (1..3_usize, 64..67_usize, 64..75_usize, tiles);
    let shape = prop_oneof![
        3 => (any_window, pair(1..19)),
        1 => (tiles, [5..19_usize, 9..19]),
    ];
    let one_in = prop_oneof![3 => Just(1), 1 => Just(4), 1 => Just(25)];
    (1..6_usize, shape, any::<bool>(), one_in).prop_filter_map(
        "the window fits",
        |(batch, ((groups, inner, outer, window), [h, w]), depthwise, one_in)| {
            let ([kh, kw], stride, padding, dilation) = window;
            let (inner, outer) = if depthwise && inner < 64 {
                (1, 1)
            } else {
                (inner, outer)
            };
            let case = Case {
                attributes: Convolution {
                    stride,
                    padding,
                    dilation,
                    groups,
                },
                input: [batch, groups * inner, h, w],
                weight: [groups * outer, inner, kh, kw],
                one_in,
            };
            let fits = case.attributes.geometry(&case.input, &case.weight);
            fits.ok().map(|_| case)
        },
    )
}

fn noise(seed: usize, dims: &[usize]) -> Vec<f32> {
    let value = |i: usize| ((i * 2_654_435_761 + seed * 40_503) % 1013) as f32 / 506.5 - 1.0;
    (0..dims.iter().product()).map(value).collect()
}

/// Calls `visit(output, input, weight)` with the indices of every product in the convolution.
fn products(case: &Case, shape: &Geometry, mut visit: impl FnMut(usize, usize, usize)) {
    let [batch, channels, h, w] = case.input;
    let [out, inner, kh, kw] = case.weight;
    let Convolution {
        stride,
        padding,
        dilation,
        ..
    } = case.attributes;
    for n in 0..batch {
        for o in 0..out {
            for oy in 0..shape.y.output {
                for ox in 0..shape.x.output {
                    for c in 0..inner {
                        for ky in 0..kh {
                            for kx in 0..kw {
                                let y = (oy * stride[0] + ky * dilation[0]).checked_sub(padding[0]);
                                let x = (ox * stride[1] + kx * dilation[1]).checked_sub(padding[1]);
                                if let (Some(y), Some(x)) =
                                    (y.filter(|y| *y < h), x.filter(|x| *x < w))
                                {
                                    let output =
                                        ((n * out + o) * shape.y.output + oy) * shape.x.output + ox;
                                    let channel = o / shape.outer() * inner + c;
                                    let input = ((n * channels + channel) * h + y) * w + x;
                                    visit(output, input, ((o * inner + c) * kh + ky) * kw + kx);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let largest = expected
        .iter()
        .fold(1.0f32, |largest, x| largest.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= 1e-5 * largest,
            "{found} instead of {expected}"
        );
    }
}

/// The gradients of weight, of its elements that are not zero, and of input, for gradients of the output.
fn gradients(
    level: Level,
    shape: &Geometry,
    [input, weight, gradient]: [&[f32]; 3],
) -> [Vec<f32>; 3] {
    let mut kept = op::weight_gradient(level, shape, [input, gradient], Some(weight));
    for (gradient, weight) in kept.iter_mut().zip(weight) {
        if *weight == 0.0 {
            *gradient = 0.0;
        }
    }
    [
        op::weight_gradient(level, shape, [input, gradient], None),
        kept,
        dense::input_gradient(level, shape, weight, gradient),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_level_follows_the_definition(case in cases()) {
        let shape = case.geometry();
        let (input, weight) = (noise(1, &case.input), case.weights());
        let outputs = [case.input[0], shape.out_channels, shape.y.output, shape.x.output];
        let gradient = noise(3, &outputs);
        let bias = noise(4, &[shape.out_channels]);
        let plane = shape.y.output * shape.x.output;
        let mut output: Vec<f32> = (0..gradient.len()).map(|i| bias[i / plane % shape.out_channels]).collect();
        let (mut for_weight, mut for_input) = (vec![0.0; weight.len()], vec![0.0; input.len()]);
        products(&case, &shape, |o, i, w| {
            output[o] += input[i] * weight[w];
            for_weight[w] += gradient[o] * input[i];
            for_input[i] += gradient[o] * weight[w];
        });
        for level in Level::all() {
            let found = dense::forward(level, &shape, &input, &weight, Some(&bias), Clamp::NONE);
            assert_close(&found, &output);
            let clamped: Vec<f32> = found.iter().map(|x| x.clamp(0.0, 6.0)).collect();
            prop_assert_eq!(dense::forward(level, &shape, &input, &weight, Some(&bias), Clamp::RELU6), clamped);
            let [all, kept, input] = gradients(level, &shape, [&input, &weight, &gradient]);
            assert_close(&all, &for_weight);
            let left: Vec<f32> = for_weight.iter().zip(&weight).map(|(g, w)| if *w == 0.0 { 0.0 } else { *g }).collect();
            assert_close(&kept, &left);
            assert_close(&input, &for_input);
        }
    }

    #[test]
    fn threads_and_vector_widths_change_no_bit(case in cases()) {
        let shape = case.geometry();
        let (input, weight) = (noise(1, &case.input), case.weights());
        let gradient = noise(3, &[case.input[0], shape.out_channels, shape.y.output, shape.x.output]);
        let all = |level: Level, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let output = dense::forward(level, &shape, &input, &weight, None, Clamp::NONE);
                let [for_weight, kept, for_input] = gradients(level, &shape, [&input, &weight, &gradient]);
                [output, for_weight, kept, for_input]
            })
        };
        let expected = all(Level::best(), 1);
        for threads in [2, 3, 7] {
            prop_assert_eq!(&all(Level::best(), threads), &expected);
        }
        // Only the portable level rounds between multiplying and adding.
        for level in Level::all().into_iter().filter(|level| !matches!(level, Level::Portable)) {
            prop_assert_eq!(&all(level, 1), &expected);
        }
    }

    #[test]
    fn gradients_are_candle_s(case in cases()) {
        // candle's convolutions are square, and so must be their inputs for its gradients to be right.
        let Convolution { stride: [stride, _], padding: [padding, _], dilation: [dilation, _], groups } = case.attributes;
        let attributes = Convolution { stride: [stride; 2], padding: [padding; 2], dilation: [dilation; 2], groups };
        let ([n, c, h, _], [o, i, k, _]) = (case.input, case.weight);
        let (input, weight) = ([n, c, h, h], [o, i, k, k]);
        prop_assume!(attributes.geometry(&input, &weight).is_ok());
        let device = &Device::Cpu;
        let x = Var::from_vec(noise(1, &input), &input, device).unwrap();
        let w = Var::from_vec(noise(2, &weight), &weight, device).unwrap();
        let ours = conv2d(&x, &w, None, attributes, Clamp::NONE).unwrap();
        let theirs = x.conv2d(&w, padding, stride, dilation, groups).unwrap();
        let outcome = |y: &Tensor| {
            let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            [&x, &w].map(|v| flat(gradients.get(v).unwrap()))
        };
        assert_close(&flat(&ours), &flat(&theirs));
        for (ours, theirs) in outcome(&ours).iter().zip(outcome(&theirs)) {
            assert_close(ours, &theirs);
        }
    }
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

const PLAIN: Convolution = Convolution {
    stride: [1, 1],
    padding: [1, 1],
    dilation: [1, 1],
    groups: 1,
};

#[test]
fn gradients_follow_finite_differences_through_bias_and_clamp() {
    let device = &Device::Cpu;
    let attributes = Convolution {
        stride: [2, 1],
        ..PLAIN
    };
    let dims: [&[usize]; 3] = [&[2, 2, 5, 6], &[3, 2, 3, 3], &[3]];
    let vars: Vec<Var> = dims
        .iter()
        .enumerate()
        .map(|(seed, dims)| Var::from_vec(noise(seed, dims), *dims, device).unwrap())
        .collect();
    let loss = |tensors: &[&Tensor]| {
        let y = conv2d(
            tensors[0],
            tensors[1],
            Some(tensors[2]),
            attributes,
            Clamp::RELU,
        )
        .unwrap();
        y.sqr().unwrap().sum_all().unwrap()
    };
    let tensors: Vec<&Tensor> = vars.iter().map(Var::as_tensor).collect();
    let gradients = loss(&tensors).backward().unwrap();
    for (index, dims) in dims.iter().enumerate() {
        let gradient = flat(gradients.get(tensors[index]).unwrap());
        for (element, found) in gradient.iter().enumerate() {
            let step = 1e-2;
            let shifted = |by: f32| {
                let mut values = flat(tensors[index]);
                values[element] += by;
                let moved = Tensor::from_vec(values, *dims, device).unwrap();
                let mut tensors = tensors.clone();
                tensors[index] = &moved;
                f64::from(loss(&tensors).to_scalar::<f32>().unwrap())
            };
            let expected = (shifted(step) - shifted(-step)) / (2.0 * f64::from(step));
            assert!(
                (f64::from(*found) - expected).abs() < 2e-2 * expected.abs().max(5.0),
                "{index}, {element}: {found} instead of {expected}"
            );
        }
    }
}

#[test]
fn operands_need_not_be_contiguous() {
    let device = &Device::Cpu;
    let x = Tensor::from_vec(noise(1, &[4, 6, 7, 3]), (4, 6, 7, 3), device).unwrap();
    let w = Tensor::from_vec(noise(2, &[3, 5, 3, 3]), (3, 5, 3, 3), device).unwrap();
    let (x, w) = (x.permute((0, 3, 2, 1)).unwrap(), w.transpose(0, 1).unwrap());
    let plain = |t: &Tensor| Tensor::from_vec(flat(t), t.shape(), device).unwrap();
    let b = Tensor::from_vec(noise(3, &[10]), 10, device)
        .unwrap()
        .narrow(0, 3, 5)
        .unwrap();
    let (x, copy) = (
        x.narrow(0, 1, 2).unwrap(),
        plain(&x.narrow(0, 1, 2).unwrap()),
    );
    let ours = conv2d(&x, &w, Some(&b), PLAIN, Clamp::RELU).unwrap();
    let expected = conv2d(&copy, &plain(&w), Some(&plain(&b)), PLAIN, Clamp::RELU).unwrap();
    assert_eq!(flat(&ours), flat(&expected));
}

#[test]
fn gradients_that_nobody_needs_are_not_computed() {
    let device = &Device::Cpu;
    let x = Tensor::from_vec(noise(1, &[1, 2, 4, 4]), (1, 2, 4, 4), device).unwrap();
    let w = Var::from_vec(noise(2, &[3, 2, 3, 3]), (3, 2, 3, 3), device).unwrap();
    let y = conv2d(&x, &w, None, PLAIN, Clamp::NONE).unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    assert!(gradients.get(&w).is_some());
    assert!(gradients.get(&x).is_none());
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let device = &Device::Cpu;
    let zeros = |dims: &[usize]| Tensor::zeros(dims, candle_core::DType::F32, device).unwrap();
    let message = |x: &[usize], w: &[usize], b: Option<&[usize]>, attributes| {
        let bias = b.map(zeros);
        let result = conv2d(&zeros(x), &zeros(w), bias.as_ref(), attributes, Clamp::NONE);
        result.unwrap_err().to_string()
    };
    let unpadded = Convolution {
        padding: [0, 0],
        ..PLAIN
    };
    assert!(message(&[1, 2, 4, 4], &[3, 3, 3, 3], None, PLAIN).contains("does not fit an input"));
    assert!(message(&[1, 2, 2, 4], &[3, 2, 3, 3], None, unpadded).contains("a window of 3"));
    assert!(message(&[1, 2, 4, 4], &[3, 2, 3, 3], Some(&[2]), PLAIN).contains("a bias of 2"));
    assert!(message(&[2, 4, 4], &[3, 2, 3, 3], None, PLAIN).contains("rank 4"));
    assert!(message(&[1, 2, 0, 4], &[3, 2, 3, 3], None, PLAIN).contains("nothing to convolve"));
}
