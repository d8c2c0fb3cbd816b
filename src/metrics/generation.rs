//! How good drawings are: how far they are from real images, and from what the dense network draws from the same noise.
//!
//! What a classifier sees in both sets is compared. With the Inception network of the literature these are its metrics. With the embedded
//! classifier the distance of Frechet is no Frechet inception distance, and not called so: values compare with each other only.
//!
//! Tolerances of the metrics on embedded data are what the seed of the noise makes of 256 drawings in 10 steps: over 4 seeds or more, the
//! largest standard deviation of a network's `frechet-embedded` is 0.8, dense or at 50 or 80 %, and that of its `drift` 0.9. Those of the
//! Inception network's are provisional, for its checkpoint was not at hand.

use super::{Compute, Direction, Impressions, Metric};
use std::sync::Arc;

pub(super) const FID: Metric = Metric {
    name: "fid",
    title: "Frechet inception distance",
    unit: "",
    direction: Direction::LowerIsBetter,
    tolerance: 0.5,
    compute: Compute::Generation(|drawings| drawings.inception(|seen| Some(seen.frechet()))),
};

pub(super) const KID: Metric = Metric {
    name: "kid",
    title: "Kernel inception distance",
    unit: "/ 1000",
    tolerance: 1.0,
    compute: Compute::Generation(|drawings| drawings.inception(Seen::kernel)),
    ..FID
};

pub(super) const INCEPTION_SCORE: Metric = Metric {
    name: "inception-score",
    title: "Inception score",
    direction: Direction::HigherIsBetter,
    tolerance: 0.1,
    compute: Compute::Generation(|drawings| drawings.inception(|seen| seen.drawn.inception_score)),
    ..FID
};

pub(super) const FRECHET_EMBEDDED: Metric = Metric {
    name: "frechet-embedded",
    title: "Frechet distance, embedded classifier",
    tolerance: 0.8,
    compute: Compute::Generation(|drawings| match drawings.seen.as_ref()? {
        seen if seen.by_inception => None,
        seen => Some(seen.frechet()),
    }),
    ..FID
};

pub(super) const DRIFT: Metric = Metric {
    name: "drift",
    title: "Difference to the dense network's drawings",
    unit: "levels",
    tolerance: 1.0,
    compute: Compute::Generation(|drawings| drawings.drift),
    ..FID
};

/// Drawings of a network, summed up.
#[derive(Debug, Clone)]
pub struct Drawings {
    /// What a classifier sees in them and in real images, where there is one to look.
    pub seen: Option<Seen>,
    /// The root of the mean squared difference to the (first) drawings of the dense network, in levels of 256; nothing where there are none.
    pub drift: Option<f64>,
}

/// What a classifier sees.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Whether it is the network of the Frechet inception distance.
    pub by_inception: bool,
    /// In drawings.
    pub drawn: Impressions,
    /// In real images.
    pub real: Arc<Impressions>,
}

impl Drawings {
    fn inception(&self, value: fn(&Seen) -> Option<f64>) -> Option<f64> {
        let seen = self.seen.as_ref().filter(|seen| seen.by_inception);
        value(seen?)
    }
}

impl Seen {
    /// Returns the squared distance of Frechet; not a number where it cannot be computed.
    fn frechet(&self) -> f64 {
        let distance = self.drawn.statistics.frechet(&self.real.statistics);
        distance.unwrap_or(f64::NAN)
    }

    /// Returns a thousand times the kernel distance.
    fn kernel(&self) -> Option<f64> {
        let distance = self.drawn.kernel_distance(&self.real).ok()??;
        Some(1000.0 * distance)
    }
}
