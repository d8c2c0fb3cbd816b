//! One array of `NumPy`'s (format versions 1 to 3, `numpy/lib/format.py`), of floating-point numbers in C order.

use half::f16;
use std::io::Read;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The longest text of a header; `NumPy` itself refuses longer ones.
const LONGEST: u32 = 10_000;

/// The most values that are read.
const MOST: usize = 1 << 24;

/// What comes before the values.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) shape: Vec<usize>,
    /// The bytes of a number.
    size: usize,
    /// The bytes of the header, magic included.
    length: u64,
}

/// An array as f64, in row-major order.
#[derive(Debug)]
pub(crate) struct Array {
    pub(super) values: Vec<f64>,
}

impl Header {
    /// Reads a header; the error says what is wrong with it.
    pub(super) fn read(bytes: &mut impl Read) -> Result<Self, String> {
        let start: [u8; 8] = exactly(bytes)?;
        if start[..6] != MAGIC[..] {
            return Err("it does not start as NumPy's arrays do".to_owned());
        }
        let (length, before) = match start[6] {
            1 => (u32::from(u16::from_le_bytes(exactly(bytes)?)), 10),
            2 | 3 => (u32::from_le_bytes(exactly(bytes)?), 12),
            other => return Err(format!("it is of version {other}, expected 1 to 3")),
        };
        if length > LONGEST {
            return Err(format!(
                "its header has {length} bytes, expected at most {LONGEST}"
            ));
        }
        let mut text = vec![0; length as usize];
        bytes.read_exact(&mut text).map_err(|e| e.to_string())?;
        Self::parse(&String::from_utf8_lossy(&text), before + u64::from(length))
    }

    /// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }`.
    fn parse(text: &str, length: u64) -> Result<Self, String> {
        let field = |name: &str| {
            let value = text.split_once(&format!("'{name}':"));
            let (_, value) = value.ok_or_else(|| format!("its header has no `{name}`"))?;
            Ok::<_, String>(value.trim_start())
        };
        let word = field("descr")?.strip_prefix('\'').unwrap_or_default();
        let word = word.split('\'').next().unwrap_or_default();
        let size = match word {
            "<f2" => 2,
            "<f4" => 4,
            "<f8" => 8,
            other => {
                return Err(format!(
                    "its numbers are of type `{other}`, expected <f2, <f4 or <f8"
                ));
            }
        };
        if !field("fortran_order")?.starts_with("False") {
            return Err("it is not in C order".to_owned());
        }
        let shape = field("shape")?.strip_prefix('(');
        let shape = shape.and_then(|rest| rest.split_once(')'));
        let (shape, _) = shape.ok_or("its shape is no tuple")?;
        let sides = shape.split(',').map(str::trim);
        let sides = sides.filter(|side| !side.is_empty()).map(str::parse);
        let shape: Vec<usize> = sides
            .collect::<Result<_, _>>()
            .map_err(|_| format!("its shape ({shape}) is not one of sizes"))?;
        Ok(Self {
            shape,
            size,
            length,
        })
    }

    /// Returns the number of values, unless there are more than are read.
    fn count(&self) -> Result<usize, String> {
        let sides = self.shape.iter().copied();
        let count = sides.clone().try_fold(1, usize::checked_mul);
        let count = count.filter(|&count| count <= MOST);
        count.ok_or_else(|| {
            let shape = &self.shape;
            format!("its header tells of a shape {shape:?}, expected at most {MOST} values")
        })
    }

    /// Checks that header and values take as many bytes as there are.
    pub(super) fn holds(&self, bytes: u64) -> Result<(), String> {
        let expected = self.length + (self.count()? * self.size) as u64;
        if bytes == expected {
            return Ok(());
        }
        Err(format!(
            "it has {bytes} bytes, expected {expected} by its header"
        ))
    }
}

impl Array {
    /// Reads an array to its end; the error says what is wrong with it.
    pub(crate) fn read(bytes: &mut impl Read) -> Result<Self, String> {
        let header = Header::read(bytes)?;
        let length = header.count()? * header.size;
        let mut values = Vec::new();
        // One more byte tells a longer array, and has checksums compared of one that ends here.
        let mut rest = bytes.take(length as u64 + 1);
        rest.read_to_end(&mut values).map_err(|e| e.to_string())?;
        if values.len() != length {
            return Err("it is shorter or longer than its header tells".to_owned());
        }
        let number = |bytes: &[u8]| match *bytes {
            [a, b] => f16::from_le_bytes([a, b]).to_f64(),
            [a, b, c, d] => f32::from_le_bytes([a, b, c, d]).into(),
            _ => f64::from_le_bytes(bytes.try_into().expect("numbers have 2, 4 or 8 bytes")),
        };
        Ok(Self {
            values: values.chunks_exact(header.size).map(number).collect(),
        })
    }
}

fn exactly<const N: usize>(bytes: &mut impl Read) -> Result<[u8; N], String> {
    let mut start = [0; N];
    bytes.read_exact(&mut start).map_err(|e| e.to_string())?;
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(version: u8, header: &str, values: &[u8]) -> Vec<u8> {
        let length = header.len() as u32;
        let length = match version {
            1 => (length as u16).to_le_bytes().to_vec(),
            _ => length.to_le_bytes().to_vec(),
        };
        [
            &MAGIC[..],
            &[version, 0],
            &length,
            header.as_bytes(),
            values,
        ]
        .concat()
    }

    fn read(bytes: &[u8]) -> Result<Vec<f64>, String> {
        Array::read(&mut &bytes[..]).map(|array| array.values)
    }

    #[test]
    fn numbers_of_every_width_are_read() {
        for (version, word, values) in [
            (1, "<f2", &[0, 0x3c, 0, 0xc0][..]),
            (2, "<f4", &[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]),
            (
                3,
                "<f8",
                &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0],
            ),
        ] {
            let header =
                format!("{{'descr': '{word}', 'fortran_order': False, 'shape': (2,), }}\n");
            assert_eq!(read(&array(version, &header, values)), Ok(vec![1.0, -2.0]));
        }
    }

    #[test]
    fn bad_arrays_say_why() {
        let header = |descr: &str, order: &str, shape: &str| {
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n")
        };
        let most = "expected at most 16777216 values";
        for (header, why) in [
            (header("<f8", "False", "(1000000, 1000000)"), most),
            (header("<f8", "False", "(18446744073709551615, 2)"), most),
            (header("<f8", "True", "(1,)"), "it is not in C order"),
            (
                header("<i8", "False", "(1,)"),
                "its numbers are of type `<i8`",
            ),
            (
                header(">f8", "False", "(1,)"),
                "its numbers are of type `>f8`",
            ),
            (header("<f8", "False", "1"), "its shape is no tuple"),
            (
                header("<f8", "False", "(-1,)"),
                "its shape (-1,) is not one of sizes",
            ),
            (header("<f8", "False", "(2,)"), "it is shorter or longer"),
            ("{}".to_owned(), "its header has no `descr`"),
        ] {
            let message = read(&array(1, &header, &[0; 8])).unwrap_err();
            assert!(message.contains(why), "{message}");
        }
        let long = [&MAGIC[..], &[2, 0], &[0xff; 4]].concat();
        let message = read(&long).unwrap_err();
        assert_eq!(
            message,
            "its header has 4294967295 bytes, expected at most 10000"
        );
        assert!(read(b"NUMPY").is_err());
        assert!(read(&array(4, "{}", &[])).is_err());
    }
}
