//! The two files that `torch.save` writes: where the pickled object lies, and where the storages.

use super::pickle::{Input, Object, ObjectId, Pickle};
use super::strided::StorageClass;
use crate::weights::CheckpointErrorKind;
use std::collections::BTreeMap;
use std::io::Cursor;
use zip::{CompressionMethod, ZipArchive};

type Result<T> = std::result::Result<T, CheckpointErrorKind>;

/// The first of the pickles in the old format, `MAGIC_NUMBER` of `torch/serialization.py`.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// A pickled object and the bytes of the storages that it refers to, by key.
#[derive(Debug)]
pub(super) struct Container<'a> {
    pub(super) pickle: Pickle,
    pub(super) storages: BTreeMap<String, &'a [u8]>,
    /// How many bytes the file has.
    pub(super) size: usize,
}

/// A storage as a pickle refers to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct StorageRef<'p> {
    pub(super) class: &'static StorageClass,
    pub(super) key: &'p str,
}

impl<'p> StorageRef<'p> {
    /// Reads `("storage", class, key, location, count)`; the old format adds `None`, or a view, which is not supported.
    ///
    /// The error says what is wrong with it.
    pub(super) fn read(pickle: &'p Pickle, id: ObjectId) -> std::result::Result<Self, String> {
        let Some([tag, class, key, _, _, view @ ..]) = pickle.sequence(id) else {
            return Err("the reference to its storage is incomplete".to_owned());
        };
        if pickle.text(*tag) != Some("storage") {
            return Err("the reference to its storage refers to something else".to_owned());
        }
        if view
            .iter()
            .any(|&id| !matches!(pickle.get(id), Object::None))
        {
            return Err("its storage is a view of another one".to_owned());
        }
        let class = pickle.global(*class).unwrap_or("something unnamed");
        Ok(Self {
            class: StorageClass::find(class)
                .ok_or_else(|| format!("its storage is a `{class}`, which is unknown"))?,
            key: pickle.text(*key).ok_or("its storage has no key")?,
        })
    }
}

/// Reads a pickle, and returns it with what comes after it.
pub(super) fn bare(bytes: &[u8]) -> Result<(Pickle, &[u8])> {
    let mut input = Input::new(bytes);
    let pickle = Pickle::read(&mut input)?;
    Ok((pickle, input.rest()))
}

/// Tells whether the bytes begin like a zip archive.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// Opens the format of torch 1.6 and later: `<any>/data.pkl` and `<any>/data/<key>` in a zip archive.
///
/// Checksums are not compared; torch does not either, and can be told to write none.
pub(super) fn open_zip(bytes: &[u8]) -> Result<Container<'_>> {
    const EXPECTED: &str = "an archive written by `torch.save`";
    let entries = zip_entries(bytes)?;
    let (folder, object) = entries
        .iter()
        .find_map(|(name, entry)| Some((name.strip_suffix("data.pkl")?, *entry)))
        .ok_or_else(|| CheckpointErrorKind::not_torch("found no `data.pkl` in it", EXPECTED))?;
    if entries.get(&format!("{folder}byteorder")) == Some(&&b"big"[..]) {
        let found = "found numbers in big-endian order";
        return Err(CheckpointErrorKind::not_torch(found, "little-endian ones"));
    }
    let data = format!("{folder}data/");
    let storages = entries
        .iter()
        .filter_map(|(name, entry)| Some((name.strip_prefix(&data)?.to_owned(), *entry)))
        .collect();
    Ok(Container {
        pickle: Pickle::read(&mut Input::new(object))?,
        storages,
        size: bytes.len(),
    })
}

/// Returns the entries of a zip archive, which `torch.save` never compresses, as parts of its bytes.
fn zip_entries(bytes: &[u8]) -> Result<BTreeMap<String, &[u8]>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        let name = entry.name()?.into_owned();
        if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
            let found = format!("found `{name}` compressed or encrypted in the archive");
            let expected = "entries that are stored as they are, as `torch.save` writes them";
            return Err(CheckpointErrorKind::not_torch(found, expected));
        }
        let content = entry
            .data_start()
            .and_then(|start| bytes.get(usize::try_from(start).ok()?..))
            .and_then(|rest| rest.get(..usize::try_from(entry.size()).ok()?));
        let Some(content) = content else {
            let found = format!("found `{name}` with {} bytes in the archive", entry.size());
            let expected = "no more bytes than the file has";
            return Err(CheckpointErrorKind::not_torch(found, expected));
        };
        entries.insert(name, content);
    }
    Ok(entries)
}

/// Opens the format before torch 1.6: pickles of a magic number, the protocol, the system, the object and the storages' keys,
/// then the storages in the order of their keys, each a count of 8 bytes and its elements.
pub(super) fn open_legacy(bytes: &[u8]) -> Result<Container<'_>> {
    let mut input = Input::new(bytes);
    let magic = Pickle::read(&mut input)?;
    if !matches!(magic.root(), Object::Int(MAGIC)) {
        return Err(CheckpointErrorKind::not_torch(
            "found a pickle without PyTorch's magic number",
            "a file written by `torch.save`",
        ));
    }
    let _protocol = Pickle::read(&mut input)?;
    let system = Pickle::read(&mut input)?;
    if is_big_endian(&system) {
        let found = "found numbers in big-endian order";
        return Err(CheckpointErrorKind::not_torch(found, "little-endian ones"));
    }
    let pickle = Pickle::read(&mut input)?;
    let keys = Pickle::read(&mut input)?;
    let storages = legacy_storages(&pickle, &keys, &mut input)?;
    Ok(Container {
        pickle,
        storages,
        size: bytes.len(),
    })
}

fn is_big_endian(system: &Pickle) -> bool {
    let Object::Dict(entries) = system.root() else {
        return false;
    };
    entries.iter().any(|&(key, value)| {
        system.text(key) == Some("little_endian")
            && matches!(system.get(value), Object::Bool(false))
    })
}

fn legacy_storages<'a>(
    pickle: &Pickle,
    keys: &Pickle,
    input: &mut Input<'a>,
) -> Result<BTreeMap<String, &'a [u8]>> {
    let bad = |found: String| {
        CheckpointErrorKind::not_torch(found, "the storages that the pickled object refers to")
    };
    let classes: BTreeMap<&str, &StorageClass> = pickle
        .objects()
        .filter_map(|object| match object {
            Object::Persistent(id) => StorageRef::read(pickle, *id).ok(),
            _ => None,
        })
        .map(|storage| (storage.key, storage.class))
        .collect();
    let Object::List(keys_in_order) = keys.root() else {
        return Err(bad("found no list of storages".to_owned()));
    };
    let mut storages = BTreeMap::new();
    for &id in keys_in_order {
        let key = keys.text(id).unwrap_or("something unnamed");
        let class = classes
            .get(key)
            .ok_or_else(|| bad(format!("found a storage `{key}` of unknown type")))?;
        let count = input.unsigned::<8>()?;
        let size = count.saturating_mul(class.size as u64);
        storages.insert(key.to_owned(), input.take(size)?);
    }
    Ok(storages)
}
