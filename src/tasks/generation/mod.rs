//! Image generation: images drawn from noise by a network that sees it.

mod draw;
mod features;
mod finish;
mod look;
mod noise;
mod path;
mod samplers;
mod schedule;
mod task;
#[cfg(test)]
mod testing;

pub use draw::{Drawing, Moment};
pub use finish::Finish;
pub use look::Look;
pub use samplers::{Blend, SAMPLERS, Sampler};
pub(super) use task::ENTRY;
