//! The steps from noise to an image.

use super::samplers::{Blend, Sampler};
use super::schedule::Schedule;
use crate::models::Diffusion;
use crate::tasks::TaskError;
use candle_core::{Result as CandleResult, Tensor};

/// The time steps that a sampler looks at, and what it makes of what is seen there.
#[derive(Debug)]
pub(super) struct Path<'a> {
    sampler: &'a dyn Sampler,
    schedule: Schedule,
    /// Whether what is seen in noise is clamped to what an image can be.
    clamps: bool,
    /// From noise to image.
    pub(super) steps: Vec<usize>,
}

impl<'a> Path<'a> {
    /// Spreads the sampler's steps evenly, as diffusers' `leading` spacing.
    pub(super) fn new(sampler: &'a dyn Sampler, diffusion: &Diffusion) -> Result<Self, TaskError> {
        let schedule = Schedule::of(diffusion);
        let (steps, most) = (sampler.steps().get(), schedule.len());
        if steps > most {
            return Err(TaskError::Steps { steps, most });
        }
        let stride = most / steps;
        Ok(Self {
            sampler,
            steps: (0..steps).rev().map(|step| step * stride).collect(),
            schedule,
            clamps: !diffusion.latent,
        })
    }

    /// Goes all the way from `start`. `see` is given the number of steps taken, the time step and the image, and returns the noise in it;
    /// `fresh` returns new noise for the step after so many.
    pub(super) fn walk(
        &self,
        start: Tensor,
        mut see: impl FnMut(usize, usize, &Tensor) -> Result<Tensor, TaskError>,
        fresh: impl Fn(usize) -> CandleResult<Tensor>,
    ) -> Result<Tensor, TaskError> {
        let mut image = start;
        for (taken, &step) in self.steps.iter().enumerate() {
            let noise = see(taken, step, &image)?;
            let here = self.schedule.left(Some(step));
            let next = self.schedule.left(self.steps.get(taken + 1).copied());
            let blend = self.sampler.blend(here, next);
            let clean = self.clean(&image, &noise, here)?;
            image = blend.of([&clean, &image, &noise], || fresh(taken))?;
        }
        Ok(image)
    }

    /// Returns the image without the noise that is seen in it, where a share `left` of it is left.
    fn clean(&self, image: &Tensor, noise: &Tensor, left: f64) -> CandleResult<Tensor> {
        let clean = ((image - (noise * (1.0 - left).sqrt())?)? / left.sqrt())?;
        if self.clamps {
            clean.clamp(-1.0, 1.0)
        } else {
            Ok(clean)
        }
    }
}

impl Blend {
    /// Returns the sum of its parts: of the clean image, the noisy one, and the noise that is seen in it.
    fn of(
        self,
        [clean, image, noise]: [&Tensor; 3],
        fresh: impl FnOnce() -> CandleResult<Tensor>,
    ) -> CandleResult<Tensor> {
        let mut sum = (clean * self.clean)?;
        for (factor, part) in [(self.image, image), (self.noise, noise)] {
            if factor != 0.0 {
                sum = (sum + (part * factor)?)?;
            }
        }
        if self.fresh == 0.0 {
            return Ok(sum);
        }
        sum + (fresh()? * self.fresh)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::BetaSchedule;
    use crate::tasks::generation::SAMPLERS;
    use candle_core::Device;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Reference {
        cases: Vec<Peer>,
    }

    #[derive(Deserialize)]
    struct Peer {
        schedule: String,
        sampler: String,
        /// Whether what is seen in noise is clamped.
        clip: bool,
        start: Vec<f32>,
        fresh: Vec<Vec<f32>>,
        steps: Vec<usize>,
        /// What is left of an image at some time steps.
        left: Vec<(usize, f64)>,
        image: Vec<f64>,
    }

    impl Peer {
        fn diffusion(&self) -> Diffusion {
            let (start, end) = (1e-4, 0.02);
            let schedule = match self.schedule.as_str() {
                "linear" => BetaSchedule::Linear { start, end },
                "scaled_linear" => BetaSchedule::ScaledLinear { start, end },
                "squaredcos_cap_v2" => BetaSchedule::Cosine,
                other => panic!("unknown schedule {other}"),
            };
            Diffusion {
                timesteps: 1000,
                schedule,
                latent: !self.clip,
            }
        }
    }

    #[test]
    fn samplers_walk_as_diffusers_do() {
        let text = include_str!("../../../tests/reference/samplers.json");
        for peer in serde_json::from_str::<Reference>(text).unwrap().cases {
            let name = format!("{} {}", peer.schedule, peer.sampler);
            let sampler = SAMPLERS.build(&peer.sampler.parse().unwrap()).unwrap();
            let path = Path::new(sampler.as_ref(), &peer.diffusion()).unwrap();
            assert_eq!(path.steps, peer.steps, "{name}");
            for (step, expected) in &peer.left {
                let found = path.schedule.left(Some(*step));
                assert!(
                    (found / expected - 1.0).abs() < 1e-4,
                    "{name}: {found} at {step}"
                );
            }
            let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu);
            // The same stands for a network in samplers.py.
            let see = |_, step: usize, image: &Tensor| {
                Ok((image * 0.8)?.affine(1.0, step as f64 * 2e-4)?.sin()?)
            };
            let fresh = |taken: usize| tensor(&peer.fresh[taken]);
            let image = path.walk(tensor(&peer.start).unwrap(), see, fresh).unwrap();
            let image: Vec<f32> = image.to_vec1().unwrap();
            assert_eq!(image.len(), peer.image.len());
            for (found, expected) in image.iter().zip(&peer.image) {
                assert!(
                    (f64::from(*found) - expected).abs() < 2e-4,
                    "{name}: {found} not {expected}"
                );
            }
        }
    }

    #[test]
    fn more_steps_than_there_are_time_steps_are_refused() {
        let diffusion = Diffusion {
            timesteps: 10,
            schedule: BetaSchedule::Cosine,
            latent: false,
        };
        let walk = |text: &str| {
            let sampler = SAMPLERS.build(&text.parse().unwrap()).unwrap();
            Path::new(sampler.as_ref(), &diffusion).map(|path| path.steps.len())
        };
        assert_eq!(walk("ddim(steps=10)").unwrap(), 10);
        let error = walk("ddpm(steps=11)").unwrap_err();
        assert_eq!(
            error.to_string(),
            "11 sampling steps, expected at most the 10 that the network was trained for"
        );
        assert!(SAMPLERS.build(&"ddim(steps=0)".parse().unwrap()).is_err());
    }
}
