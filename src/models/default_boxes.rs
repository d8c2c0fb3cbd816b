//! The default boxes of SSD (Liu et al. 2016, section 2.2).

use super::Level;

/// Boxes around each cell of a pyramid's levels, in torchvision's order: two squares, then for each ratio a wide box and a tall one.
#[derive(Debug, Clone, Copy)]
pub(super) struct DefaultBoxes {
    /// The sides of the squares of each level, in parts of the image's: of the smaller, and of what the larger one is the
    /// geometric mean of.
    pub(super) scales: &'static [[f64; 2]],
    /// The ratios of sides of each level, but for one.
    pub(super) ratios: &'static [&'static [f64]],
    /// The pixels between the boxes of each level; where there are none, the image is divided by the number of cells.
    pub(super) steps: &'static [f64],
}

impl DefaultBoxes {
    /// Returns the number of boxes around a cell of each level.
    pub(super) fn counts(&self) -> Vec<usize> {
        let ratios = self.ratios.iter();
        ratios.map(|ratios| 2 + 2 * ratios.len()).collect()
    }

    /// Returns the levels of an image of some side, whose cells are in `grids`.
    pub(super) fn levels(&self, grids: &[[usize; 2]], side: usize) -> Vec<Level> {
        let levels = grids.iter().zip(self.scales).zip(self.ratios).enumerate();
        levels
            .map(|(level, ((grid, scales), ratios))| {
                let even = |cells: usize| side as f64 / cells as f64;
                let step = |axis: usize| {
                    let fixed = self.steps.get(level).copied();
                    fixed.unwrap_or_else(|| even(grid[axis]))
                };
                let strides = [step(0), step(1)];
                let boxes = sides(*scales, ratios).into_iter();
                Level {
                    grid: *grid,
                    stride: strides.map(|stride| stride as f32),
                    anchors: boxes.map(|sides| around(strides, sides, side)).collect(),
                }
            })
            .collect()
    }
}

/// Returns widths and heights in parts of the image's side, none of them beyond it.
fn sides([scale, next]: [f64; 2], ratios: &[f64]) -> Vec<[f64; 2]> {
    let squares = [scale, (scale * next).sqrt()].map(|side| [side; 2]);
    let others = ratios.iter().flat_map(|ratio| {
        let (long, short) = (scale * ratio.sqrt(), scale / ratio.sqrt());
        [[long, short], [short, long]]
    });
    let sides = squares.into_iter().chain(others);
    sides.map(|sides| sides.map(|side| side.min(1.0))).collect()
}

/// Returns the edges of a box around the middle of the first cell.
fn around([down, across]: [f64; 2], [width, height]: [f64; 2], side: usize) -> [f32; 4] {
    let (x, y) = (across / 2.0, down / 2.0);
    let (w, h) = (width * side as f64 / 2.0, height * side as f64 / 2.0);
    [x - w, y - h, x + w, y + h].map(|edge| edge as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_stand_around_the_middle_of_a_cell() {
        let boxes = DefaultBoxes {
            scales: &[[0.25, 1.0], [1.0, 1.21]],
            ratios: &[&[4.0], &[]],
            steps: &[],
        };
        assert_eq!(boxes.counts(), [4, 2]);
        let levels = boxes.levels(&[[4, 2], [1, 1]], 32);
        let expected = [
            [4.0, 0.0, 12.0, 8.0],
            [0.0, -4.0, 16.0, 12.0],
            [0.0, 2.0, 16.0, 6.0],
            [6.0, -4.0, 10.0, 12.0],
        ];
        assert_eq!(levels[0].stride, [8.0, 16.0]);
        assert_eq!(levels[0].anchors, expected);
        // No box is larger than the image.
        assert_eq!(levels[1].anchors, [[0.0, 0.0, 32.0, 32.0]; 2]);
    }

    #[test]
    fn steps_need_not_fill_the_image() {
        let boxes = DefaultBoxes {
            scales: &[[0.5, 0.5]],
            ratios: &[&[]],
            steps: &[10.0],
        };
        let level = &boxes.levels(&[[3, 3]], 32)[0];
        assert_eq!(level.stride, [10.0; 2]);
        assert_eq!(level.anchors[0], [-3.0, -3.0, 13.0, 13.0]);
    }
}
