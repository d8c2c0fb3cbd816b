//! One file to one image.

use crate::data::{DataError, Image, ImageError};
use image::{ImageFormat, ImageReader, Limits};
use std::fs;
use std::io::Cursor;
use std::panic::catch_unwind;
use std::path::Path;

/// The bytes that a decoder may take. A larger image is refused before any are taken: Pillow warns of a decompression bomb from
/// the same size on (89 million pixels).
const MEMORY: u64 = 256 << 20;

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
    let bytes = fs::read(path)?;
    let mut reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format()?;
    if reader.format() == Some(ImageFormat::Jpeg) && !is_whole_jpeg(&bytes) {
        return Err(ImageError::Truncated);
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    let pixels = reader.decode()?.into_rgb8();
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
