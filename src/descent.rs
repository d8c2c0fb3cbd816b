//! What every descent on calibration samples has: the order of samples, the decay of the learning rate, points at which to look back.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Samples in batches, without replacement within a pass; a new order each pass.
#[derive(Debug)]
pub struct Order {
    rng: ChaCha8Rng,
    rows: Vec<u32>,
    next: usize,
    batch: usize,
}

impl Order {
    /// Starts an order of `samples` samples in batches of `batch`, a function of the arguments alone. `what` tells apart those who
    /// use the same seed, so that none depends on how many came before it.
    pub fn new(seed: u64, what: &str, samples: usize, batch: usize) -> Self {
        let seed = format!("{seed}/{what}");
        Self {
            rng: ChaCha8Rng::from_seed(*blake3::hash(seed.as_bytes()).as_bytes()),
            rows: (0..samples as u32).collect(),
            next: samples,
            batch: batch.clamp(1, samples.max(1)),
        }
    }

    /// Returns the samples of the next batch.
    pub fn batch(&mut self) -> Vec<u32> {
        if self.next + self.batch > self.rows.len() {
            self.rows.shuffle(&mut self.rng);
            self.next = 0;
        }
        self.next += self.batch;
        self.rows[self.next - self.batch..self.next].to_vec()
    }
}

/// Returns the share of the learning rate that is left after `done` of `steps` steps, along half a cosine from 1 to 0.
pub fn cosine(done: usize, steps: usize) -> f64 {
    let done = done as f64 / steps as f64;
    0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

/// Whether the loss over all samples is due after `done` of `steps` steps, where it is taken `times` times on the way, the last one at the end.
pub fn is_due(done: usize, steps: usize, times: usize) -> bool {
    done * times % steps < times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_meets_each_sample_at_most_once() {
        let mut order = Order::new(3, "unit", 10, 4);
        for _ in 0..5 {
            let mut pass: Vec<u32> = [order.batch(), order.batch()].concat();
            pass.sort_unstable();
            pass.dedup();
            assert_eq!(pass.len(), 8);
        }
        let first = |what| Order::new(3, what, 1000, 8).batch();
        assert_eq!(first("a"), first("a"));
        assert_ne!(first("a"), first("b"));
    }

    #[test]
    fn the_rate_falls_from_all_to_nothing() {
        assert_eq!(cosine(0, 8), 1.0);
        assert!((cosine(4, 8) - 0.5).abs() < 1e-12);
        assert!(cosine(8, 8).abs() < 1e-12);
    }

    #[test]
    fn the_loss_is_due_as_often_as_asked_and_at_the_end() {
        for steps in [4, 24, 200, 1001] {
            let due: Vec<usize> = (1..=steps).filter(|done| is_due(*done, steps, 4)).collect();
            assert_eq!(due.len(), 4, "{steps}: {due:?}");
            assert_eq!(due.last(), Some(&steps));
        }
    }
}
