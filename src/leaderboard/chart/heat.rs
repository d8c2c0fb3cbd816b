//! Shares as a map: a row a technique, a column a layer.

use super::coordinate;
use crate::leaderboard::format::percent;
use serde::Serialize;

/// A map of shares of one.
#[derive(Debug, Serialize)]
pub(in crate::leaderboard) struct Heat {
    width: usize,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    page: String,
    /// All cells in words.
    words: String,
    cells: Vec<Cell>,
}

#[derive(Debug, Serialize)]
struct Cell {
    x: usize,
    opacity: String,
    title: String,
}

impl Heat {
    /// The width of a column.
    const PITCH: usize = 12;
    /// What still shows of a share of nothing.
    const FAINTEST: f64 = 0.06;

    /// Makes a map of rows of the same columns, given by name, page and the shares of the columns in their order.
    pub(in crate::leaderboard) fn new(
        columns: &[&str],
        rows: impl IntoIterator<Item = (String, String, Vec<f64>)>,
    ) -> Self {
        let row = |(name, page, shares): (String, String, Vec<f64>)| {
            let named = || columns.iter().zip(&shares);
            let ends = [|a: f64, b: f64| a < b, |a: f64, b: f64| a > b].map(|before| {
                let end =
                    named().reduce(|best, new| if before(*new.1, *best.1) { new } else { best });
                end.map_or(String::new(), |(column, share)| {
                    format!("{} % in {column}", percent(*share, 1))
                })
            });
            let cells = named().enumerate().map(|(index, (column, share))| Cell {
                x: index * Self::PITCH,
                opacity: coordinate_of(*share),
                title: format!("{column}: {} %", percent(*share, 1)),
            });
            Row {
                words: format!("{name}: from {} to {}", ends[0], ends[1]),
                cells: cells.collect(),
                name,
                page,
            }
        };
        Self {
            width: columns.len() * Self::PITCH,
            rows: rows.into_iter().map(row).collect(),
        }
    }
}

fn coordinate_of(share: f64) -> String {
    let share = share.clamp(0.0, 1.0);
    coordinate(100.0 * (Heat::FAINTEST + (1.0 - Heat::FAINTEST) * share)) + "%"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_as_dark_as_its_share() {
        let row = ("erk".to_owned(), "p".to_owned(), vec![0.0, 1.0, 0.5]);
        let heat = Heat::new(&["conv1", "conv2", "fc"], [row]);
        let cells: Vec<&str> = heat.rows[0].cells.iter().map(|c| &*c.opacity).collect();
        assert_eq!(cells, ["6.0%", "100.0%", "53.0%"]);
        assert_eq!(
            heat.rows[0].words,
            "erk: from 0.0 % in conv1 to 100.0 % in conv2"
        );
        assert_eq!(heat.rows[0].cells[2].title, "fc: 50.0 %");
    }
}
