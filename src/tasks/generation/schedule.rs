//! How much of an image is left at each time step.

use crate::models::{BetaSchedule, Diffusion};
use std::f64::consts::FRAC_PI_2;

/// The largest variance that a step of the cosine schedule adds.
const MOST: f64 = 0.999;

/// The share of an image's variance that is left after each time step (Ho et al. 2020, `alpha_bar`).
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    left: Vec<f64>,
}

impl Schedule {
    pub(super) fn of(diffusion: &Diffusion) -> Self {
        let steps = diffusion.timesteps;
        let spaced = |start: f64, end: f64, step: usize| {
            start + (end - start) * step as f64 / (steps.max(2) - 1) as f64
        };
        let beta = |step: usize| match diffusion.schedule {
            BetaSchedule::Linear { start, end } => spaced(start, end, step),
            BetaSchedule::ScaledLinear { start, end } => {
                spaced(start.sqrt(), end.sqrt(), step).powi(2)
            }
            BetaSchedule::Cosine => {
                let left = |step: usize| cosine(step as f64 / steps as f64);
                (1.0 - left(step + 1) / left(step)).min(MOST)
            }
        };
        let left = (0..steps).scan(1.0, |left, step| {
            *left *= 1.0 - beta(step);
            Some(*left)
        });
        Self {
            left: left.collect(),
        }
    }

    /// The number of time steps.
    pub(super) fn len(&self) -> usize {
        self.left.len()
    }

    /// Returns what is left after a time step; all of it before the first.
    pub(super) fn left(&self, step: Option<usize>) -> f64 {
        step.map_or(1.0, |step| self.left[step])
    }
}

/// What is left of an image after a part of all steps (Nichol and Dhariwal 2021, eq. 17).
fn cosine(part: f64) -> f64 {
    ((part + 0.008) / 1.008 * FRAC_PI_2).cos().powi(2)
}
