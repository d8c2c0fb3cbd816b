//! PoolFormer (Yu et al. 2022, "MetaFormer is actually what you need for vision").
//!
//! Names and parameter names are those of timm from 0.9 on, whose `MetaFormer` renamed the parameters of the authors' checkpoints.

use super::parts::linear;
use super::{Architecture, Card, Table, Variant};
use crate::graph::ops::{
    Activation, Add, Conv2d, GlobalAvgPool, GroupNorm, LayerNorm, LayerScale, PoolMixer,
};
use crate::graph::{BuildError, Builder, Graph, Op, ValueId};
use serde::{Deserialize, Serialize};

/// Four stages of blocks that mix pixels by pooling and channels by a perceptron.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolFormer {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// Blocks in each stage.
    depths: [usize; 4],
    /// Channels in each stage.
    dims: [usize; 4],
}

const fn small(depths: [usize; 4]) -> PoolFormer {
    PoolFormer {
        in_chans: 3,
        num_classes: 1000,
        img_size: 224,
        depths,
        dims: [64, 128, 320, 512],
    }
}

pub(super) static FAMILY: Table<PoolFormer> = Table {
    name: "poolformer",
    summary: "PoolFormers (Yu et al. 2022), names of timm",
    task: "classification",
    variants: &[
        Variant::new(
            "poolformer_s12",
            small([2, 2, 6, 2]),
            Card::timm("poolformer_s12.sail_in1k").sized(248, 224),
        ),
        Variant::new(
            "poolformer_s24",
            small([4, 4, 12, 4]),
            Card::timm("poolformer_s24.sail_in1k").sized(248, 224),
        ),
        Variant::new(
            "poolformer_s36",
            small([6, 6, 18, 6]),
            Card::timm("poolformer_s36.sail_in1k").sized(248, 224),
        ),
    ],
};

impl Architecture for PoolFormer {
    const STEMS: &'static [&'static str] = &["stem.conv.weight"];
    const HEADS: &'static [&'static str] = &["head.fc.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let stem = Conv2d::same(self.in_chans, self.dims[0], 7).stride(4);
        let stem = biased(stem.padding(2));
        let mut x = builder.add("stem.conv", stem, &[input])?;
        for (stage, (depth, dim)) in self.depths.into_iter().zip(self.dims).enumerate() {
            let name = format!("stages.{stage}");
            if stage > 0 && dim != self.dims[stage - 1] {
                let conv = biased(Conv2d::same(self.dims[stage - 1], dim, 3).stride(2));
                x = builder.add(&format!("{name}.downsample.conv"), conv, &[x])?;
            }
            for index in 0..depth {
                x = block(&mut builder, &format!("{name}.blocks.{index}"), dim, x)?;
            }
        }
        let [.., dim] = self.dims;
        let x = builder.add("head.global_pool", GlobalAvgPool {}, &[x])?;
        let x = builder.add("head.norm", LayerNorm { dim, eps: 1e-6 }, &[x])?;
        let output = builder.add("head.fc", linear(dim, self.num_classes), &[x])?;
        Ok(builder.finish(&[output]))
    }
}

const fn biased(mut conv: Conv2d) -> Conv2d {
    conv.bias = true;
    conv
}

/// Adds the two residual branches of a block.
fn block(
    builder: &mut Builder,
    name: &str,
    dim: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let pooling: Vec<(&str, Op)> = vec![("token_mixer", PoolMixer { pool_size: 3 }.into())];
    let perceptron: Vec<(&str, Op)> = vec![
        ("mlp.fc1", biased(Conv2d::same(dim, 4 * dim, 1)).into()),
        ("mlp.act", Activation::Gelu.into()),
        ("mlp.fc2", biased(Conv2d::same(4 * dim, dim, 1)).into()),
    ];
    let x = branch(builder, name, [1, dim], pooling, input)?;
    branch(builder, name, [2, dim], perceptron, x)
}

/// Adds branch `number` with `operators` between its norm and its scale, and what goes around it.
fn branch(
    builder: &mut Builder,
    name: &str,
    [number, channels]: [usize; 2],
    operators: Vec<(&str, Op)>,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let norm = GroupNorm {
        groups: 1,
        channels,
        eps: 1e-5,
    };
    let scale = LayerScale {
        channels,
        bare: false,
    };
    let mut x = builder.add(&format!("{name}.norm{number}"), norm, &[input])?;
    for (suffix, operator) in operators {
        x = builder.add(&format!("{name}.{suffix}"), operator, &[x])?;
    }
    let x = builder.add(&format!("{name}.layer_scale{number}"), scale, &[x])?;
    builder.add(&format!("{name}.add{number}"), Add {}, &[x, input])
}
