//! One file to one image.

use crate::data::{DataError, Image, ImageError};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::fs::{self, File};
use std::io::Cursor;
use std::panic::catch_unwind;
use std::path::Path;

/// The bytes that a file may have, and a decoder take.
const MEMORY: u64 = 256 << 20;

/// The most pixels of an image. A larger one is refused before any memory is taken: Pillow warns of a decompression bomb from
/// the same size on.
const PIXELS: u64 = MEMORY / 3;

/// Reads a file as red, green and blue.
pub(in crate::data) fn decode(path: &Path) -> Result<Image, DataError> {
    // A decoder that a damaged file drives to panic does not take all other images with it.
    let image = catch_unwind(|| read(path)).unwrap_or(Err(ImageError::Panic));
    image.map_err(|fault| DataError::Image {
        path: path.to_owned(),
        fault,
    })
}

/// Returns the height and the width that the header of a file tells, if it does.
pub(in crate::data) fn size(path: &Path) -> Option<[usize; 2]> {
    let read = || {
        let reader = ImageReader::open(path).ok()?.with_guessed_format().ok()?;
        reader.into_dimensions().ok()
    };
    let (width, height) = catch_unwind(read).ok()??;
    Some([height as usize, width as usize])
}

fn read(path: &Path) -> Result<Image, ImageError> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > MEMORY {
        return Err(ImageError::File { size, most: MEMORY });
    }
    drop(file);
    read_bytes(&fs::read(path)?)
}

/// Reads the bytes of a file as red, green and blue.
pub(in crate::data) fn read_bytes(bytes: &[u8]) -> Result<Image, ImageError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    if reader.format() == Some(ImageFormat::Jpeg) && !is_whole_jpeg(bytes) {
        return Err(ImageError::Truncated);
    }
    if reader.format() == Some(ImageFormat::Png) && !has_whole_colours(bytes) {
        return Err(ImageError::Palette);
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS {
        return Err(ImageError::TooLarge {
            size: [width, height],
            most: PIXELS,
        });
    }
    limits.reserve(decoder.total_bytes())?;
    decoder.set_limits(limits)?;
    let pixels = DynamicImage::from_decoder(decoder)?.into_rgb8();
    let [height, width] = [pixels.height(), pixels.width()].map(|side| side as usize);
    if height * width == 0 {
        return Err(ImageError::Empty);
    }
    Ok(Image::from_interleaved([3, height, width], &pixels))
}

/// Returns whether the markers of a JPEG file (ITU T.81, appendix B) go on to the end of the image, without which Pillow refuses
/// it too.
fn is_whole_jpeg(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some(start) = rest.iter().position(|&byte| byte == 0xff) {
        rest = &rest[start + 1..];
        match rest.first() {
            Some(0xd9) => return true,
            // Fill bytes, bytes 0xff of compressed data, restarts: what follows is no segment.
            None | Some(0xff | 0x00 | 0x01 | 0xd0..=0xd7) => {}
            Some(_) => {
                let length = rest
                    .get(1..3)
                    .map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
                rest = rest.get(1 + usize::from(length)..).unwrap_or_default();
            }
        }
    }
    false
}

/// Returns whether the palette of a PNG file, if it needs one, is of whole colours, three bytes each (W3C PNG, 11.2.2). libpng
/// refuses others, and png 0.18.1 panics on them.
fn has_whole_colours(bytes: &[u8]) -> bool {
    let is_indexed = bytes.get(25) == Some(&3);
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let [a, b, c, d, kind @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if is_indexed && kind.starts_with(b"PLTE") && !length.is_multiple_of(3) {
            return false;
        }
        // Its kind and its checksum have four bytes each.
        rest = kind.get(length + 8..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, Crc, write::ZlibEncoder};
    use std::io::Write;

    fn chunk(kind: [u8; 4], bytes: &[u8]) -> Vec<u8> {
        let body = [&kind, bytes].concat();
        let mut crc = Crc::new();
        crc.update(&body);
        let length = bytes.len() as u32;
        [&length.to_be_bytes(), &body[..], &crc.sum().to_be_bytes()].concat()
    }

    /// A PNG of one pixel, the first colour of a palette of some bytes.
    fn palette(bytes: usize) -> Vec<u8> {
        let colours: Vec<u8> = (1..=bytes as u8).collect();
        let mut row = ZlibEncoder::new(Vec::new(), Compression::fast());
        row.write_all(&[0, 0]).unwrap();
        [
            &b"\x89PNG\r\n\x1a\n"[..],
            &chunk(*b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 0]),
            &chunk(*b"PLTE", &colours),
            &chunk(*b"IDAT", &row.finish().unwrap()),
            &chunk(*b"IEND", &[]),
        ]
        .concat()
    }

    #[test]
    fn a_palette_is_of_whole_colours() {
        for bytes in 3..20 {
            match read_bytes(&palette(bytes)) {
                Ok(image) => {
                    assert_eq!(bytes % 3, 0, "{bytes} bytes");
                    assert_eq!(image.pixels(), [1, 2, 3]);
                }
                Err(error) => {
                    assert_ne!(bytes % 3, 0, "{bytes} bytes: {error}");
                    assert!(matches!(error, ImageError::Palette), "{error}");
                }
            }
        }
    }
}
