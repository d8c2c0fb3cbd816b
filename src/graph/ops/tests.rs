//! Operators against naive computations; whole networks are compared with PyTorch in `tests/models.rs`.

use super::*;
use crate::graph::{Op, Operator, Shape};
use candle_core::{Device, Var};
use proptest::prelude::*;

fn tensor(seed: u32, shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) % 997) as f32;
    let values: Vec<f32> = (0..count).map(|i| value(i) / 498.5 - 1.0).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn flat(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(found: &Tensor, expected: &[f32]) {
    let found = flat(found);
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-4, "{a} instead of {b}");
    }
}

/// The definition, one output at a time.
fn naive(conv: &Conv2d, x: &Tensor, w: &Tensor, output: &[usize]) -> Vec<f32> {
    let (_, _, h, width) = x.dims4().unwrap();
    let (xs, ws) = (flat(x), flat(w));
    let (inner, outer) = (
        conv.in_channels / conv.groups,
        conv.out_channels / conv.groups,
    );
    let mut ys = Vec::new();
    for index in 0..output.iter().product() {
        let (ox, rest) = (index % output[3], index / output[3]);
        let (oy, rest) = (rest % output[2], rest / output[2]);
        let (o, n) = (rest % output[1], rest / output[1]);
        let mut sum = 0.0;
        for c in 0..inner {
            for ky in 0..conv.kernel[0] {
                for kx in 0..conv.kernel[1] {
                    let y = (oy * conv.stride + ky * conv.dilation).checked_sub(conv.padding[0]);
                    let x = (ox * conv.stride + kx * conv.dilation).checked_sub(conv.padding[1]);
                    if let (Some(y), Some(x)) = (y.filter(|y| *y < h), x.filter(|x| *x < width)) {
                        let channel = o / outer * inner + c;
                        let weight = ((o * inner + c) * conv.kernel[0] + ky) * conv.kernel[1] + kx;
                        let pixel = ((n * conv.in_channels + channel) * h + y) * width + x;
                        sum += ws[weight] * xs[pixel];
                    }
                }
            }
        }
        ys.push(sum);
    }
    ys
}

fn convolutions() -> impl Strategy<Value = (Conv2d, [usize; 4])> {
    let sizes = (
        1..4_usize,
        1..4_usize,
        1..4_usize,
        [1..4_usize, 1..4_usize],
        1..3_usize,
        [0..3_usize, 0..3_usize],
    );
    (sizes, 1..3_usize, any::<bool>(), 5..9_usize, 5..9_usize).prop_map(
        |((groups, inner, outer, kernel, stride, padding), dilation, depthwise, h, w)| {
            let (inner, outer) = if depthwise { (1, 1) } else { (inner, outer) };
            let conv = Conv2d {
                in_channels: groups * inner,
                out_channels: groups * outer,
                kernel,
                stride,
                padding,
                dilation,
                groups,
                bias: false,
            };
            (conv, [2, groups * inner, h, w])
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn convolutions_follow_the_definition((conv, shape) in convolutions()) {
        let x = tensor(1, &shape);
        let w = tensor(2, &conv.params()[0].shape);
        let output = conv.run(&[&x], &[&w]).unwrap();
        let inferred = conv.shape(&[&Shape::from(&shape[1..])]).unwrap();
        prop_assert_eq!(inferred.dims(), &output.dims()[1..]);
        assert_close(&output, &naive(&conv, &x, &w, output.dims()));
    }

    #[test]
    fn a_layer_is_the_product_of_its_rows_and_its_weight((conv, shape) in convolutions()) {
        let x = tensor(1, &shape);
        let w = tensor(2, &conv.params()[0].shape);
        let output = conv.run(&[&x], &[&w]).unwrap();
        let per_group = conv.out_channels / conv.groups;
        let w = w.reshape((conv.groups, per_group, ())).unwrap();
        let rows = conv.rows(&x).unwrap().contiguous().unwrap();
        let product = rows.matmul(&w.transpose(1, 2).unwrap().contiguous().unwrap()).unwrap();
        assert_close(&product, &flat(&conv.targets(&output).unwrap()));
    }
}

#[test]
fn depthwise_gradients_follow_finite_differences() {
    let conv = Conv2d::same(3, 3, 3).stride(2).groups(3);
    let (x, w) = (
        tensor(3, &[1, 3, 5, 5]),
        Var::from_tensor(&tensor(4, &[3, 1, 3, 3])).unwrap(),
    );
    let loss = |w: &Tensor| {
        conv.run(&[&x], &[w])
            .unwrap()
            .sqr()
            .unwrap()
            .sum_all()
            .unwrap()
    };
    let gradients = loss(w.as_tensor()).backward().unwrap();
    let gradient = flat(gradients.get(&w).unwrap());
    for (i, found) in gradient.iter().enumerate() {
        let step = 1e-2;
        let shifted = |by: f32| {
            let mut values = flat(w.as_tensor());
            values[i] += by;
            let w = Tensor::from_vec(values, w.shape(), &Device::Cpu).unwrap();
            loss(&w).to_scalar::<f32>().unwrap()
        };
        let expected = (shifted(step) - shifted(-step)) / (2.0 * step);
        assert!(
            (found - expected).abs() < 2e-2,
            "{i}: {found} instead of {expected}"
        );
    }
}

#[test]
fn a_pure_shift_changes_nothing_else_to_the_bit() {
    for eps in [1e-5, 1e-3, 1e-6] {
        let norm = BatchNorm2d { channels: 2, eps };
        let x = tensor(5, &[3, 2, 4, 4]);
        let shift = Tensor::new(&[0.0f32, 0.0], &Device::Cpu).unwrap();
        let params = norm.pure_shift(&shift).unwrap();
        let params: Vec<&Tensor> = params.iter().collect();
        assert_eq!(flat(&norm.run(&[&x], &params).unwrap()), flat(&x), "{eps}");
        let (scale, _) = norm.scale_and_shift(&params).unwrap();
        let scale = scale.to_dtype(candle_core::DType::F32).unwrap();
        assert_eq!(flat(&scale), [1.0, 1.0], "{eps}");
    }
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let image = Shape::from([3, 8, 8]);
    let tokens = Shape::from([5, 12]);
    let ops: [(Op, Vec<&Shape>, &str); 7] = [
        (
            Conv2d::same(4, 8, 3).into(),
            vec![&image],
            "channels of 4, found 3",
        ),
        (
            Conv2d::same(3, 8, 9).padding(0).into(),
            vec![&image],
            "window of 9",
        ),
        (
            Conv2d {
                stride: 0,
                ..Conv2d::same(3, 8, 3)
            }
            .into(),
            vec![&image],
            "a stride",
        ),
        (Add {}.into(), vec![&image, &tokens], "the same shape"),
        (Add {}.into(), vec![&image], "expected 2 inputs, found 1"),
        (
            Attention { heads: 5 }.into(),
            vec![&tokens],
            "multiple of three times the heads",
        ),
        (
            TakeToken { index: 5 }.into(),
            vec![&tokens],
            "more tokens of 6, found 5",
        ),
    ];
    for (op, inputs, why) in ops {
        let message = op.shape(&inputs).unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn normalisation_and_softmax_agree_with_and_without_gradients() {
    let norm = LayerNorm { dim: 6, eps: 1e-6 };
    let (scale, shift) = (tensor(6, &[6]), tensor(7, &[6]));
    let attention = Attention { heads: 2 };
    let (x, qkv) = (tensor(8, &[2, 3, 6]), tensor(9, &[2, 3, 12]));
    let tracked = |t: &Tensor| Var::from_tensor(t).unwrap().as_tensor().clone();
    let a = norm.run(&[&x], &[&scale, &shift]).unwrap();
    let b = norm.run(&[&tracked(&x)], &[&scale, &shift]).unwrap();
    assert_close(&a, &flat(&b));
    let a = attention.run(&[&qkv], &[]).unwrap();
    let b = attention.run(&[&tracked(&qkv)], &[]).unwrap();
    assert_close(&a, &flat(&b));
}
