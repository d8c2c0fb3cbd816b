//! Drawing images with a network that sees noise.

use super::finish::Finish;
use super::noise::Noise;
use super::path::Path;
use super::samplers::Sampler;
use crate::data::Image;
use crate::graph::Plan;
use crate::progress::Progress;
use crate::tasks::{Network, TaskError};
use candle_core::{Result as CandleResult, Tensor};
use std::ops::Range;

/// Draws images. The one with a number is the same whatever is drawn beside it.
#[derive(Debug)]
pub struct Drawing<'a> {
    path: Path<'a>,
    noise: Noise,
    plan: Plan,
}

/// Images on their way.
#[derive(Debug)]
pub struct Moment<'a> {
    /// How many steps have been taken.
    pub taken: usize,
    /// The inputs of the network: images `[n, c, h, w]`, and the time step of each, `[n]`.
    pub inputs: &'a [Tensor; 2],
}

impl<'a> Drawing<'a> {
    /// Takes a network that sees noise, and the seed of what it starts from.
    ///
    /// # Errors
    /// [`TaskError::NoDiffusion`] for a network that sees something else; [`TaskError::Steps`] where the sampler has more steps than
    /// the network was trained for.
    pub fn new(
        network: Network<'_>,
        sampler: &'a dyn Sampler,
        seed: u64,
    ) -> Result<Self, TaskError> {
        let diffusion = network.head.diffusion().ok_or(TaskError::NoDiffusion)?;
        let graph = network.graph;
        let &[image, _] = graph.inputs() else {
            return Err(TaskError::NoDiffusion);
        };
        let shape = graph.value(image).shape.exactly();
        let plan = graph.plan(graph.inputs(), graph.outputs());
        Ok(Self {
            path: Path::new(sampler, diffusion)?,
            noise: Noise {
                seed,
                shape: shape.map_err(|_| TaskError::NoDiffusion)?,
            },
            plan: plan.expect("a network's outputs come of its inputs"),
        })
    }

    /// Returns the number of steps that each image takes.
    pub fn steps(&self) -> usize {
        self.path.steps.len()
    }

    /// Draws the first `count` images as pictures, so many at once.
    ///
    /// # Errors
    /// As in [`Self::images`] and [`Finish::pictures`].
    pub fn pictures(
        &self,
        network: Network<'_>,
        finish: &Finish<'_>,
        (count, at_once): (usize, usize),
        progress: &dyn Progress,
    ) -> impl Iterator<Item = Result<Vec<Image>, TaskError>> {
        (0..count).step_by(at_once).map(move |first| {
            let numbers = first..count.min(first + at_once);
            let images = self.images(network, numbers, progress, |_| Ok(()))?;
            finish.pictures(&images)
        })
    }

    /// Draws the images with these numbers, `[n, c, h, w]`, mostly between -1 and 1; `watch` sees what the network is given at each step.
    ///
    /// # Errors
    /// [`TaskError`] where the network fails, or `progress` asks to stop.
    pub fn images(
        &self,
        network: Network<'_>,
        numbers: Range<usize>,
        progress: &dyn Progress,
        mut watch: impl FnMut(&Moment<'_>) -> CandleResult<()>,
    ) -> Result<Tensor, TaskError> {
        let (count, device) = (numbers.len(), network.device);
        let noise = |step| self.noise.at(step, numbers.clone(), device);
        let see = |taken, step: usize, image: &Tensor| {
            progress.check()?;
            let times = Tensor::full(step as f32, count, device)?;
            let inputs = [image.clone(), times];
            let inputs_now = Moment {
                taken,
                inputs: &inputs,
            };
            watch(&inputs_now)?;
            let mut outputs = self.plan.run(network.graph, network.weights, &inputs)?;
            progress.step("step");
            Ok(outputs.swap_remove(0))
        };
        self.path.walk(noise(0)?, see, |taken| noise(taken + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::generation::SAMPLERS;
    use crate::tasks::generation::testing::Meaningless;
    use rayon::ThreadPoolBuilder;
    use serde_json::json;

    #[test]
    fn images_are_the_same_to_the_bit_in_any_batch_and_with_any_threads() {
        let unet = Meaningless::new("ddpm_micro_28(img_size=12)", json!({}), 0);
        let network = unet.network();
        let sampler = SAMPLERS.build(&"ddim(steps=4,eta=0.5)".parse().unwrap());
        let sampler = sampler.unwrap();
        let drawing = Drawing::new(network, sampler.as_ref(), 7).unwrap();
        let mut seen = Vec::new();
        let mut draw = |threads: usize, numbers: Range<usize>| {
            let pool = ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let watch = |moment: &Moment<'_>| {
                seen.push((moment.taken, moment.inputs[1].to_vec1::<f32>()?));
                Ok(())
            };
            let images = pool.install(|| drawing.images(network, numbers, &(), watch));
            let images = images.unwrap().flatten_all().unwrap();
            images.to_vec1::<f32>().unwrap()
        };
        let all = draw(1, 0..5);
        let parts = [draw(2, 0..2), draw(1, 2..3), draw(3, 3..5)].concat();
        assert_eq!(all, parts);
        assert!(all.iter().all(|value| value.is_finite()));
        let moments: Vec<_> = seen.iter().take(4).cloned().collect();
        let expected = [750f32, 500.0, 250.0, 0.0].map(|step| vec![step; 5]);
        assert!(moments.iter().cloned().eq(expected.into_iter().enumerate()));
    }
}
