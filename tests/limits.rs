//! Files that claim more than they hold, or hold more than they show: each is refused by an error that names the file and what is wrong, and
//! none of them makes the process larger. One test, so that nothing else of this process takes memory meanwhile.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use flate2::{Compression, Crc, write::GzEncoder};
use ptsbench::data::{Idx, Image};
use ptsbench::metrics::Statistics;
use ptsbench::weights::Checkpoint;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What the bombs unpack to.
const UNPACKED: u64 = 1 << 30;

/// How much the process may grow: a small part of what is claimed.
const GROWTH: u64 = 16 << 20;

/// The name of the file that is made long.
const LONG: &str = "long.jpg";

/// A file, how it is read, and what the error says of it.
struct Row {
    name: &'static str,
    bytes: Vec<u8>,
    read: fn(&Path) -> Result<(), Box<dyn Error>>,
    why: &'static str,
}

fn checkpoint(path: &Path) -> Result<(), Box<dyn Error>> {
    Ok(Checkpoint::read(path).map(drop)?)
}

fn statistics(path: &Path) -> Result<(), Box<dyn Error>> {
    Ok(Statistics::read(path).map(drop)?)
}

fn idx(path: &Path) -> Result<(), Box<dyn Error>> {
    Ok(Idx::<3>::decode(path, &fs::read(path)?).map(drop)?)
}

fn image(path: &Path) -> Result<(), Box<dyn Error>> {
    Ok(Image::read(path).map(drop)?)
}

/// A header of 10^12 elements.
fn safetensors() -> Vec<u8> {
    let header =
        r#"{"w":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}"#;
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

/// The state dict `{"w": tensor}` of 10^12 elements, in the format before torch 1.6.
fn pickle() -> Vec<u8> {
    let object: &[&[u8]] = &[
        b"\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01tQK\x00",
        b"J\x40\x42\x0f\x00J\x40\x42\x0f\x00\x86K\x01K\x01\x86\x89}tRs.",
    ];
    [
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.",
        &object.concat()[..],
        b"\x80\x02]U\x010a.\x01\0\0\0\0\0\0\0\0\0\0\0",
    ]
    .concat()
}

fn npy(shape: &str, bytes: usize) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    let mut array = [b"\x93NUMPY\x01\0", &length[..], header.as_bytes()].concat();
    array.resize(array.len() + bytes, 0);
    array
}

/// Writes zeros, which are not kept in memory.
fn write_zeros(file: &mut impl Write) {
    io::copy(&mut io::repeat(0).take(UNPACKED), file).unwrap();
}

/// An archive in which the last file goes on with zeros if it is a bomb.
fn archive(entries: &[(&str, &[u8])], bomb: bool) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1));
    for (name, bytes) in entries {
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    if bomb {
        write_zeros(&mut archive);
    }
    archive.finish().unwrap().into_inner()
}

fn gzip(bytes: &[u8], bomb: bool) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    if bomb {
        write_zeros(&mut encoder);
    }
    encoder.finish().unwrap()
}

fn png() -> Vec<u8> {
    let side = 60_000_u32.to_be_bytes();
    let header = [b"IHDR", &side[..], &side, &[8, 2, 0, 0, 0]].concat();
    let chunk = |bytes: &[u8]| {
        let mut crc = Crc::new();
        crc.update(bytes);
        let length = (bytes.len() as u32 - 4).to_be_bytes();
        [&length, bytes, &crc.sum().to_be_bytes()].concat()
    };
    [
        &b"\x89PNG\r\n\x1a\n"[..],
        &chunk(&header),
        &chunk(b"IDAT\x78\x9c\x03\0\0\0\0\x01"),
    ]
    .concat()
}

fn jpeg() -> Vec<u8> {
    let [high, low] = 60_000_u16.to_be_bytes();
    [
        &[0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, high, low, high, low, 3][..],
        &[1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0],
        &[0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0],
        &[0xff, 0xd9],
    ]
    .concat()
}

fn bmp() -> Vec<u8> {
    let word = |number: u32| number.to_le_bytes();
    [
        &b"BM"[..],
        &[word(0), word(0), word(54), word(40)].concat(),
        &[word(60_000), word(60_000), word(1 | 24 << 16)].concat(),
        &[0; 24],
    ]
    .concat()
}

/// An extended file, whose sides are one less in three bytes each.
fn webp() -> Vec<u8> {
    let side = &59_999_u32.to_le_bytes()[..3];
    let image = b"\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0";
    let frame = [
        &[0; 6][..],
        side,
        side,
        &[0, 0, 0, 0],
        b"VP8L",
        &(image.len() as u32).to_le_bytes(),
        image,
    ]
    .concat();
    let chunks = [
        &b"VP8X\x0a\0\0\0\x02\0\0\0"[..],
        side,
        side,
        b"ANIM\x06\0\0\0\0\0\0\0\0\0ANMF",
        &(frame.len() as u32).to_le_bytes(),
        &frame,
    ]
    .concat();
    [
        &b"RIFF"[..],
        &(chunks.len() as u32 + 4).to_le_bytes(),
        b"WEBP",
        &chunks,
    ]
    .concat()
}

fn rows() -> Vec<Row> {
    let row = |name, bytes, read, why| Row {
        name,
        bytes,
        read,
        why,
    };
    let small = npy("(2,)", 16);
    let large = "it is 60000x60000 pixels, expected at most 89478485 in all";
    vec![
        row(
            "w.safetensors",
            safetensors(),
            checkpoint,
            "not valid safetensors",
        ),
        row(
            "w.th",
            pickle(),
            checkpoint,
            "tensor `w` is damaged: its shape reaches beyond its storage",
        ),
        row(
            "bomb.pth",
            archive(&[("a/data.pkl", b"")], true),
            checkpoint,
            "found `a/data.pkl` compressed",
        ),
        row(
            "claim.npz",
            archive(
                &[
                    ("mu.npy", &npy("(1000000,)", 8)),
                    ("sigma.npy", &npy("(1000000, 1000000)", 8)),
                ],
                false,
            ),
            statistics,
            "has an array `mu` that cannot be read: it has 82 bytes, expected 8000074 by its header",
        ),
        row(
            "claim-sigma.npz",
            archive(
                &[
                    ("mu.npy", &small),
                    ("sigma.npy", &npy("(1000000, 1000000)", 8)),
                ],
                false,
            ),
            statistics,
            "its header tells of a shape [1000000, 1000000], expected at most 16777216 values",
        ),
        row(
            "bomb.npz",
            archive(
                &[("mu.npy", &small), ("sigma.npy", &npy("(2, 2)", 32))],
                true,
            ),
            statistics,
            "has an array `sigma` that cannot be read: it has 1073741926 bytes, expected 102 by its header",
        ),
        row(
            "claim.gz",
            gzip(
                &[
                    0, 0, 8, 3, 0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10,
                ],
                false,
            ),
            idx,
            "has 1000000000000 values by its header, expected at most 1073741824",
        ),
        row(
            "bomb.gz",
            gzip(&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1], true),
            idx,
            "has 18 bytes unpacked, expected 17 by its header",
        ),
        row(
            LONG,
            Vec::new(),
            image,
            "it is a file of 536870912 bytes, expected at most 268435456",
        ),
        row("a.png", png(), image, large),
        row("a.jpg", jpeg(), image, large),
        row("a.bmp", bmp(), image, large),
        row("a.webp", webp(), image, large),
        row("a.ppm", b"P6 60000 60000 255\n".to_vec(), image, large),
        row("a.pbm", b"P4 60000 60000\n".to_vec(), image, large),
    ]
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").unwrap();
        cause = error.source();
    }
    text
}

/// The most memory that the process has held, in bytes, where the system tells; it forgets what came before.
fn peak() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

#[test]
fn what_claims_too_much_is_refused_before_memory_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows();
    for row in &rows {
        fs::write(folder.path().join(row.name), &row.bytes).unwrap();
    }
    // A file that is long and empty takes no room on most disks.
    let long = fs::File::options()
        .write(true)
        .open(folder.path().join(LONG));
    long.unwrap().set_len(1 << 29).unwrap();
    // Making the bombs took memory: the system is asked to count anew.
    let counts = fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = peak();
    for row in &rows {
        let path = folder.path().join(row.name);
        let message = chain(&*(row.read)(&path).unwrap_err());
        assert!(message.contains(row.name), "{message}");
        assert!(message.contains(row.why), "{message}");
    }
    if let (true, Some(before), Some(after)) = (counts, before, peak()) {
        let growth = after.saturating_sub(before);
        println!("{growth} bytes");
        assert!(growth < GROWTH, "{growth} bytes");
    }
}
