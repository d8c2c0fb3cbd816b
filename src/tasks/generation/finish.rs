//! From what a generator draws to pictures.

use crate::data::{Image, Preprocess};
use crate::graph::{Graph, Plan};
use crate::tasks::{Decoder, Network, TaskError};
use candle_core::Tensor;

/// Makes pictures of what a generator draws: as it is, or decoded where it is latents.
#[derive(Debug)]
pub struct Finish<'a> {
    preprocess: &'a Preprocess,
    decoder: Option<(Network<'a>, Plan)>,
}

impl<'a> Finish<'a> {
    /// Takes the `generator`, how its checkpoint has images, and what decodes them.
    ///
    /// # Errors
    /// [`TaskError::Latents`] where a decoder is wanted or of no use, [`TaskError::Decoder`] where it takes latents of another shape.
    pub fn new(
        generator: Network<'_>,
        preprocess: &'a Preprocess,
        decoder: Option<Decoder<'a>>,
    ) -> Result<Self, TaskError> {
        let diffusion = generator.head.diffusion().ok_or(TaskError::NoDiffusion)?;
        let latent = diffusion.latent;
        let Some(decoder) = decoder else {
            return match latent {
                false => Ok(Self {
                    preprocess,
                    decoder: None,
                }),
                true => Err(TaskError::Latents {
                    found: "latents",
                    expected: "a decoder that makes pictures of them",
                }),
            };
        };
        if !latent {
            return Err(TaskError::Latents {
                found: "pictures",
                expected: "no decoder",
            });
        }
        let graph = decoder.network.graph;
        let (expected, found) = (first_input(generator.graph), first_input(graph));
        if !matches!(decoder.network.head, crate::models::Head::Images) || expected != found {
            return Err(TaskError::Decoder { expected, found });
        }
        let plan = graph.plan(graph.inputs(), graph.outputs());
        let plan = plan.expect("a network's outputs come of its inputs");
        Ok(Self {
            preprocess: decoder.preprocess,
            decoder: Some((decoder.network, plan)),
        })
    }

    /// Returns a picture of each image `[n, c, h, w]`. Latents are decoded one by one, for the decoder's activations are large.
    ///
    /// # Errors
    /// [`TaskError`] where the decoder fails, or the preprocessing does not fit.
    pub fn pictures(&self, drawn: &Tensor) -> Result<Vec<Image>, TaskError> {
        let Some((Network { graph, weights, .. }, plan)) = &self.decoder else {
            return Ok(self.preprocess.images(drawn)?);
        };
        let mut pictures = Vec::with_capacity(drawn.dim(0)?);
        for number in 0..drawn.dim(0)? {
            let latents = drawn.narrow(0, number, 1)?.contiguous()?;
            let image = plan.run(graph, weights, &[latents])?.swap_remove(0);
            pictures.extend(self.preprocess.images(&image)?);
        }
        Ok(pictures)
    }
}

/// Returns the shape of an image as the network takes it; nothing where it takes none.
fn first_input(graph: &Graph) -> Vec<usize> {
    let input = graph.inputs().first();
    let shape = input.and_then(|input| graph.value(*input).shape.exactly::<3>().ok());
    shape.map(Vec::from).unwrap_or_default()
}
