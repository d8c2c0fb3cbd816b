//! More calibration images from those there are, without labels: copies that the network should treat alike.

mod flip;
mod shift;

use super::Image;
use crate::registry::{Registry, Spec, SpecError, Technique};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Every augmentation by name.
pub static AUGMENTATIONS: Registry<Technique<dyn Augmentation>> =
    Registry::new("augmentation", &[flip::FLIP, shift::SHIFT]);

/// Makes a changed copy of an image.
pub trait Augmentation {
    /// Returns the copy, of the same shape, a function of the image and what is drawn from `rng`.
    fn copy(&self, image: &Image, rng: &mut ChaCha8Rng) -> Image;
}

/// Returns `images` followed by a copy of each by the first of `which`, then by the second, and so on.
///
/// Copies are made of originals only, so `k` augmentations make `k + 1` times as many images. The result is a function of
/// the arguments alone.
///
/// # Errors
/// [`SpecError`] for an unknown augmentation or parameter.
pub fn augment(images: Vec<Image>, which: &[Spec], seed: u64) -> Result<Vec<Image>, SpecError> {
    let originals = images.len();
    let mut images = images;
    for (spec, stream) in which.iter().zip(1..) {
        let augmentation = AUGMENTATIONS.build(spec)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Stream 0 draws the images themselves (`draw_calibration`).
        rng.set_stream(stream);
        for index in 0..originals {
            let copy = augmentation.copy(&images[index], &mut rng);
            images.push(copy);
        }
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Vec<Image> {
        (0..20)
            .map(|i| Image::from_fn([3, 8, 8], |c, y, x| (64 * c + 8 * y + x + i) as u8))
            .collect()
    }

    fn specs(names: &[&str]) -> Vec<Spec> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn originals_come_first_and_copies_follow_in_order() {
        let both = augment(images(), &specs(&["flip", "shift"]), 1).unwrap();
        assert_eq!(both.len(), 60);
        assert_eq!(both[..20], images());
        assert_eq!(both[..40], augment(images(), &specs(&["flip"]), 1).unwrap());
        assert_eq!(augment(images(), &[], 1).unwrap(), images());
    }

    #[test]
    fn copies_depend_on_the_seed_alone() {
        let shifted = |seed| augment(images(), &specs(&["shift"]), seed).unwrap();
        assert_eq!(shifted(1), shifted(1));
        assert_ne!(shifted(1), shifted(2));
    }

    #[test]
    fn unknown_names_and_parameters_are_refused() {
        for (name, message) in [
            ("flop", "unknown augmentation `flop`, did you mean `flip`?"),
            ("flip(axis=1)", "bad parameters in `flip(axis=1)`"),
        ] {
            let error = augment(images(), &specs(&[name]), 0).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
