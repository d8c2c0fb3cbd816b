//! Samplers: ways back from noise to an image.
//!
//! # Adding a sampler
//! Write `samplers/<name>.rs` with a [`Sampler`] and an `ENTRY`, and add it to [`SAMPLERS`].

mod ddim;
mod ddpm;

use crate::registry::{Registry, Technique};
use std::fmt::Debug;
use std::num::NonZeroUsize;

/// Every sampler by name.
pub static SAMPLERS: Registry<Technique<dyn Sampler>> =
    Registry::new("sampler", &[ddim::ENTRY, ddpm::ENTRY]);

/// A way back from noise to an image, step by step.
pub trait Sampler: Debug + Send + Sync {
    /// Returns the number of steps, at most as many as the network was trained for.
    fn steps(&self) -> NonZeroUsize;

    /// Returns what an image is made of, one step nearer to its end, where `here` and `next` are the shares of the image's variance that
    /// are left now and then.
    fn blend(&self, here: f64, next: f64) -> Blend;
}

/// An image as a sum: each number is what one part is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blend {
    /// The image as it is.
    pub image: f64,
    /// The image without noise, as the network sees it.
    pub clean: f64,
    /// The noise that the network sees.
    pub noise: f64,
    /// Fresh noise.
    pub fresh: f64,
}

/// Returns the variance of the image at the next step, where it is drawn as if the clean one were known (Ho et al. 2020, eq. 7).
fn posterior_variance(here: f64, next: f64) -> f64 {
    (1.0 - next) / (1.0 - here) * (1.0 - here / next)
}
