//! The convolution kernels alone, forward and with the gradients that reconstruction takes: of the weight in the first layer
//! of a unit, of both operands in the others. And light kernels, whose time is that of memory.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use candle_core::{DType, Device, Tensor, Var};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ptsbench::kernels::{
    Clamp, Convolution, add, conv2d, max_pool2d, max_pool2d_gradient, plane_means, scale_and_shift,
};
use std::hint::black_box;

/// A convolution with padding `kernel / 2` of square images.
struct Case {
    name: &'static str,
    batch: usize,
    /// In, out.
    channels: [usize; 2],
    side: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
}

impl Case {
    const fn new(name: &'static str, batch: usize, channels: [usize; 2], side: usize) -> Self {
        Self {
            name,
            batch,
            channels,
            side,
            kernel: 3,
            stride: 1,
            groups: 1,
        }
    }

    const fn kernel(self, kernel: usize) -> Self {
        Self { kernel, ..self }
    }

    const fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// Gives each channel a group of its own.
    const fn depthwise(self) -> Self {
        Self {
            groups: self.channels[0],
            ..self
        }
    }

    fn input(&self) -> Tensor {
        noise(&[self.batch, self.channels[0], self.side, self.side])
    }

    fn weight(&self) -> Tensor {
        let [inputs, outputs] = self.channels;
        noise(&[outputs, inputs / self.groups, self.kernel, self.kernel])
    }

    fn run(&self, input: &Tensor, weight: &Tensor) -> Tensor {
        let attributes = Convolution {
            stride: [self.stride; 2],
            padding: [self.kernel / 2; 2],
            dilation: [1; 2],
            groups: self.groups,
        };
        conv2d(input, weight, None, attributes, Clamp::NONE).unwrap()
    }

    /// Floating-point operations of the forward convolution; each gradient takes as many.
    fn flops(&self) -> u64 {
        let [inputs, outputs] = self.channels;
        let side = (self.side - 1) / self.stride + 1;
        let taps = inputs / self.groups * self.kernel * self.kernel;
        (2 * self.batch * outputs * side * side * taps) as u64
    }
}

/// What deep networks are made of: 3x3 (ResNet), 1x1 (bottlenecks), depthwise (MobileNets), the layers of CIFAR ResNets.
const CASES: [Case; 9] = [
    Case::new("3x3 64->64 @56", 8, [64, 64], 56),
    Case::new("3x3 256->256 @14", 8, [256, 256], 14),
    Case::new("3x3 64->128 @56 /2", 8, [64, 128], 56).stride(2),
    Case::new("1x1 256->64 @56", 8, [256, 64], 56).kernel(1),
    Case::new("1x1 96->576 @14", 8, [96, 576], 14).kernel(1),
    Case::new("depthwise 3x3 96 @56", 8, [96, 96], 56).depthwise(),
    Case::new("depthwise 3x3 144 @56 /2", 8, [144, 144], 56)
        .stride(2)
        .depthwise(),
    Case::new("CIFAR 3x3 16->16 @32", 32, [16, 16], 32),
    Case::new("CIFAR 3x3 64->64 @8", 32, [64, 64], 8),
];

fn noise(dims: &[usize]) -> Tensor {
    let noise = Tensor::randn(0.0, 1.0, dims, &Device::Cpu).unwrap();
    noise.to_dtype(DType::F32).unwrap()
}

fn variable(tensor: &Tensor) -> Tensor {
    Var::from_tensor(tensor).unwrap().into_inner()
}

fn convolutions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conv2d");
    for case in &CASES {
        let (x, w) = (case.input(), case.weight());
        // From a gradient of ones.
        let trained = |x: &Tensor, w: &Tensor| case.run(x, w).backward().unwrap();
        group.throughput(Throughput::Elements(case.flops()));
        group.bench_function(BenchmarkId::new("forward", case.name), |bencher| {
            bencher.iter(|| black_box(case.run(&x, &w)));
        });
        let w = variable(&w);
        group.throughput(Throughput::Elements(2 * case.flops()));
        group.bench_function(
            BenchmarkId::new("forward, weight gradient", case.name),
            |bencher| bencher.iter(|| black_box(trained(&x, &w))),
        );
        let x = variable(&x);
        group.throughput(Throughput::Elements(3 * case.flops()));
        group.bench_function(
            BenchmarkId::new("forward, both gradients", case.name),
            |bencher| bencher.iter(|| black_box(trained(&x, &w))),
        );
    }
    group.finish();
}

fn light(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("light");
    for (name, dims) in [
        ("8x64 @56", [8, 64, 56, 56]),
        ("32x16 @32", [32, 16, 32, 32]),
    ] {
        let x = noise(&dims);
        let channel = noise(&[dims[1]]);
        let elements = x.elem_count() as u64;
        let pooled = max_pool2d(&x, 3, 2, 1).unwrap();
        let kernels: [(&str, u64, &dyn Fn() -> Tensor); 6] = [
            ("add", 3, &|| add(&x, &x, Clamp::NONE).unwrap()),
            ("scale and shift", 2, &|| {
                scale_and_shift(&x, &channel, &channel, Clamp::NONE).unwrap()
            }),
            ("max_pool2d 2x2", 1, &|| max_pool2d(&x, 2, 2, 0).unwrap()),
            ("max_pool2d 3x3/2", 1, &|| max_pool2d(&x, 3, 2, 1).unwrap()),
            ("max_pool2d 3x3/2, gradient", 1, &|| {
                max_pool2d_gradient(&x, &pooled, 3, 2, 1).unwrap()
            }),
            ("plane_means", 1, &|| plane_means(&x).unwrap()),
        ];
        for (kernel, passes, run) in kernels {
            group.throughput(Throughput::Bytes(4 * passes * elements));
            group.bench_function(BenchmarkId::new(kernel, name), |bencher| {
                bencher.iter(|| black_box(run()));
            });
        }
    }
    group.finish();
}

criterion_group!(kernels, convolutions, light);
criterion_main!(kernels);
