//! Feature pyramids (Lin et al. 2017) on ResNet-50, and heads that look at all of their levels.

use super::Level;
use super::detection::map_size;
use super::parts::Style;
use super::resnet::plain;
use crate::graph::ops::{Activation, Add, Conv2d, Upsample};
use crate::graph::{BuildError, Builder, Op, ValueId};

/// The channels of every level.
pub(super) const WIDTH: usize = 256;

/// Adds ResNet-50 and five levels with strides from 8 to 128, as torchvision calls them; batch norms have the epsilon `eps`.
pub(super) fn resnet50_fpn(
    builder: &mut Builder,
    eps: f64,
    input: ValueId,
) -> Result<Vec<ValueId>, BuildError> {
    let style = Style {
        eps,
        ..Style::new(Activation::Relu)
    };
    let body = plain([3, 4, 6, 3], true);
    let [_, features @ ..] = body.features(builder, "backbone.body.", style, input)?;
    let mut levels = descended(builder, features)?;
    let part = |name: &str| format!("backbone.fpn.extra_blocks.{name}");
    let halving = Conv2d::same(WIDTH, WIDTH, 3).stride(2).biased();
    let p6 = builder.add(&part("p6"), halving, &[levels[2]])?;
    let x = builder.add(&part("relu"), Activation::Relu, &[p6])?;
    let p7 = builder.add(&part("p7"), halving, &[x])?;
    levels.extend([p6, p7]);
    Ok(levels)
}

/// Adds the levels of three features, each of which sees those above.
fn descended(builder: &mut Builder, features: [ValueId; 3]) -> Result<Vec<ValueId>, BuildError> {
    let mut levels = Vec::new();
    let mut above = None;
    for (level, feature) in features.into_iter().enumerate().rev() {
        let part = |name: &str| format!("backbone.fpn.{name}.{level}.0");
        let lateral = Conv2d::same(builder.shape(feature).channels(), WIDTH, 1).biased();
        let mut x = builder.add(&part("inner_blocks"), lateral, &[feature])?;
        if let Some(above) = above {
            let size = map_size(builder, x);
            let stretched = builder.add(&part("upsample"), Upsample { size }, &[above])?;
            x = builder.add(&part("add"), Add {}, &[x, stretched])?;
        }
        above = Some(x);
        let conv = Conv2d::same(WIDTH, WIDTH, 3).biased();
        levels.push(builder.add(&part("layer_blocks"), conv, &[x])?);
    }
    levels.reverse();
    Ok(levels)
}

/// Adds an operator to the first of several levels, and calls it on each of the others.
pub(super) fn each(
    builder: &mut Builder,
    name: &str,
    op: impl Into<Op>,
    levels: &[ValueId],
) -> Result<Vec<ValueId>, BuildError> {
    let mut outputs = Vec::new();
    if let Some((first, rest)) = levels.split_first() {
        outputs.push(builder.add(name, op, &[*first])?);
        for (level, input) in (1..).zip(rest) {
            outputs.push(builder.share(&format!("{name}@{level}"), name, &[*input])?);
        }
    }
    Ok(outputs)
}

/// Adds the convolution that ends a head, to each level.
pub(super) fn prediction(
    builder: &mut Builder,
    name: &str,
    outputs: usize,
    levels: &[ValueId],
) -> Result<Vec<ValueId>, BuildError> {
    let conv = Conv2d::same(WIDTH, outputs, 3).biased();
    each(builder, name, conv, levels)
}

/// Returns levels of square images of some side with the same `anchors` of sizes that double from level to level, around corners of cells
/// that are whole pixels apart.
pub(super) fn levels(
    grids: &[[usize; 2]],
    side: usize,
    anchors: impl Fn(i32) -> Vec<[f32; 4]>,
) -> Vec<Level> {
    let levels = grids.iter().zip(0..);
    levels
        .map(|(grid, level)| Level {
            grid: *grid,
            stride: grid.map(|cells| (side / cells) as f32),
            anchors: anchors(level),
        })
        .collect()
}

/// The names in torchvision's files, which are older than the module around each convolution of the pyramid.
pub(super) fn published(name: &str) -> String {
    let block = ["inner_blocks", "layer_blocks"].map(|block| name.contains(block));
    let parts = name.rsplit_once(".0.").filter(|_| block.contains(&true));
    parts.map_or_else(
        || name.to_owned(),
        |(module, parameter)| format!("{module}.{parameter}"),
    )
}
