//! From what a generator draws to pictures.

use crate::data::{Image, Preprocess};
use crate::graph::{Graph, Plan};
use crate::models::Head;
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
        match (diffusion.latent, decoder) {
            (false, None) => Ok(Self {
                preprocess,
                decoder: None,
            }),
            (true, Some(decoder)) => Self::decoding(generator, decoder),
            (true, None) => Err(TaskError::Latents {
                found: "latents",
                expected: "a decoder that makes pictures of them",
            }),
            (false, Some(_)) => Err(TaskError::Latents {
                found: "pictures",
                expected: "no decoder",
            }),
        }
    }

    fn decoding(generator: Network<'_>, decoder: Decoder<'a>) -> Result<Self, TaskError> {
        let Network { graph, head, .. } = decoder.network;
        let (expected, found) = (first_input(generator.graph), first_input(graph));
        if !matches!(head, Head::Images) || expected != found {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::generation::testing::Meaningless;
    use candle_core::Device;
    use serde_json::json;

    const SIDE: usize = 8;

    fn generator(model: &str) -> Meaningless {
        let small = json!({"img_size": SIDE, "block_out_channels": [32, 32], "attention": [], "norm_num_groups": 8});
        Meaningless::new(model, small, 0)
    }

    fn decoder(side: usize) -> Meaningless {
        let small = json!({"img_size": side, "block_out_channels": [8, 16], "norm_num_groups": 8, "num_vq_embeddings": 5});
        Meaningless::new("vq_celebahq_256", small, 1)
    }

    fn preprocess(std: f32) -> Preprocess {
        serde_json::from_value(json!({"mean": [0.5, 0.5, 0.5], "std": [std, std, std]})).unwrap()
    }

    #[test]
    fn pictures_of_latents_are_what_the_decoder_makes_of_them() {
        let (generator, decoder) = (generator("ldm_celebahq_256"), decoder(SIDE));
        let (unused, used) = (preprocess(0.1), preprocess(0.5));
        let decoder = Decoder {
            network: decoder.network(),
            preprocess: &used,
        };
        let finish = Finish::new(generator.network(), &unused, Some(decoder)).unwrap();
        let drawn = (0..2 * 3 * SIDE * SIDE).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0);
        let drawn = Tensor::from_iter(drawn, &Device::Cpu).unwrap();
        let drawn = drawn.reshape((2, 3, SIDE, SIDE)).unwrap();
        let pictures = finish.pictures(&drawn).unwrap();
        let Network { graph, weights, .. } = decoder.network;
        let both = graph
            .run(weights, &[(graph.inputs()[0], drawn)], graph.outputs())
            .unwrap();
        let expected = used.images(&both[0]).unwrap();
        assert_eq!(pictures.len(), 2);
        assert_eq!(pictures[0].shape(), [3, 2 * SIDE, 2 * SIDE]);
        let levels = |images: &[Image]| {
            images
                .iter()
                .flat_map(Image::pixels)
                .copied()
                .collect::<Vec<u8>>()
        };
        let gaps = levels(&pictures)
            .into_iter()
            .zip(levels(&expected))
            .map(|(a, b)| a.abs_diff(b));
        assert!(gaps.max() <= Some(1));
    }

    #[test]
    fn a_decoder_must_be_wanted_and_fit() {
        let preprocess = preprocess(0.5);
        let (latent, plain) = (generator("ldm_celebahq_256"), generator("ddpm_cifar10_32"));
        let (fitting, large) = (decoder(SIDE), decoder(2 * SIDE));
        let finish = |generator: &Meaningless, decoder: Option<&Meaningless>| {
            let decoder = decoder.map(|decoder| Decoder {
                network: decoder.network(),
                preprocess: &preprocess,
            });
            Finish::new(generator.network(), &preprocess, decoder)
                .map(|_| ())
                .map_err(|e| e.to_string())
        };
        assert_eq!(finish(&latent, Some(&fitting)), Ok(()));
        assert_eq!(finish(&plain, None), Ok(()));
        for (generator, decoder, why) in [
            (&latent, None, "draws latents, expected a decoder"),
            (
                &plain,
                Some(&fitting),
                "draws pictures, expected no decoder",
            ),
            (&latent, Some(&large), "the decoder takes [3, 16, 16]"),
            (
                &latent,
                Some(&plain),
                "makes images of latents of [3, 8, 8]",
            ),
            (&fitting, None, "does not see noise"),
        ] {
            let error = finish(generator, decoder).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
