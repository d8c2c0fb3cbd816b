//! Inception v3 (Szegedy et al. 2016).
//!
//! Names and parameter names are torchvision's. Its published checkpoint also holds an auxiliary head, `AuxLogits.*`, which serves training
//! alone and is left out; its input has the mean and standard deviation 0.5 (`transform_input`), which is preprocessing.
//!
//! `fid_inception_v3` is the network of the Frechet inception distance (Heusel et al. 2017) as pytorch-fid has it, with the same names: it was
//! converted from another framework, whose means leave out what lies beyond the border, and takes the largest pixel where the last module
//! should take a mean. It tells 1,008 classes apart.

use super::parts::{basic_conv, classified};
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{AvgPool2d, Concat, Conv2d, MaxPool2d};
use crate::graph::{BuildError, Builder, Graph, Op, ValueId};
use serde::{Deserialize, Serialize};

/// The model of the Frechet inception distance, the kernel inception distance and the Inception score.
pub const FID_INCEPTION: &str = "fid_inception_v3";

/// Eleven modules of three or four branches after a stem.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InceptionV3 {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// Whether pools are those of the Frechet inception distance.
    fid: bool,
}

pub(super) static FAMILY: Table<InceptionV3> = Table {
    name: "inception-v3",
    summary: "Inception v3 (Szegedy et al. 2016), names of torchvision",
    task: "classification",
    variants: &[
        Variant::new(
            "inception_v3",
            InceptionV3 {
                in_chans: 3,
                num_classes: 1000,
                img_size: 299,
                fid: false,
            },
            Card::torchvision("inception_v3_google-0cc3c7bd")
                .sized(342, 299)
                .inception(),
        ),
        Variant::new(
            FID_INCEPTION,
            InceptionV3 {
                in_chans: 3,
                num_classes: 1008,
                img_size: 299,
                fid: true,
            },
            Card::UNPUBLISHED
                .at(
                    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
                    "Apache-2.0",
                )
                .stretched(299)
                .inception(),
        ),
    ],
};

impl Architecture for InceptionV3 {
    const STEMS: &'static [&'static str] = &["Conv2d_1a_3x3.conv.weight"];
    const HEADS: &'static [&'static str] = &["fc.weight"];
    const UNUSED: &'static [&'static str] = &["AuxLogits"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let mut x = stem(&mut builder, input)?;
        for (name, pooled) in [("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)] {
            x = Module::new(&mut builder, name, x).five(pooled, self.mean())?;
        }
        x = Module::new(&mut builder, "Mixed_6a", x).reduce_to_seventeen()?;
        for (name, width) in [
            ("Mixed_6b", 128),
            ("Mixed_6c", 160),
            ("Mixed_6d", 160),
            ("Mixed_6e", 192),
        ] {
            x = Module::new(&mut builder, name, x).seven(width, self.mean())?;
        }
        x = Module::new(&mut builder, "Mixed_7a", x).reduce_to_eight()?;
        x = Module::new(&mut builder, "Mixed_7b", x).spread(self.mean())?;
        let last = if self.fid {
            MaxPool2d::new(3, 1).padding(1).into()
        } else {
            self.mean()
        };
        x = Module::new(&mut builder, "Mixed_7c", x).spread(last)?;
        classified(builder, "fc", self.num_classes, x)
    }
}

impl InceptionV3 {
    /// The mean over the neighbours of each pixel.
    fn mean(&self) -> Op {
        AvgPool2d {
            kernel: 3,
            stride: 1,
            padding: 1,
            count_include_pad: !self.fid,
        }
        .into()
    }
}

/// What its batch norms add to the variance.
const EPS: f64 = 1e-3;

/// A layer of a branch but for the channels it takes: its name, the channels it makes, and its kernel.
type Layer = (&'static str, usize, [usize; 2]);

fn stem(builder: &mut Builder, input: ValueId) -> Result<ValueId, BuildError> {
    let mut stem = Module::new(builder, "", input);
    let x = stem.halved(("Conv2d_1a_3x3", 32, [3, 3]), input)?;
    let x = stem.layer(("Conv2d_2a_3x3", 32, [3, 3]), |conv| conv.padding(0), x)?;
    let x = stem.branch(&[("Conv2d_2b_3x3", 64, [3, 3])], x)?;
    let x = stem.other("maxpool1", MaxPool2d::new(3, 2), &[x])?;
    let x = stem.branch(&[("Conv2d_3b_1x1", 80, [1, 1])], x)?;
    let x = stem.layer(("Conv2d_4a_3x3", 192, [3, 3]), |conv| conv.padding(0), x)?;
    stem.other("maxpool2", MaxPool2d::new(3, 2), &[x])
}

/// A module under construction.
struct Module<'a> {
    builder: &'a mut Builder,
    name: &'a str,
    input: ValueId,
}

impl<'a> Module<'a> {
    fn new(builder: &'a mut Builder, name: &'a str, input: ValueId) -> Self {
        Self {
            builder,
            name,
            input,
        }
    }

    fn part(&self, suffix: &str) -> String {
        match self.name {
            "" => suffix.to_owned(),
            name => format!("{name}.{suffix}"),
        }
    }

    /// Adds a layer that keeps the size of the image, but for what `adapt` changes.
    fn layer(
        &mut self,
        (suffix, width, kernel): Layer,
        adapt: fn(Conv2d) -> Conv2d,
        x: ValueId,
    ) -> Result<ValueId, BuildError> {
        let channels = self.builder.shape(x).channels();
        let conv = adapt(Conv2d::rectangular(channels, width, kernel));
        let name = self.part(suffix);
        basic_conv(self.builder, &name, conv, EPS, x)
    }

    /// Adds a layer that halves the image and does not pad it.
    fn halved(&mut self, layer: Layer, x: ValueId) -> Result<ValueId, BuildError> {
        self.layer(layer, |conv| conv.stride(2).padding(0), x)
    }

    /// Adds layers one after the other.
    fn branch(&mut self, layers: &[Layer], input: ValueId) -> Result<ValueId, BuildError> {
        layers.iter().try_fold(input, |x, layer| {
            self.layer(*layer, std::convert::identity, x)
        })
    }

    /// Adds an operator without parameters.
    fn other(
        &mut self,
        suffix: &str,
        op: impl Into<Op>,
        inputs: &[ValueId],
    ) -> Result<ValueId, BuildError> {
        self.builder.add(&self.part(suffix), op, inputs)
    }

    /// Adds the branch that looks at neighbours by `pool`, and has a layer.
    fn smoothed(&mut self, width: usize, pool: Op) -> Result<ValueId, BuildError> {
        let x = self.other("avg_pool", pool, &[self.input])?;
        self.branch(&[("branch_pool", width, [1, 1])], x)
    }

    /// Adds the branch that halves the image by its largest pixels.
    fn pooled(&mut self) -> Result<ValueId, BuildError> {
        self.other("max_pool", MaxPool2d::new(3, 2), &[self.input])
    }

    /// Adds what splits a layer into one across and one down (Figure 7).
    fn split(
        &mut self,
        [across, down]: [&'static str; 2],
        x: ValueId,
    ) -> Result<[ValueId; 2], BuildError> {
        let across = self.branch(&[(across, 384, [1, 3])], x)?;
        Ok([across, self.branch(&[(down, 384, [3, 1])], x)?])
    }

    /// Adds a module at 35 pixels (Figure 5).
    fn five(mut self, pooled: usize, pool: Op) -> Result<ValueId, BuildError> {
        let x = self.input;
        let one = self.branch(&[("branch1x1", 64, [1, 1])], x)?;
        let five = [("branch5x5_1", 48, [1, 1]), ("branch5x5_2", 64, [5, 5])];
        let five = self.branch(&five, x)?;
        let three = [
            ("branch3x3dbl_1", 64, [1, 1]),
            ("branch3x3dbl_2", 96, [3, 3]),
            ("branch3x3dbl_3", 96, [3, 3]),
        ];
        let three = self.branch(&three, x)?;
        let pooled = self.smoothed(pooled, pool)?;
        self.other("concat", Concat {}, &[one, five, three, pooled])
    }

    /// Adds the module from 35 to 17 pixels (Figure 10).
    fn reduce_to_seventeen(mut self) -> Result<ValueId, BuildError> {
        let one = self.halved(("branch3x3", 384, [3, 3]), self.input)?;
        let double = [
            ("branch3x3dbl_1", 64, [1, 1]),
            ("branch3x3dbl_2", 96, [3, 3]),
        ];
        let double = self.branch(&double, self.input)?;
        let double = self.halved(("branch3x3dbl_3", 96, [3, 3]), double)?;
        let pooled = self.pooled()?;
        self.other("concat", Concat {}, &[one, double, pooled])
    }

    /// Adds a module at 17 pixels, with factorised kernels (Figure 6).
    fn seven(mut self, width: usize, pool: Op) -> Result<ValueId, BuildError> {
        let x = self.input;
        let one = self.branch(&[("branch1x1", 192, [1, 1])], x)?;
        let seven = [
            ("branch7x7_1", width, [1, 1]),
            ("branch7x7_2", width, [1, 7]),
            ("branch7x7_3", 192, [7, 1]),
        ];
        let seven = self.branch(&seven, x)?;
        let double = [
            ("branch7x7dbl_1", width, [1, 1]),
            ("branch7x7dbl_2", width, [7, 1]),
            ("branch7x7dbl_3", width, [1, 7]),
            ("branch7x7dbl_4", width, [7, 1]),
            ("branch7x7dbl_5", 192, [1, 7]),
        ];
        let double = self.branch(&double, x)?;
        let pooled = self.smoothed(192, pool)?;
        self.other("concat", Concat {}, &[one, seven, double, pooled])
    }

    /// Adds the module from 17 to 8 pixels.
    fn reduce_to_eight(mut self) -> Result<ValueId, BuildError> {
        let three = self.branch(&[("branch3x3_1", 192, [1, 1])], self.input)?;
        let three = self.halved(("branch3x3_2", 320, [3, 3]), three)?;
        let seven = [
            ("branch7x7x3_1", 192, [1, 1]),
            ("branch7x7x3_2", 192, [1, 7]),
            ("branch7x7x3_3", 192, [7, 1]),
        ];
        let seven = self.branch(&seven, self.input)?;
        let seven = self.halved(("branch7x7x3_4", 192, [3, 3]), seven)?;
        let pooled = self.pooled()?;
        self.other("concat", Concat {}, &[three, seven, pooled])
    }

    /// Adds a module at 8 pixels, whose 3x3 layers end side by side (Figure 7).
    fn spread(mut self, pool: Op) -> Result<ValueId, BuildError> {
        let x = self.input;
        let one = self.branch(&[("branch1x1", 320, [1, 1])], x)?;
        let three = self.branch(&[("branch3x3_1", 384, [1, 1])], x)?;
        let three = self.split(["branch3x3_2a", "branch3x3_2b"], three)?;
        let double = [
            ("branch3x3dbl_1", 448, [1, 1]),
            ("branch3x3dbl_2", 384, [3, 3]),
        ];
        let double = self.branch(&double, x)?;
        let double = self.split(["branch3x3dbl_3a", "branch3x3dbl_3b"], double)?;
        let pooled = self.smoothed(192, pool)?;
        let branches = [one, three[0], three[1], double[0], double[1], pooled];
        self.other("concat", Concat {}, &branches)
    }
}
