//! What reconstruction did to each unit.

use super::axis::{LogAxis, Tick};
use super::coordinate;
use crate::leaderboard::format::{number, round};
use crate::record::Unit;
use serde::Serialize;

/// The loss of each unit before and after, one above the other.
#[derive(Debug, Serialize)]
pub(in crate::leaderboard) struct Losses {
    pub(in crate::leaderboard) width: usize,
    pub(in crate::leaderboard) y: Vec<Tick>,
    pub(in crate::leaderboard) units: Vec<Fall>,
}

/// A unit's losses.
#[derive(Debug, Serialize)]
pub(in crate::leaderboard) struct Fall {
    x: usize,
    pub(in crate::leaderboard) before: String,
    pub(in crate::leaderboard) after: String,
    title: String,
}

impl Losses {
    const LEFT: usize = 52;
    const PITCH: usize = 14;
    const RANGE: [f64; 2] = [126.0, 8.0];

    /// Places the units whose losses are positive numbers; `None` if there are none.
    pub(in crate::leaderboard) fn new(units: &[Unit]) -> Option<Self> {
        let drawn = |loss: f64| loss.is_finite() && loss > 0.0;
        let losses = |unit: &Unit| [unit.loss_before, unit.loss_after];
        let all = || units.iter().flat_map(losses).filter(|loss| drawn(*loss));
        all().next()?;
        let y = LogAxis::around(all());
        let fall = |(index, unit): (usize, &Unit)| {
            let [before, after] = losses(unit);
            (drawn(before) && drawn(after)).then(|| Fall {
                x: Self::LEFT + index * Self::PITCH,
                before: coordinate(y.place(before, Self::RANGE)),
                after: coordinate(y.place(after, Self::RANGE)),
                title: format!("{}: {} → {}", unit.name, number(before), number(after)),
            })
        };
        let falls: Vec<Fall> = units.iter().enumerate().filter_map(fall).collect();
        (!falls.is_empty()).then(|| Self {
            width: Self::LEFT + units.len() * Self::PITCH,
            y: y.ticks(Self::RANGE, round),
            units: falls,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_loss_is_a_decade_lower() {
        let unit = |before, after| Unit {
            name: "layer1".to_owned(),
            layers: Vec::new(),
            loss_before: before,
            loss_after: after,
            iterations: 1,
            seconds: 0.0,
        };
        assert!(Losses::new(&[]).is_none());
        assert!(Losses::new(&[unit(f64::NAN, 1.0)]).is_none());
        let losses = Losses::new(&[unit(10.0, 1.0), unit(0.0, 0.0), unit(1.0, 0.1)]).unwrap();
        let places: Vec<[&str; 2]> = losses
            .units
            .iter()
            .map(|u| [&*u.before, &*u.after])
            .collect();
        assert_eq!(places, [["8.0", "67.0"], ["67.0", "126.0"]]);
    }
}
