//! One file to one image.

use crate::data::{DataError, Image, ImageError};
use crate::panics::caught;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::fs::{self, File};
use std::io::Cursor;
use std::path::Path;

/// The bytes that a file may have, and a decoder take.
const MEMORY: u64 = 256 << 20;

/// The most pixels of an image. A larger one is refused before any memory is taken: Pillow warns of a decompression bomb from
/// the same size on.
const PIXELS: u64 = MEMORY / 3;

/// Reads a file as red, green and blue.
pub(in crate::data) fn decode(path: &Path) -> Result<Image, DataError> {
    read(path).map_err(|fault| DataError::Image {
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
    let (width, height) = caught(read).ok()??;
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
    if image::guess_format(bytes).ok() == Some(ImageFormat::Jpeg) && !is_whole_jpeg(bytes) {
        return Err(ImageError::Truncated);
    }
    // A decoder that a damaged file drives to panic does not take all other images with it.
    caught(|| decoded(bytes)).unwrap_or_else(|told| Err(ImageError::Panic(told)))
}

fn decoded(bytes: &[u8]) -> Result<Image, ImageError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_makes_the_decoder_panic_is_one_that_cannot_be_read() {
        // Of a palette of 49 bytes, and of samples that zune-jpeg has no room for.
        let palette = include_bytes!("../../../fuzz/corpus/image/7780443fe0cf");
        let samples = include_bytes!("../../../fuzz/corpus/image/f36a17b6eb0b");
        for bytes in [&palette[..], samples] {
            read_bytes(bytes).unwrap_err();
        }
    }
}
