//! Memory for kernels: results that are written once and buffers that are used again.

use rayon::prelude::*;
use std::cell::RefCell;

/// Makes a vector of `len` numbers, cut into chunks of `chunk` (the last one may be shorter) that `fill(index, chunk)`
/// fills side by side. A chunk's first contents are arbitrary: `fill` writes every element before it reads it.
#[expect(
    unsafe_code,
    reason = "zeroing memory that is about to be written costs up to a third of a light kernel"
)]
pub(super) fn filled(
    len: usize,
    chunk: usize,
    fill: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    let mut vector = Vec::with_capacity(len);
    let room = &mut vector.spare_capacity_mut()[..len];
    // SAFETY: `MaybeUninit<f32>` and `f32` have the same layout, and by the contract above no element is read before it
    // is written.
    let numbers = unsafe { std::slice::from_raw_parts_mut(room.as_mut_ptr().cast::<f32>(), len) };
    numbers
        .par_chunks_mut(chunk.max(1))
        .enumerate()
        .for_each(|(index, chunk)| fill(index, chunk));
    // SAFETY: the capacity is at least `len`, and all `len` elements have been written.
    unsafe { vector.set_len(len) };
    vector
}

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Lends `work` buffers of the given lengths, whose contents are arbitrary. They are kept by the thread for the next
/// call, so that hot loops do not allocate.
pub(super) fn with_scratch<const N: usize, T>(
    lengths: [usize; N],
    work: impl FnOnce([&mut [f32]; N]) -> T,
) -> T {
    let mut buffers = lengths.map(|len| {
        let mut buffer = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
        if buffer.len() < len {
            buffer.resize(len, 0.0);
        }
        buffer
    });
    let mut wanted = lengths.iter();
    let result = work(buffers.each_mut().map(|buffer| {
        let len = wanted.next().expect("one length a buffer");
        &mut buffer[..*len]
    }));
    FREE.with_borrow_mut(|free| free.extend(buffers.into_iter().rev()));
    result
}
