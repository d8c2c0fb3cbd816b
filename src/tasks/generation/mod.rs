//! Image generation: images drawn from noise by a network that sees it.

mod draw;
mod features;
mod noise;
mod path;
mod samplers;
mod schedule;

pub use draw::{Drawing, Moment};
pub use features::Features;
pub use samplers::{Blend, SAMPLERS, Sampler};
