//! Sums whose order is the same on all machines.

/// Partial sums are kept this far apart whatever the machine's vectors, so that all machines add in the same order.
pub(super) const LANES: usize = 16;

/// Combines `f` of the elements of some vectors of one length, beginning with `start`, lane by lane.
#[inline(always)]
pub(super) fn fold<const N: usize>(
    operands: [&[f32]; N],
    start: f32,
    f: impl Fn([f32; N]) -> f32,
    combine: impl Fn(f32, f32) -> f32,
) -> f32 {
    let mut lanes = [start; LANES];
    let chunks = operands.map(<[f32]>::as_chunks::<LANES>);
    for index in 0..chunks[0].0.len() {
        let chunks = chunks.map(|(chunks, _)| &chunks[index]);
        for (lane, folded) in lanes.iter_mut().enumerate() {
            *folded = combine(*folded, f(chunks.map(|chunk| chunk[lane])));
        }
    }
    for (lane, folded) in lanes.iter_mut().enumerate().take(chunks[0].1.len()) {
        *folded = combine(*folded, f(chunks.map(|(_, rest)| rest[lane])));
    }
    halved(lanes, combine)
}

/// Sums `f` of the elements of some vectors of one length.
#[inline(always)]
pub(super) fn sum<const N: usize>(operands: [&[f32]; N], f: impl Fn([f32; N]) -> f32) -> f32 {
    fold(operands, 0.0, f, |a, b| a + b)
}

/// Combines lanes, the upper half with the lower one until one is left.
#[inline(always)]
pub(super) fn halved(mut lanes: [f32; LANES], combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] = combine(lanes[lane], lanes[lane + width]);
        }
    }
    lanes[0]
}
