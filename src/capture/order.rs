//! The order in which calibration samples are looked at.

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
}
