//! What a classifier sees in images: the features that two sets of images are compared by.

use crate::data::{Image, Preprocess};
use crate::graph::{Graph, ParamId, Plan, ValueId};
use crate::tasks::{Network, TaskError};
use candle_core::{Device, Result as CandleResult, Tensor};

/// A classifier up to its last layer: for the Inception network the features of the Frechet inception distance.
#[derive(Debug)]
pub(super) struct Features<'a> {
    network: Network<'a>,
    preprocess: &'a Preprocess,
    plan: Plan,
    /// The channels, and the side of the squares, that the network takes.
    input: [usize; 2],
    width: usize,
    last: ParamId,
}

impl<'a> Features<'a> {
    /// Takes a network that ends in a layer whose input is one vector an image.
    ///
    /// # Errors
    /// [`TaskError::NoFeatures`] for another one.
    pub(super) fn new(network: Network<'a>, preprocess: &'a Preprocess) -> Result<Self, TaskError> {
        let graph = network.graph;
        let found = || {
            let &[input] = graph.inputs() else {
                return None;
            };
            let [channels, side, _] = graph.value(input).shape.exactly().ok()?;
            let (last, value) = last_layer(graph)?;
            let [width] = graph.value(value).shape.exactly().ok()?;
            let plan = graph.plan(&[input], &[value]).ok()?;
            Some(Self {
                network,
                preprocess,
                plan,
                input: [channels, side],
                width,
                last,
            })
        };
        found().ok_or(TaskError::NoFeatures)
    }

    /// Returns the number of features.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Returns the weight of the last layer, `[classes, width]`.
    pub(super) fn last_weight(&self) -> &Tensor {
        self.network.weights.tensor(self.last)
    }

    /// Returns the features of images of any sizes, `[n, width]`. They become squares by plain bilinear interpolation, without rounding in
    /// between, as pytorch-fid does it.
    ///
    /// # Errors
    /// [`TaskError`] where images do not fit the network.
    pub(super) fn of(&self, images: &[Image]) -> Result<Tensor, TaskError> {
        let plain = Preprocess {
            geometry: None,
            ..self.preprocess.clone()
        };
        let [channels, side] = self.input;
        let squares = images.iter().map(|image| {
            let image = image.with_channels(channels);
            let tensor = plain.apply(&[image], &Device::Cpu)?;
            Ok(interpolated(&tensor, side)?.to_device(self.network.device)?)
        });
        let squares = squares.collect::<Result<Vec<Tensor>, TaskError>>()?;
        let input = Tensor::cat(&squares, 0)?;
        let Network { graph, weights, .. } = self.network;
        let mut outputs = self.plan.run(graph, weights, &[input])?;
        Ok(outputs.swap_remove(0))
    }
}

/// Returns the weight of the last layer, and what the layer takes.
fn last_layer(graph: &Graph) -> Option<(ParamId, ValueId)> {
    let (id, node) = graph.prunable().last()?;
    Some((graph.weight_of(id), *node.inputs.first()?))
}

/// Interpolates images `[n, c, h, w]` bilinearly to squares, as PyTorch's `interpolate` without `align_corners` and antialiasing.
fn interpolated(images: &Tensor, side: usize) -> CandleResult<Tensor> {
    let (_, _, height, width) = images.dims4()?;
    let mut images = images.clone();
    if width != side {
        images = images.broadcast_matmul(&weights(width, side)?)?;
    }
    if height != side {
        images = weights(height, side)?.t()?.broadcast_matmul(&images)?;
    }
    Ok(images)
}

/// Returns what each of `from` pixels weighs in each of `to`, `[from, to]`.
fn weights(from: usize, to: usize) -> CandleResult<Tensor> {
    let mut weights = vec![0f32; from * to];
    let scale = from as f32 / to as f32;
    for pixel in 0..to {
        let place = (scale * (pixel as f32 + 0.5) - 0.5).max(0.0);
        let first = (place as usize).min(from - 1);
        let second = (first + 1).min(from - 1);
        let part = place - first as f32;
        weights[first * to + pixel] += 1.0 - part;
        weights[second * to + pixel] += part;
    }
    Tensor::from_vec(weights, (from, to), &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_interpolated_as_pytorch_does() {
        let image = Tensor::new(&[[[[0f32, 1.0, 4.0], [2.0, 3.0, 8.0]]]], &Device::Cpu).unwrap();
        let found = interpolated(&image, 4).unwrap();
        let rows: Vec<Vec<f32>> = found
            .squeeze(0)
            .unwrap()
            .squeeze(0)
            .unwrap()
            .to_vec2()
            .unwrap();
        // torch.nn.functional.interpolate(x, size=(4, 4), mode="bilinear", align_corners=False).
        let expected = [
            [0.0, 0.625, 2.125, 4.0],
            [0.5, 1.125, 2.8125, 5.0],
            [1.5, 2.125, 4.1875, 7.0],
            [2.0, 2.625, 4.875, 8.0],
        ];
        for (found, expected) in rows.concat().iter().zip(expected.concat()) {
            assert!((found - expected).abs() < 1e-6, "{found} not {expected}");
        }
        let same = interpolated(&found, 4).unwrap();
        assert_eq!(
            same.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            rows.concat()
        );
    }
}
