//! The noise that images are drawn from.

use candle_core::{Device, Result, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::ops::Range;

/// Standard normal noise: that of an image at a step depends on the seed and their numbers alone, whatever is drawn beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noise {
    pub(super) seed: u64,
    /// Channels, height and width.
    pub(super) shape: [usize; 3],
}

impl Noise {
    /// Returns the noise of `images` at a step, `[n, c, h, w]`; step 0 is what images start from.
    pub(super) fn at(self, step: usize, images: Range<usize>, device: &Device) -> Result<Tensor> {
        let count = images.len();
        let values: Vec<f32> = images.flat_map(|image| self.of(image, step)).collect();
        let [c, h, w] = self.shape;
        Tensor::from_vec(values, (count, c, h, w), device)
    }

    fn of(self, image: usize, step: usize) -> impl Iterator<Item = f32> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(image as u64);
        // Far more than an image of any size takes of the stream, which has 2^68 words.
        random.set_word_pos((step as u128) << 40);
        let numel = self.shape.iter().product();
        (0..numel).map(move |_| StandardNormal.sample(&mut random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOISE: Noise = Noise {
        seed: 3,
        shape: [2, 8, 8],
    };

    fn values(step: usize, images: Range<usize>) -> Vec<f32> {
        let tensor = NOISE.at(step, images, &Device::Cpu).unwrap();
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn an_image_has_its_noise_in_any_batch() {
        let all = values(1, 0..6);
        assert_eq!(
            all,
            [values(1, 0..1), values(1, 1..4), values(1, 4..6)].concat()
        );
        let mut starts: Vec<f32> = (0..50).flat_map(|step| values(step, 0..6)).collect();
        starts.sort_by(f32::total_cmp);
        starts.dedup();
        assert!(starts.len() > 38_000, "{} of 38,400 differ", starts.len());
    }

    #[test]
    fn it_is_standard_normal() {
        let values = values(0, 0..1000);
        let count = values.len() as f64;
        let moment = |power| {
            values
                .iter()
                .map(|v| f64::from(*v).powi(power))
                .sum::<f64>()
                / count
        };
        for (power, expected) in [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)] {
            // Four standard errors or more.
            assert!(
                (moment(power) - expected).abs() < 0.12,
                "moment {power}: {}",
                moment(power)
            );
        }
    }
}
