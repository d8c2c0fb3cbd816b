//! A new family of models, beside those that are there already.
//!
//! ```sh
//! cargo run --release --example new_model
//! ```

use candle_core::Device;
use ptsbench::case::{Case, CaseSpec, Settings};
use ptsbench::graph::ops::{
    Activation, Add, BatchNorm2d, Conv2d, GlobalAvgPool, Linear, OptionAShortcut,
};
use ptsbench::graph::{BuildError, Builder, Graph, ValueId};
use ptsbench::models::{Architecture, Card, Table, Variant};
use ptsbench::pipeline::{Allow, Engine, Subject};
use ptsbench::record::Record;
use serde::{Deserialize, Serialize};
use std::error::Error;

/// A ResNet for CIFAR whose stages may end before those of its checkpoint do: residual networks bear the loss of single blocks
/// (Veit, Wilber and Belongie 2016).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutResNet {
    in_chans: usize,
    num_classes: usize,
    img_size: usize,
    /// The blocks of each stage.
    layer1: usize,
    layer2: usize,
    layer3: usize,
}

/// The family, as it would stand in `models::FAMILIES`.
pub static FAMILY: Table<CutResNet> = Table {
    name: "resnet-cut",
    summary: "CIFAR ResNets with blocks left out",
    task: "classification",
    variants: &[Variant::new(
        "resnet20_cut",
        CutResNet {
            in_chans: 3,
            num_classes: 10,
            img_size: 32,
            layer1: 3,
            layer2: 3,
            layer3: 3,
        },
        Card::UNPUBLISHED,
    )],
};

impl Architecture for CutResNet {
    const STEMS: &'static [&'static str] = &["conv1.weight"];
    const HEADS: &'static [&'static str] = &["linear.weight"];

    fn build(&self) -> Result<Graph, BuildError> {
        let mut builder = Builder::new();
        let input = builder.input("input", [self.in_chans, self.img_size, self.img_size])?;
        let stem = Conv2d::same(self.in_chans, 16, 3);
        let x = conv_norm(&mut builder, "", 1, stem, input)?;
        let mut x = builder.add("relu", Activation::Relu, &[x])?;
        for (stage, blocks) in (1..).zip([self.layer1, self.layer2, self.layer3]) {
            for index in 0..blocks {
                let name = format!("layer{stage}.{index}.");
                x = block(&mut builder, &name, 8 << stage, x)?;
            }
        }
        let head = Linear {
            in_features: builder.shape(x).channels(),
            out_features: self.num_classes,
            bias: true,
        };
        let x = builder.add("avgpool", GlobalAvgPool {}, &[x])?;
        let output = builder.add("linear", head, &[x])?;
        Ok(builder.finish(&[output]))
    }
}

/// Adds two convolutions and a shortcut; a change of width halves the image.
fn block(
    builder: &mut Builder,
    name: &str,
    width: usize,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let channels = builder.shape(input).channels();
    let stride = if channels == width { 1 } else { 2 };
    let first = Conv2d::same(channels, width, 3).stride(stride);
    let x = conv_norm(builder, name, 1, first, input)?;
    let x = builder.add(&format!("{name}relu1"), Activation::Relu, &[x])?;
    let x = conv_norm(builder, name, 2, Conv2d::same(width, width, 3), x)?;
    let shortcut = if channels == width {
        input
    } else {
        let padding = (width - channels) / 2;
        let shortcut = OptionAShortcut { padding };
        builder.add(&format!("{name}shortcut"), shortcut, &[input])?
    };
    let x = builder.add(&format!("{name}add"), Add {}, &[x, shortcut])?;
    builder.add(&format!("{name}relu2"), Activation::Relu, &[x])
}

fn conv_norm(
    builder: &mut Builder,
    name: &str,
    index: usize,
    conv: Conv2d,
    input: ValueId,
) -> Result<ValueId, BuildError> {
    let norm = BatchNorm2d {
        channels: conv.out_channels,
        eps: 1e-5,
    };
    let x = builder.add(&format!("{name}conv{index}"), conv, &[input])?;
    builder.add(&format!("{name}bn{index}"), norm, &[x])
}

/// Returns a case on a model that ptsbench knows: ERK, masks and 500 test images.
pub fn case() -> Result<Case, Box<dyn Error>> {
    let spec = CaseSpec {
        suite: "example".to_owned(),
        task: "classification".to_owned(),
        dataset: "fashion-mnist".to_owned(),
        model: "resnet20".to_owned(),
        weights: "embedded:resnet20-fashion-mnist".to_owned(),
        data: "embedded:fashion-mnist".to_owned(),
        judge: None,
        decoder: None,
        allocator: "erk".to_owned(),
        reconstruction: "none".to_owned(),
        sparsity: 0.5,
        settings: Settings {
            limit: Some(500),
            ..Settings::default()
        },
    };
    Ok(Case::resolve(spec)?)
}

/// Runs the same case on a model of the new family, with all that `ptsbench run` would do and record. It takes the checkpoint of the
/// whole network, from which tensors are left over.
pub fn run(model: &str) -> Result<Record, Box<dyn Error>> {
    let old = case()?;
    let case = Case {
        spec: CaseSpec {
            model: model.to_owned(),
            ..old.spec
        },
        model: model.parse()?,
        ..old
    };
    let data = case.data.open()?;
    let engine = Engine::new(Device::Cpu, None);
    let subject = Subject {
        data: Some(data.clone()),
        ..Subject::of(
            &FAMILY,
            &case.model,
            engine.checkpoint(&case.weights)?,
            data.image_shape(),
            Allow::Unused,
            engine.device(),
        )?
    };
    Ok(engine.run_on(&case, &subject, &())?.record)
}

fn main() -> Result<(), Box<dyn Error>> {
    for model in [
        "resnet20_cut",
        "resnet20_cut(layer1=2)",
        "resnet20_cut(layer2=2)",
        "resnet20_cut(layer3=2)",
    ] {
        let record = run(model)?;
        let weights: usize = record.layers.iter().map(|layer| layer.numel).sum();
        for (metric, value) in record.metrics.iter() {
            let (dense, sparse) = (value.dense, value.sparse);
            println!("{model}: {weights} weights, {metric} {dense:.2} -> {sparse:.2}");
        }
    }
    Ok(())
}
