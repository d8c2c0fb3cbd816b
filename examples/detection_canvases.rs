//! Writes canvases as `embedded:fashion-mnist-detection` has them, of other images than those: what a detector is trained on.
//!
//! ```text
//! cargo run --release --example detection_canvases -- IMAGES LABELS COUNT SEED OUT
//! ```
//!
//! `IMAGES` and `LABELS` are gzipped idx files of the MNIST family; `OUT` is a safetensors file of
//!
//! | tensor | type | what it is |
//! | --- | --- | --- |
//! | `images` | u8 `[COUNT, 64, 64]` | the canvases |
//! | `boxes` | f32 `[m, 4]` | left, upper, right and lower edge of each item, in pixels |
//! | `classes` | i64 `[m]` | what it is |
//! | `canvas` | i64 `[m]` | which canvas it is on, from 0; ascending |

use candle_core::{Device, Tensor};
use ptsbench::data::{Canvas, Idx, Image, canvases};
use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [images, labels, count, seed, out] = arguments.as_slice() else {
        return Err("expected five arguments: IMAGES LABELS COUNT SEED OUT".into());
    };
    let images: Idx<3> = read(images)?;
    let labels: Idx<1> = read(labels)?;
    if images.dims[0] != labels.dims[0] {
        let [images, labels] = [images.dims[0], labels.dims[0]];
        return Err(format!("{images} images have {labels} labels, expected as many").into());
    }
    let canvases = canvases(&items(&images), count.parse()?, seed.parse()?);
    candle_core::safetensors::save(&tensors(&canvases, &labels.values)?, out)?;
    Ok(())
}

fn read<const D: usize>(path: &str) -> Result<Idx<D>, Box<dyn Error>> {
    Ok(Idx::decode(Path::new(path), &fs::read(path)?)?)
}

fn items(images: &Idx<3>) -> Vec<Image> {
    let [count, height, width] = images.dims;
    let item = |number: usize| {
        let pixels = &images.values[number * height * width..][..height * width];
        Image::from_fn([1, height, width], |_, y, x| pixels[y * width + x])
    };
    (0..count).map(item).collect()
}

fn tensors(
    canvases: &[Canvas],
    labels: &[u8],
) -> candle_core::Result<HashMap<&'static str, Tensor>> {
    let mut pixels = Vec::new();
    let (mut boxes, mut classes, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for (place, canvas) in canvases.iter().enumerate() {
        pixels.extend_from_slice(canvas.image.pixels());
        for thing in &canvas.things {
            boxes.extend(thing.rect.edges().map(|edge| edge as f32));
            classes.push(i64::from(labels[thing.item]));
            places.push(place as i64);
        }
    }
    let (count, device) = (classes.len(), &Device::Cpu);
    let side = pixels
        .len()
        .checked_div(canvases.len())
        .map_or(0, usize::isqrt);
    Ok(HashMap::from([
        (
            "images",
            Tensor::from_vec(pixels, (canvases.len(), side, side), device)?,
        ),
        ("boxes", Tensor::from_vec(boxes, (count, 4), device)?),
        ("classes", Tensor::from_vec(classes, count, device)?),
        ("canvas", Tensor::from_vec(places, count, device)?),
    ]))
}
