//! Shares in a row of bars.

use super::axis::{Axis, Tick};
use super::coordinate;
use serde::Serialize;

/// A named value with the text that explains it.
#[derive(Debug, Serialize)]
pub(in crate::leaderboard) struct Bar {
    pub(in crate::leaderboard) x: String,
    pub(in crate::leaderboard) y: String,
    pub(in crate::leaderboard) height: String,
    pub(in crate::leaderboard) title: String,
}

/// Shares of one in a row of bars, with a line across.
#[derive(Debug, Serialize)]
pub(in crate::leaderboard) struct Bars {
    /// The width of bars and axis.
    pub(in crate::leaderboard) width: usize,
    /// The height of bars.
    pub(in crate::leaderboard) height: usize,
    /// The width of a bar.
    pub(in crate::leaderboard) bar: usize,
    pub(in crate::leaderboard) columns: Vec<Bar>,
    pub(in crate::leaderboard) y: Vec<Tick>,
    /// The height at which the line lies.
    pub(in crate::leaderboard) line: String,
}

impl Bars {
    const HEIGHT: usize = 120;
    const LEFT: usize = 34;
    const TOP: usize = 6;

    /// Makes a bar of each `(share, title)`, and a line at the share `line`.
    pub(in crate::leaderboard) fn new(
        shares: impl IntoIterator<Item = (f64, String)>,
        line: f64,
    ) -> Self {
        let shares: Vec<(f64, String)> = shares.into_iter().collect();
        let pitch = if shares.len() > 60 { 8 } else { 16 };
        let ground = (Self::TOP + Self::HEIGHT) as f64;
        let range = [ground, Self::TOP as f64];
        let axis = Axis::around([0.0, 1.0]);
        let top = |share: f64| axis.place(share.clamp(0.0, 1.0), range);
        let width = Self::LEFT + shares.len() * pitch;
        let columns = shares
            .into_iter()
            .enumerate()
            .map(|(index, (share, title))| Bar {
                x: (Self::LEFT + index * pitch + 1).to_string(),
                y: coordinate(top(share)),
                height: coordinate(ground - top(share)),
                title,
            });
        Self {
            width,
            height: Self::TOP + Self::HEIGHT,
            bar: pitch - 2,
            line: coordinate(top(line)),
            y: axis.ticks(range),
            columns: columns.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_the_ground() {
        let bars = Bars::new([(0.5, "a".to_owned()), (1.0, "b".to_owned())], 0.75);
        let heights: Vec<[&str; 2]> = bars.columns.iter().map(|b| [&*b.y, &*b.height]).collect();
        assert_eq!(heights, [["66.0", "60.0"], ["6.0", "120.0"]]);
        assert_eq!(bars.line, "36.0");
        assert_eq!(bars.y.first().map(|tick| &*tick.at), Some("126.0"));
    }
}
