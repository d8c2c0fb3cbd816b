//! Non-maximum suppression: of boxes of one class that lie over each other, the best one stays.

/// A box with its class and score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    /// Left, upper, right and lower edge.
    pub(super) edges: [f32; 4],
    pub(super) column: usize,
    pub(super) score: f32,
}

/// Returns what stays, best first, of equals the first first: boxes that no better one of their class covers by an intersection over
/// union of more than `threshold`; the best `limit` of them.
pub(super) fn suppress(mut boxes: Vec<Scored>, threshold: f32, limit: usize) -> Vec<Scored> {
    boxes.sort_by(|a, b| b.score.total_cmp(&a.score));
    let columns = boxes.iter().map(|scored| scored.column + 1).max();
    let mut kept: Vec<Vec<[f32; 4]>> = vec![Vec::new(); columns.unwrap_or(0)];
    let stays = boxes.into_iter().filter(|scored| {
        let better = &mut kept[scored.column];
        let covers = |edges| overlap(edges, &scored.edges) > threshold;
        let stays = !better.iter().any(covers);
        if stays {
            better.push(scored.edges);
        }
        stays
    });
    stays.take(limit).collect()
}

/// Returns the intersection over union.
fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let width = a[2].min(b[2]) - a[0].max(b[0]);
    let height = a[3].min(b[3]) - a[1].max(b[1]);
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let both = width * height;
    let area = |edges: &[f32; 4]| (edges[2] - edges[0]) * (edges[3] - edges[1]);
    both / (area(a) + area(b) - both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scored(edges: [f32; 4], column: usize, score: f32) -> Scored {
        Scored {
            edges,
            column,
            score,
        }
    }

    #[test]
    fn overlaps_follow_the_closed_form() {
        let square = [0.0, 0.0, 2.0, 2.0];
        for (edges, expected) in [
            (square, 1.0),
            ([1.0, 0.0, 3.0, 2.0], 1.0 / 3.0),
            ([2.0, 0.0, 4.0, 2.0], 0.0),
            ([0.0, 0.0, 1.0, 1.0], 0.25),
            ([1.0, 1.0, 1.0, 1.0], 0.0),
        ] {
            assert!(
                (overlap(&square, &edges) - expected).abs() < 1e-6,
                "{edges:?}"
            );
        }
    }

    #[test]
    fn only_boxes_of_the_same_class_suppress_each_other() {
        let boxes = vec![
            scored([0.0, 0.0, 10.0, 10.0], 1, 0.5),
            scored([0.0, 0.0, 10.0, 9.0], 1, 0.9),
            scored([0.0, 0.0, 10.0, 9.0], 2, 0.4),
            scored([20.0, 0.0, 30.0, 9.0], 1, 0.1),
        ];
        let scores = |limit| {
            let kept = suppress(boxes.clone(), 0.5, limit);
            kept.iter().map(|s| s.score).collect::<Vec<f32>>()
        };
        assert_eq!(scores(9), [0.9, 0.4, 0.1]);
        assert_eq!(scores(2), [0.9, 0.4]);
    }

    fn boxes() -> impl Strategy<Value = Vec<Scored>> {
        let one = (0..20_u8, 0..20_u8, 1..12_u8, 1..12_u8, 0..3_usize, 0..9_u8);
        let one = one.prop_map(|(x, y, w, h, column, score)| {
            let [x, y, w, h] = [x, y, w, h].map(f32::from);
            scored([x, y, x + w, y + h], column, f32::from(score))
        });
        prop::collection::vec(one, 0..40)
    }

    proptest! {
        /// Against the definition: go through all boxes from best to worst, and strike out what each that is left covers.
        #[test]
        fn what_stays_is_what_the_definition_says(boxes in boxes(), threshold in 0.1..0.9_f32, limit in 0..40_usize) {
            let mut left = boxes.clone();
            left.sort_by(|a, b| b.score.total_cmp(&a.score));
            let mut expected = Vec::new();
            while !left.is_empty() {
                let first = left.remove(0);
                left.retain(|other| {
                    other.column != first.column || overlap(&first.edges, &other.edges) <= threshold
                });
                expected.push(first);
            }
            expected.truncate(limit);
            prop_assert_eq!(suppress(boxes, threshold, limit), expected);
        }
    }
}
