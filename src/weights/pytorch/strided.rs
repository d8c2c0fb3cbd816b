//! Views of storages: the types of elements that `torch.save` knows, and elements picked by strides.

use candle_core::DType;
use std::borrow::Cow;

/// A class of storages, which stands for the type of its elements.
#[derive(Debug)]
pub(super) struct StorageClass {
    /// The class in `torch`, for example `FloatStorage`.
    pub(super) name: &'static str,
    /// Bytes of an element.
    pub(super) size: usize,
    /// The type of the elements, where a tensor can hold it.
    pub(super) dtype: Option<DType>,
}

const fn class(name: &'static str, size: usize, dtype: Option<DType>) -> StorageClass {
    StorageClass { name, size, dtype }
}

/// Every class; the size of those that no tensor can hold is needed to skip them in the old format.
static CLASSES: [StorageClass; 15] = [
    class("FloatStorage", 4, Some(DType::F32)),
    class("HalfStorage", 2, Some(DType::F16)),
    class("BFloat16Storage", 2, Some(DType::BF16)),
    class("DoubleStorage", 8, Some(DType::F64)),
    class("LongStorage", 8, Some(DType::I64)),
    class("IntStorage", 4, Some(DType::I32)),
    class("ShortStorage", 2, Some(DType::I16)),
    class("ByteStorage", 1, Some(DType::U8)),
    class("BoolStorage", 1, Some(DType::U8)),
    class("CharStorage", 1, None),
    class("ComplexFloatStorage", 8, None),
    class("ComplexDoubleStorage", 16, None),
    class("QInt8Storage", 1, None),
    class("QUInt8Storage", 1, None),
    class("QInt32Storage", 4, None),
];

impl StorageClass {
    /// Returns the class that a pickle calls `global`.
    pub(super) fn find(global: &str) -> Option<&'static Self> {
        let name = global.strip_prefix("torch.")?;
        CLASSES.iter().find(|class| class.name == name)
    }
}

/// Elements of a storage, picked by strides.
#[derive(Debug)]
pub(super) struct Strided {
    /// The index of the first element.
    pub(super) offset: usize,
    /// How many elements along each axis.
    pub(super) shape: Vec<usize>,
    /// How many elements of the storage lie between neighbours along each axis.
    pub(super) strides: Vec<usize>,
}

impl Strided {
    /// Returns the number of elements, unless it overflows.
    pub(super) fn count(&self) -> Option<usize> {
        self.shape
            .iter()
            .try_fold(1usize, |n, &dim| n.checked_mul(dim))
    }

    /// Returns how many elements the storage must have, unless that overflows.
    pub(super) fn extent(&self) -> Option<usize> {
        if self.count()? == 0 {
            return Some(0);
        }
        let last = self.axes().try_fold(self.offset, |at, (dim, stride)| {
            at.checked_add(stride.checked_mul(dim - 1)?)
        })?;
        last.checked_add(1)
    }

    /// Returns the bytes of the elements in row-major order; `storage` holds at least [`Self::extent`] elements.
    pub(super) fn gather<'a>(&self, storage: &'a [u8], size: usize) -> Cow<'a, [u8]> {
        let count = self.count().expect("the extent was checked");
        if count == 0 {
            return Cow::Borrowed(&[]);
        }
        if self.is_contiguous() {
            return Cow::Borrowed(&storage[self.offset * size..][..count * size]);
        }
        let axes: Vec<(usize, usize)> = self.axes().collect();
        let mut bytes = Vec::with_capacity(count * size);
        let mut index = vec![0; axes.len()];
        let mut at = self.offset;
        for _ in 0..count {
            bytes.extend_from_slice(&storage[at * size..][..size]);
            for (index, (dim, stride)) in index.iter_mut().zip(&axes).rev() {
                *index += 1;
                at += stride;
                if *index < *dim {
                    break;
                }
                at -= stride * dim;
                *index = 0;
            }
        }
        Cow::Owned(bytes)
    }

    /// Iterates over sizes and strides; a stride that is never taken may be any number, so those axes are left out.
    fn axes(&self) -> impl Iterator<Item = (usize, usize)> {
        let strides = self.strides.iter().copied();
        self.shape
            .iter()
            .copied()
            .zip(strides)
            .filter(|&(dim, _)| dim != 1)
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        let axes: Vec<_> = self.axes().collect();
        axes.into_iter().rev().all(|(dim, stride)| {
            let fits = stride == expected;
            expected *= dim;
            fits
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_overflows_has_no_extent() {
        let table = [
            (0, vec![usize::MAX, 2], vec![0, 0]),
            (0, vec![3], vec![usize::MAX / 2 + 1]),
            (usize::MAX, vec![], vec![]),
        ];
        for (offset, shape, strides) in table {
            let view = Strided {
                offset,
                shape,
                strides,
            };
            assert_eq!(view.extent(), None, "{view:?}");
        }
    }

    #[test]
    fn a_stride_that_is_never_taken_may_be_anything() {
        let view = Strided {
            offset: 1,
            shape: vec![1, 2],
            strides: vec![usize::MAX, 1],
        };
        assert_eq!(view.extent(), Some(3));
        assert_eq!(view.gather(&[7, 8, 9], 1).as_ref(), [8, 9]);
    }

    proptest! {
        /// Against the definition: element `i` lies at `offset + sum(i * stride)`.
        #[test]
        fn elements_are_those_of_the_definition(
            axes in proptest::collection::vec((0usize..4, 0usize..5), 0..4), offset in 0usize..5,
        ) {
            let (shape, strides): (Vec<_>, Vec<_>) = axes.iter().copied().unzip();
            let view = Strided { offset, shape, strides };
            let mut places = vec![offset];
            for (dim, stride) in axes {
                places = places.iter().flat_map(|at| (0..dim).map(move |i| at + i * stride)).collect();
            }
            prop_assert_eq!(view.count(), Some(places.len()));
            prop_assert_eq!(view.extent(), Some(places.iter().max().map_or(0, |last| last + 1)));
            let storage: Vec<u8> = (0..=255).collect();
            let expected: Vec<u8> = places.iter().flat_map(|&at| [2 * at as u8, 2 * at as u8 + 1]).collect();
            let gathered = view.gather(&storage, 2);
            prop_assert_eq!(gathered.as_ref(), expected);
        }
    }
}
