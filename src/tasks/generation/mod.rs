//! Image generation: images drawn from noise by a network that sees it.

mod draw;
mod noise;
mod path;
mod samplers;
mod schedule;

pub use draw::{Drawing, Moment};
pub use samplers::{Blend, SAMPLERS, Sampler};
