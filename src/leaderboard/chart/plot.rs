//! Lines and marks over two axes.

use super::axis::{Axis, LogAxis, Tick};
use super::{coordinate, symbol};
use crate::leaderboard::format::{duration, percent, rate, round};
use serde::Serialize;

/// A chart over two axes.
#[derive(Debug, Serialize)]
pub(in crate::leaderboard) struct Plot {
    pub(in crate::leaderboard) title: String,
    pub(in crate::leaderboard) subtitle: String,
    pub(in crate::leaderboard) x_name: &'static str,
    pub(in crate::leaderboard) y_name: &'static str,
    pub(in crate::leaderboard) x: Vec<Tick>,
    pub(in crate::leaderboard) y: Vec<Tick>,
    /// In the order of drawing: the best last, on top.
    pub(in crate::leaderboard) series: Vec<Series>,
}

/// One line.
#[derive(Debug, Serialize)]
pub(in crate::leaderboard) struct Series {
    /// The place in the order of colours, from 0.
    pub(in crate::leaderboard) index: usize,
    pub(in crate::leaderboard) class: String,
    pub(in crate::leaderboard) points: String,
    pub(in crate::leaderboard) marks: Vec<Mark>,
}

/// A case on a line.
#[derive(Debug, Serialize)]
pub(in crate::leaderboard) struct Mark {
    pub(in crate::leaderboard) path: String,
    pub(in crate::leaderboard) title: String,
    /// The page of the case.
    pub(in crate::leaderboard) page: String,
}

/// A case to be placed: along and up, its explanation and its page.
#[derive(Debug, Clone)]
pub(in crate::leaderboard) struct Point {
    pub(in crate::leaderboard) x: f64,
    pub(in crate::leaderboard) y: f64,
    pub(in crate::leaderboard) title: String,
    pub(in crate::leaderboard) page: String,
}

impl Plot {
    const X: [f64; 2] = [46.0, 308.0];
    const Y: [f64; 2] = [186.0, 10.0];

    /// Draws relative performance over sparsity: a line for each technique, given by its place in the order of colours; `sparsities` are
    /// the marks of the axis below.
    pub(in crate::leaderboard) fn over_sparsity(
        [title, subtitle]: [String; 2],
        techniques: Vec<(usize, Vec<Point>)>,
        sparsities: &[f64],
        y: Axis,
    ) -> Self {
        let [first, last] =
            [sparsities.first(), sparsities.last()].map(|s| s.copied().unwrap_or(0.0));
        // One sparsity alone stands in the middle.
        let (low, span) = if last > first {
            (first, last - first)
        } else {
            (first - 0.5, 1.0)
        };
        let across =
            |sparsity: f64| Self::X[0] + (sparsity - low) / span * (Self::X[1] - Self::X[0]);
        let place = |point: &Point| [across(point.x), y.place(point.y, Self::Y)];
        let series = techniques.into_iter().rev();
        Self {
            title,
            subtitle,
            x_name: "sparsity, %",
            y_name: "ρ, %",
            x: sparsities
                .iter()
                .map(|&s| Tick::new(across(s), rate(s)))
                .collect(),
            y: y.ticks(Self::Y),
            series: series
                .map(|(index, points)| Series::new(index, points, place))
                .collect(),
        }
    }

    /// Draws relative performance over seconds, of which there are some, and the front of what nothing beats in both, as the first series.
    pub(in crate::leaderboard) fn over_time(
        [title, subtitle]: [String; 2],
        techniques: &[(usize, Vec<Point>)],
    ) -> Self {
        let points = || techniques.iter().flat_map(|(_, points)| points);
        let x = LogAxis::around(points().map(|point| point.x));
        let y = Axis::around(points().map(|point| point.y));
        let place = |point: &Point| [x.place(point.x, Self::X), y.place(point.y, Self::Y)];
        let front: Vec<[f64; 2]> = front(points()).into_iter().map(place).collect();
        let front = Series {
            index: Series::NOBODY,
            class: "front".to_owned(),
            points: polyline(front),
            marks: Vec::new(),
        };
        let marks = techniques.iter().rev().map(|(index, points)| Series {
            points: String::new(),
            ..Series::new(*index, points.clone(), place)
        });
        let marks: Vec<Series> = marks.collect();
        Self {
            title,
            subtitle,
            x_name: "time, seconds",
            y_name: "ρ, %",
            x: x.ticks(Self::X, round),
            y: y.ticks(Self::Y),
            series: std::iter::once(front).chain(marks).collect(),
        }
    }

    /// Draws a number at each step, all finite and at least one.
    pub(in crate::leaderboard) fn over_steps(
        [title, subtitle]: [String; 2],
        y_name: &'static str,
        steps: &[(usize, f64)],
    ) -> Self {
        let y = Axis::spanning(steps.iter().map(|(_, value)| *value), f64::MIN_POSITIVE);
        let x = Axis::spanning(steps.iter().map(|(step, _)| *step as f64), 1.0);
        let place = |&(step, value): &(usize, f64)| {
            [x.place(step as f64, Self::X), y.place(value, Self::Y)]
        };
        Self {
            title,
            subtitle,
            x_name: "step",
            y_name,
            x: x.labelled(Self::X, |step| format!("{step:.0}")),
            y: y.labelled(Self::Y, round),
            series: vec![Series {
                index: 0,
                class: Series::class(0),
                points: polyline(steps.iter().map(place)),
                marks: Vec::new(),
            }],
        }
    }
}

/// Returns the points that no other beats in time and in quality, the fastest first.
fn front<'a>(points: impl Iterator<Item = &'a Point>) -> Vec<&'a Point> {
    let mut points: Vec<&Point> = points.collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x).then(b.y.total_cmp(&a.y)));
    let mut best = f64::NEG_INFINITY;
    points.retain(|point| {
        let better = point.y > best;
        best = best.max(point.y);
        better
    });
    points
}

fn polyline(points: impl IntoIterator<Item = [f64; 2]>) -> String {
    let corners = points.into_iter();
    let corners: Vec<String> = corners
        .map(|point| point.map(coordinate).join(","))
        .collect();
    corners.join(" ")
}

impl Series {
    /// As many have a colour of their own; the others share a grey.
    pub(in crate::leaderboard) const COLOURS: usize = 7;
    /// The place of what belongs to nobody.
    const NOBODY: usize = usize::MAX;

    /// Returns the style of a place in the order of colours.
    pub(in crate::leaderboard) fn class(index: usize) -> String {
        if index < Self::COLOURS {
            format!("s{index}")
        } else {
            "rest".to_owned()
        }
    }

    fn new(index: usize, points: Vec<Point>, place: impl Fn(&Point) -> [f64; 2]) -> Self {
        Self {
            index,
            class: Self::class(index),
            points: polyline(points.iter().map(&place)),
            marks: points
                .into_iter()
                .map(|point| Mark {
                    path: symbol(index, place(&point)),
                    title: point.title,
                    page: point.page,
                })
                .collect(),
        }
    }
}

/// Says what a mark over time is of.
pub(in crate::leaderboard) fn time_title(technique: &str, rho: f64, seconds: f64) -> String {
    format!(
        "{technique}: {} % in {}",
        percent(rho, 2),
        duration(seconds)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f64, y: f64) -> Point {
        Point {
            x,
            y,
            title: String::new(),
            page: String::new(),
        }
    }

    #[test]
    fn the_best_line_is_drawn_last() {
        let chart = Plot::over_sparsity(
            ["resnet20".to_owned(), String::new()],
            vec![
                (0, vec![point(0.5, 1.0), point(0.9, 0.0)]),
                (9, vec![point(0.7, 0.5)]),
            ],
            &[0.5, 0.7, 0.9],
            Axis::around([0.0, 1.0]),
        );
        let order: Vec<&str> = chart
            .series
            .iter()
            .map(|line| line.class.as_str())
            .collect();
        assert_eq!(order, ["rest", "s0"]);
        assert_eq!(chart.series[1].points, "46.0,10.0 308.0,186.0");
        assert_eq!(chart.series[0].points, "177.0,98.0");
    }

    #[test]
    fn the_front_is_what_nothing_beats_in_both() {
        let points =
            [(1.0, 0.5), (2.0, 0.4), (2.0, 0.7), (3.0, 0.7), (9.0, 0.9)].map(|(x, y)| point(x, y));
        let found: Vec<(f64, f64)> = front(points.iter()).iter().map(|p| (p.x, p.y)).collect();
        assert_eq!(found, [(1.0, 0.5), (2.0, 0.7), (9.0, 0.9)]);
        let chart = Plot::over_time([String::new(), String::new()], &[(0, points.to_vec())]);
        assert_eq!(chart.series[0].class, "front");
        assert_eq!(chart.series[0].points.split(' ').count(), 3);
        assert_eq!(chart.series[1].marks.len(), 5);
    }

    #[test]
    fn steps_run_from_left_to_right() {
        let chart = Plot::over_steps(
            [String::new(), String::new()],
            "loss",
            &[(0, 10.0), (50, 5.0), (100, 0.0)],
        );
        assert_eq!(chart.series[0].points, "46.0,10.0 177.0,98.0 308.0,186.0");
    }
}
