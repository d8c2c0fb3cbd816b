//! The geometry of the page's charts; the templates only draw what is placed here.

use super::format::percent;
use serde::Serialize;

/// A linear scale between round numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

/// A line of the grid, at a coordinate.
#[derive(Debug, Serialize)]
pub(super) struct Tick {
    pub(super) at: String,
    pub(super) label: String,
}

impl Axis {
    const MOST_TICKS: f64 = 6.0;
    /// Values closer than this are not drawn apart: it would make much of nothing.
    const LEAST_SPAN: f64 = 0.02;

    /// Makes an axis that holds all `values`, which are finite and at least one.
    pub(super) fn around(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = values
            .into_iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        let span = (high - low).max(Self::LEAST_SPAN);
        let rough = 10_f64.powf((span / Self::MOST_TICKS).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|factor| factor * rough)
            .into_iter()
            .find(|step| span / step <= Self::MOST_TICKS - 1.0)
            .unwrap_or(10.0 * rough);
        let low = (low / step).floor() * step;
        let high = ((high / step).ceil() * step).max(low + step);
        Self { low, high, step }
    }

    /// Returns where `value` lies between the coordinates `from` and `to` of the ends.
    pub(super) fn place(self, value: f64, [from, to]: [f64; 2]) -> f64 {
        from + (value - self.low) / (self.high - self.low) * (to - from)
    }

    /// Returns the grid between two coordinates, labelled in percent.
    pub(super) fn ticks(self, range: [f64; 2]) -> Vec<Tick> {
        let decimals = usize::from(self.step < 0.01);
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count)
            .map(|index| self.low + index as f64 * self.step)
            .map(|value| Tick::new(self.place(value, range), percent(value, decimals)))
            .collect()
    }
}

impl Tick {
    fn new(at: f64, label: String) -> Self {
        Self {
            at: coordinate(at),
            label,
        }
    }
}

fn coordinate(value: f64) -> String {
    format!("{value:.1}")
}

/// A named value with the text that explains it.
#[derive(Debug, Serialize)]
pub(super) struct Bar {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) height: String,
    pub(super) title: String,
}

/// Shares of one in a row of bars, with a line across.
#[derive(Debug, Serialize)]
pub(super) struct Bars {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) bar: usize,
    pub(super) columns: Vec<Bar>,
    /// The height at which the line lies.
    pub(super) line: String,
}

impl Bars {
    const HEIGHT: usize = 72;
    const PITCH: usize = 9;

    /// Makes a bar of each `(share, title)`, and a line at the share `line`.
    pub(super) fn new(shares: impl IntoIterator<Item = (f64, String)>, line: f64) -> Self {
        let top = |share: f64| (1.0 - share.clamp(0.0, 1.0)) * Self::HEIGHT as f64;
        let columns: Vec<Bar> = shares
            .into_iter()
            .enumerate()
            .map(|(index, (share, title))| Bar {
                x: (index * Self::PITCH).to_string(),
                y: coordinate(top(share)),
                height: coordinate(Self::HEIGHT as f64 - top(share)),
                title,
            })
            .collect();
        Self {
            width: columns.len() * Self::PITCH,
            height: Self::HEIGHT,
            bar: Self::PITCH - 2,
            line: coordinate(top(line)),
            columns,
        }
    }
}

/// The spread of a technique's cases on an axis, and their overall figure.
#[derive(Debug, Serialize)]
pub(super) struct Strip {
    pub(super) values: Vec<String>,
    pub(super) overall: String,
}

impl Strip {
    /// The coordinates of the axis, in percent of the width.
    pub(super) const RANGE: [f64; 2] = [3.0, 97.0];

    pub(super) fn new(axis: Axis, values: &[f64], overall: f64) -> Self {
        let place = |value| coordinate(axis.place(value, Self::RANGE));
        Self {
            values: values.iter().copied().map(place).collect(),
            overall: place(overall),
        }
    }
}

/// A chart of lines over sparsity.
#[derive(Debug, Serialize)]
pub(super) struct Lines {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) x: Vec<Tick>,
    pub(super) y: Vec<Tick>,
    /// In the order of drawing: the best technique last, on top.
    pub(super) series: Vec<Series>,
}

/// One line.
#[derive(Debug, Serialize)]
pub(super) struct Series {
    /// The place of the technique in its ranking, from 0.
    pub(super) index: usize,
    pub(super) class: String,
    pub(super) points: String,
    pub(super) marks: Vec<Mark>,
}

/// A case on a line.
#[derive(Debug, Serialize)]
pub(super) struct Mark {
    pub(super) path: String,
    pub(super) title: String,
    /// The number of the case in the table.
    pub(super) case: usize,
}

/// A case to be placed: sparsity, relative performance, its explanation and its number in the table.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) sparsity: f64,
    pub(super) rho: f64,
    pub(super) title: String,
    pub(super) case: usize,
}

impl Lines {
    const X: [f64; 2] = [46.0, 308.0];
    const Y: [f64; 2] = [186.0, 10.0];

    /// Draws the points of each technique, given by its place in the ranking; `sparsities` are the marks of the x axis.
    pub(super) fn new(
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
        let place = |point: &Point| [across(point.sparsity), y.place(point.rho, Self::Y)];
        let series = techniques.into_iter().rev();
        Self {
            title,
            subtitle,
            x: sparsities
                .iter()
                .map(|&s| Tick::new(across(s), percent(s, 0)))
                .collect(),
            y: y.ticks(Self::Y),
            series: series
                .map(|(index, points)| Series::new(index, points, place))
                .collect(),
        }
    }
}

impl Series {
    /// As many techniques have a colour of their own; the others share a grey.
    pub(super) const COLOURS: usize = 7;

    /// Returns the style of the technique at a place of its ranking.
    pub(super) fn class(index: usize) -> String {
        if index < Self::COLOURS {
            format!("s{index}")
        } else {
            "rest".to_owned()
        }
    }

    fn new(index: usize, points: Vec<Point>, place: impl Fn(&Point) -> [f64; 2]) -> Self {
        let corners: Vec<String> = points
            .iter()
            .map(|point| place(point).map(coordinate).join(","))
            .collect();
        Self {
            index,
            class: Self::class(index),
            points: corners.join(" "),
            marks: points
                .into_iter()
                .map(|point| Mark {
                    path: symbol(index, place(&point)),
                    title: point.title,
                    case: point.case,
                })
                .collect(),
        }
    }
}

/// Returns the outline of a symbol about a point: shapes tell lines apart where colours do not.
pub(super) fn symbol(index: usize, [x, y]: [f64; 2]) -> String {
    let (x, y) = (coordinate(x), coordinate(y));
    let outline = match index % 4 {
        _ if index >= Series::COLOURS => "m-2,0a2,2 0 1,0 4,0a2,2 0 1,0 -4,0z",
        0 => "m-3.6,0a3.6,3.6 0 1,0 7.2,0a3.6,3.6 0 1,0 -7.2,0z",
        1 => "m-3.2,-3.2h6.4v6.4h-6.4z",
        2 => "m0,-4.2l4,7h-8z",
        _ => "m0,-4.4l4.4,4.4l-4.4,4.4l-4.4,-4.4z",
    };
    format!("M{x},{y}{outline}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_round_numbers_and_holds_its_values() {
        for (values, labels) in [
            (vec![0.62, 0.97], "60 70 80 90 100"),
            (vec![0.941, 0.985], "94 95 96 97 98 99"),
            (vec![0.5], "50.0 50.5"),
            (vec![0.0, 1.0], "0 20 40 60 80 100"),
        ] {
            let axis = Axis::around(values.clone());
            let ticks = axis.ticks([0.0, 1.0]);
            let found: Vec<&str> = ticks.iter().map(|tick| tick.label.as_str()).collect();
            assert_eq!(found.join(" "), labels);
            for value in values {
                assert!(
                    (0.0..=1.0).contains(&axis.place(value, [0.0, 1.0])),
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn values_are_placed_in_proportion() {
        let axis = Axis::around([0.0, 1.0]);
        assert!((axis.place(0.25, [100.0, 0.0]) - 75.0).abs() < 1e-12);
        let strip = Strip::new(axis, &[0.0, 1.0], 0.5);
        assert_eq!(strip.values, ["3.0", "97.0"]);
        assert_eq!(strip.overall, "50.0");
    }

    #[test]
    fn bars_stand_on_the_ground() {
        let bars = Bars::new([(0.5, "a".to_owned()), (1.0, "b".to_owned())], 0.75);
        let heights: Vec<[&str; 2]> = bars.columns.iter().map(|b| [&*b.y, &*b.height]).collect();
        assert_eq!(heights, [["36.0", "36.0"], ["0.0", "72.0"]]);
        assert_eq!((bars.line.as_str(), bars.width), ("18.0", 18));
    }

    #[test]
    fn the_best_line_is_drawn_last() {
        let point = |sparsity, rho| Point {
            sparsity,
            rho,
            title: String::new(),
            case: 0,
        };
        let chart = Lines::new(
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
}
