//! The geometry of the charts; the templates only draw what is placed here.

mod axis;
mod bars;
mod heat;
mod losses;
mod plot;
mod strip;

pub(super) use axis::{Axis, Tick};
pub(super) use bars::Bars;
pub(super) use heat::Heat;
pub(super) use losses::Losses;
pub(super) use plot::{Plot, Point, Series, time_title};
pub(super) use strip::Strip;

fn coordinate(value: f64) -> String {
    format!("{value:.1}")
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
