//! How large things are, by area.

use crate::data::{Annotation, Standing};

/// The sizes that are measured apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    All,
    Small,
    Medium,
    Large,
}

impl Size {
    /// Each at its own index.
    pub(super) const EVERY: [Self; 4] = [Self::All, Self::Small, Self::Medium, Self::Large];

    /// The smallest and the largest area, in pixels. Neighbours share their border.
    const fn limits(self) -> [f64; 2] {
        const SMALL: f64 = 32.0 * 32.0;
        const LARGE: f64 = 96.0 * 96.0;
        const ALL: f64 = 1e5 * 1e5;
        match self {
            Self::All => [0.0, ALL],
            Self::Small => [0.0, SMALL],
            Self::Medium => [SMALL, LARGE],
            Self::Large => [LARGE, ALL],
        }
    }

    /// Tells whether an area is outside.
    pub(super) fn excludes(self, area: f64) -> bool {
        let [least, most] = self.limits();
        area < least || area > most
    }

    /// Tells whether a thing is to be found where this size is measured.
    pub(super) fn wants(self, truth: &Annotation) -> bool {
        truth.standing == Standing::Counts && !self.excludes(truth.area)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_belong_to_both_neighbours() {
        for (area, expected) in [
            (0.0, [true, true, false, false]),
            (1024.0, [true, true, true, false]),
            (1024.5, [true, false, true, false]),
            (9216.0, [true, false, true, true]),
            (2e10, [false; 4]),
        ] {
            let found = Size::EVERY.map(|size| !size.excludes(area));
            assert_eq!(found, expected, "{area}");
        }
        for (index, size) in Size::EVERY.into_iter().enumerate() {
            assert_eq!(size as usize, index);
        }
    }
}
