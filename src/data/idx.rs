//! The idx format of the MNIST family, gzipped: a big-endian header, then bytes.
//!
//! Four bytes of magic (two zeros, the type of the values, the number of dimensions), four a dimension, then the values in
//! row-major order (<http://yann.lecun.com/exdb/mnist/>).

use super::DataError;
use flate2::read::GzDecoder;
use std::io::Read;
use std::path::Path;

/// The magic of unsigned bytes, less the number of dimensions.
const UNSIGNED_BYTES: u32 = 0x0800;

/// The most bytes of values: twice those of EMNIST's images by class, 697,932 of 784.
const MOST: u128 = 1 << 30;

/// Bytes in `D` dimensions.
#[derive(Debug, PartialEq)]
pub struct Idx<const D: usize> {
    /// The size of each dimension, outermost first.
    pub dims: [usize; D],
    /// The values, in row-major order.
    pub values: Vec<u8>,
}

impl<const D: usize> Idx<D> {
    /// Reads the gzipped idx file `packed`; `path` names it in messages.
    ///
    /// # Errors
    /// A damaged stream, another magic, more values than are read, or a length that is not the header's: no more is unpacked than the header
    /// announces.
    pub fn decode(path: &Path, packed: &[u8]) -> Result<Self, DataError> {
        let mut stream = GzDecoder::new(packed);
        let mut unpack = |bytes: &mut Vec<u8>, most: u128| {
            let read = stream.by_ref().take(most as u64).read_to_end(bytes);
            read.map_err(|source| DataError::Read {
                path: path.to_owned(),
                source,
            })
        };
        let length = |found: usize, expected| DataError::Length {
            path: path.to_owned(),
            found,
            expected,
        };
        let header = 4 * (D as u128 + 1);
        let mut start = Vec::new();
        unpack(&mut start, header)?;
        if (start.len() as u128) < header {
            return Err(length(start.len(), header));
        }
        let mut words = start
            .chunks_exact(4)
            .map(|word| u32::from_be_bytes(word.try_into().expect("chunks have four bytes")));
        let expected = UNSIGNED_BYTES | D as u32;
        let found = words.next().expect("the header starts with the magic");
        if found != expected {
            return Err(DataError::Magic {
                path: path.to_owned(),
                found,
                expected,
            });
        }
        let dims: [usize; D] =
            std::array::from_fn(|_| words.next().expect("one word a dimension") as usize);
        let sizes = dims.iter().map(|&dim| dim as u128);
        let expected = sizes.fold(1, u128::saturating_mul);
        if expected > MOST {
            return Err(DataError::TooLong {
                path: path.to_owned(),
                found: expected,
                most: MOST,
            });
        }
        let mut values = Vec::new();
        // One more byte tells a longer stream.
        unpack(&mut values, expected + 1)?;
        if values.len() as u128 != expected {
            return Err(length(start.len() + values.len(), header + expected));
        }
        Ok(Self { dims, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn message(packed: &[u8]) -> String {
        Idx::<2>::decode(Path::new("x.gz"), packed)
            .unwrap_err()
            .to_string()
    }

    const MATRIX: [u8; 18] = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];

    #[test]
    fn a_matrix_is_read() {
        let matrix = Idx::decode(Path::new("x.gz"), &pack(&MATRIX)).unwrap();
        let expected = Idx {
            dims: [2, 3],
            values: vec![1, 2, 3, 4, 5, 6],
        };
        assert_eq!(matrix, expected);
    }

    #[test]
    fn bad_files_say_why() {
        let float: Vec<u8> = [&[0, 0, 0x0d], &MATRIX[3..]].concat();
        let huge: Vec<u8> = [&[0, 0, 8, 2][..], &[255; 8], &[1]].concat();
        for (bytes, message_) in [
            (
                &float[..],
                "`x.gz` starts with 0x00000d02, expected the idx magic 0x00000802",
            ),
            (
                &MATRIX[..17],
                "`x.gz` has 17 bytes unpacked, expected 18 by its header",
            ),
            (
                &[&MATRIX[..], &[7]].concat(),
                "`x.gz` has 19 bytes unpacked, expected 18 by its header",
            ),
            (
                &MATRIX[..7],
                "`x.gz` has 7 bytes unpacked, expected 12 by its header",
            ),
            (
                &huge,
                "`x.gz` has 18446744065119617025 values by its header, expected at most 1073741824",
            ),
        ] {
            assert_eq!(message(&pack(bytes)), message_);
        }
    }

    #[test]
    fn no_more_is_unpacked_than_the_header_announces() {
        let bomb = pack(&[&MATRIX[..], &vec![0; 1 << 24]].concat());
        let found = message(&bomb);
        assert_eq!(
            found,
            "`x.gz` has 19 bytes unpacked, expected 18 by its header"
        );
    }

    #[test]
    fn damaged_streams_say_which_file() {
        let whole = pack(&MATRIX);
        for packed in [&whole[..whole.len() - 9], &MATRIX[..], &[]] {
            let message = message(packed);
            assert!(message.starts_with("cannot read `x.gz`: "), "{message}");
        }
    }
}
