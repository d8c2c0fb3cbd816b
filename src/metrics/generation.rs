//! How good drawings are: how far they are from real images, and from what the dense network draws from the same noise.
//!
//! The distance of Frechet is taken between what a classifier sees in both sets ([`Statistics::frechet`]). With the embedded classifier it
//! is no Frechet inception distance, and not called so: values compare with each other only.

use super::{Compute, Direction, Metric, Statistics};

pub(super) const FRECHET_EMBEDDED: Metric = Metric {
    name: "frechet-embedded",
    title: "Frechet distance, embedded classifier",
    unit: "",
    direction: Direction::LowerIsBetter,
    tolerance: 0.5,
    compute: Compute::Generation(Drawings::distance),
};

pub(super) const DRIFT: Metric = Metric {
    name: "drift",
    title: "Difference to the dense network's drawings",
    unit: "levels",
    tolerance: 2.0,
    compute: Compute::Generation(|drawings| drawings.drift),
    ..FRECHET_EMBEDDED
};

/// Drawings of a network, summed up.
#[derive(Debug, Clone)]
pub struct Drawings {
    /// What a classifier sees in them and in real images, where there is a classifier for such images.
    pub seen: Option<[Statistics; 2]>,
    /// The root of the mean squared difference to the drawings of the dense network, in levels of 256; nothing where there are none.
    pub drift: Option<f64>,
}

impl Drawings {
    /// Returns the distance between what is seen in drawings and in real images; not a number where it cannot be computed.
    fn distance(&self) -> Option<f64> {
        let [drawn, real] = self.seen.as_ref()?;
        Some(drawn.frechet(real).unwrap_or(f64::NAN))
    }
}
