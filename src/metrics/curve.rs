//! Precision and recall, the further down a ranking one goes.

/// What a detection comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It found something that counts.
    Hit,
    /// It is a mistake.
    Miss,
    /// It is neither: it found something that need not be found.
    Neither,
}

/// The precision of a ranking at each of its hits, or a better one that it has further down.
#[derive(Debug)]
pub(super) struct Curve(Vec<Point>);

#[derive(Debug)]
struct Point {
    recall: f64,
    precision: f64,
}

impl Curve {
    /// Makes the curve of detections in order of score, where `wanted` things were to be found.
    ///
    /// Hits are all there is to keep: between two of them recall stays and precision falls.
    pub(super) fn new(wanted: usize, ranking: impl Iterator<Item = Verdict>) -> Self {
        let mut points = Vec::new();
        let (mut hits, mut misses) = (0, 0);
        for verdict in ranking {
            match verdict {
                Verdict::Hit => {
                    hits += 1;
                    points.push(Point {
                        recall: f64::from(hits) / wanted as f64,
                        precision: f64::from(hits) / f64::from(hits + misses),
                    });
                }
                Verdict::Miss => misses += 1,
                Verdict::Neither => {}
            }
        }
        let mut best = 0.0_f64;
        for point in points.iter_mut().rev() {
            best = best.max(point.precision);
            point.precision = best;
        }
        Self(points)
    }

    /// Returns the best precision with at least this recall, 0 if it is never reached.
    fn at(&self, recall: f64) -> f64 {
        let first = self.0.partition_point(|point| point.recall < recall);
        self.0.get(first).map_or(0.0, |point| point.precision)
    }

    /// Returns the mean of the best precisions at recalls from 0 to 1, `steps` steps apart.
    pub(super) fn interpolated(&self, steps: u32) -> f64 {
        // As numpy makes its ranges: multiples of a rounded step. A recall of 3 / 10 is below the third multiple of 0.1.
        let step = 1.0 / f64::from(steps);
        mean((0..=steps).map(|i| self.at(f64::from(i) * step)))
    }

    /// Returns the area below the curve.
    pub(super) fn area(&self) -> f64 {
        let before = std::iter::once(0.0).chain(self.0.iter().map(|point| point.recall));
        let points = self.0.iter().zip(before);
        points
            .map(|(p, before)| (p.recall - before) * p.precision)
            .sum()
    }
}

/// Returns the mean, which of nothing is not a number.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0_u32, 0.0), |(n, sum), value| (n + 1, sum + value));
    sum / f64::from(count)
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Hit, Miss, Neither};
    use super::*;

    #[test]
    fn areas_and_interpolations_follow_the_closed_forms() {
        for (wanted, ranking, eleven, hundred, area) in [
            (1, &[][..], 0.0, 0.0, 0.0),
            (3, &[Miss, Neither], 0.0, 0.0, 0.0),
            (1, &[Neither, Hit, Miss], 1.0, 1.0, 1.0),
            // Half of the recall at precision 1, the other half at 2 / 3.
            (
                2,
                &[Hit, Miss, Hit],
                (6.0 + 5.0 / 1.5) / 11.0,
                (51.0 + 50.0 / 1.5) / 101.0,
                2.5 / 3.0,
            ),
            // The second hit has the better precision, and stands for the first one too.
            (2, &[Miss, Hit, Hit], 2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0),
            (4, &[Hit, Miss], 3.0 / 11.0, 26.0 / 101.0, 0.25),
            // 0.1 * 3 is above 3 / 10.
            (10, &[Hit, Hit, Hit], 3.0 / 11.0, 31.0 / 101.0, 0.3),
        ] {
            let curve = Curve::new(wanted, ranking.iter().copied());
            for (found, expected) in [
                (curve.interpolated(10), eleven),
                (curve.interpolated(100), hundred),
                (curve.area(), area),
            ] {
                assert!(
                    (found - expected).abs() < 1e-12,
                    "{ranking:?}: {found}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn the_mean_of_nothing_is_not_a_number() {
        assert!(mean(std::iter::empty()).is_nan());
        assert_eq!(mean([1.0, 2.0].into_iter()), 1.5);
    }
}
