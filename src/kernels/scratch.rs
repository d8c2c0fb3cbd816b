//! Memory for kernels: results that are written once and buffers that are used again.

use rayon::prelude::*;
use std::cell::RefCell;
use std::mem::MaybeUninit;

/// Makes a vector of `len` numbers, cut into chunks of `chunk` (the last one may be shorter) that `fill(index, chunk)`
/// fills side by side. A chunk is zero before, just before, so that it is still in the cache when `fill` comes to it.
pub(super) fn filled(
    len: usize,
    chunk: usize,
    fill: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    written(len, chunk, |index, blank| {
        let numbers = blank.write(usize::MAX, |_| |_| 0.0);
        fill(index, numbers);
        numbers
    })
}

/// Makes a vector of `len` numbers, cut into chunks of `chunk` (the last one may be shorter) that `write(index, blank)`
/// writes side by side. It is for light kernels, of whose time the zeros of [`filled`] would take up to a third.
#[expect(
    unsafe_code,
    reason = "a vector that is not made of zeros gets its length after its elements"
)]
pub(super) fn written(
    len: usize,
    chunk: usize,
    write: impl for<'a> Fn(usize, Blank<'a>) -> &'a mut [f32] + Sync,
) -> Vec<f32> {
    let mut vector = Vec::with_capacity(len);
    let room: &mut [MaybeUninit<f32>] = &mut vector.spare_capacity_mut()[..len];
    room.par_chunks_mut(chunk.max(1))
        .enumerate()
        .for_each(|(index, chunk)| {
            let place = chunk.as_ptr_range();
            let numbers = write(index, Blank(chunk)).as_ptr_range();
            assert!(
                place.start.cast() == numbers.start && place.end.cast() == numbers.end,
                "what is written is the chunk"
            );
        });
    // SAFETY: the capacity is at least `len`, for `room` was cut from it. The chunks cover `room`, and of each there was a
    // `&mut [f32]` at its very place, so that it holds numbers: nothing else could have been there, as `chunk` was borrowed.
    unsafe { vector.set_len(len) };
    vector
}

/// Memory that nothing has been written to.
pub(super) struct Blank<'a>(&'a mut [MaybeUninit<f32>]);

impl<'a> Blank<'a> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes all of it, in rows of `row` numbers: `numbers(r)(i)` is number `i` of row `r`.
    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "the standard library's way is younger than the oldest compiler that is supported"
    )]
    pub(super) fn write<F: Fn(usize) -> f32>(
        self,
        row: usize,
        numbers: impl Fn(usize) -> F,
    ) -> &'a mut [f32] {
        for (index, row) in self.0.chunks_mut(row).enumerate() {
            let number = numbers(index);
            for (index, place) in row.iter_mut().enumerate() {
                place.write(number(index));
            }
        }
        // SAFETY: every element has just been written, and a `MaybeUninit<f32>` that has been written is a `f32` of the same
        // size, alignment and layout. The result takes over the only borrow of the memory, for as long.
        unsafe { &mut *(std::ptr::from_mut(self.0) as *mut [f32]) }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_is_written_in_its_place(len in 0..70_usize, chunk in 0..9_usize, row in 1..5_usize) {
            let chunk_or_one = chunk.max(1);
            let numbers = written(len, chunk, |index, blank| {
                let most = chunk_or_one.min(len - index * chunk_or_one);
                assert_eq!(blank.len(), most);
                blank.write(row, |r| move |i| (index * chunk_or_one + r * row + i) as f32)
            });
            let expected: Vec<f32> = (0..len).map(|i| i as f32).collect();
            prop_assert_eq!(numbers, expected);
        }

        #[test]
        fn a_chunk_is_zero_before_it_is_filled(len in 0..70_usize, chunk in 0..9_usize) {
            let numbers = filled(len, chunk, |_, chunk| {
                for number in chunk {
                    *number += 1.0;
                }
            });
            prop_assert_eq!(numbers, vec![1.0; len]);
        }
    }

    #[test]
    #[should_panic(expected = "what is written is the chunk")]
    fn numbers_from_elsewhere_are_not_taken_for_the_chunk() {
        written(4, 4, |_, _| Box::leak(vec![1.0; 4].into_boxed_slice()));
    }
}
