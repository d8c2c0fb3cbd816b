//! A checkpoint in memory, and telling its format from its content.

use super::{CheckpointError, CheckpointErrorKind, pytorch, safetensors, sharded};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The metadata that says how images are expected.
const PREPROCESS: &str = "preprocess";

/// The metadata that says what the network is made of.
const CONFIG: &str = "config";

/// The tensors of a checkpoint by name, on the CPU and of the type that was stored.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    name: String,
    tensors: BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
    digest: String,
}

/// What a file of any format holds.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) tensors: BTreeMap<String, Tensor>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Reads a checkpoint file; its content decides on the format, not its extension. An index (`*.index.json`) stands for the files
    /// beside it that it names.
    ///
    /// # Errors
    /// [`CheckpointError`] for a file that is unreadable, damaged, or no checkpoint.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let name = path.display().to_string();
        if sharded::recognises(path) {
            let read = sharded::read(path).map_err(|kind| kind.in_checkpoint(&name))?;
            return Ok(Self::new(&name, read.0, read.1));
        }
        let bytes =
            fs::read(path).map_err(|error| CheckpointErrorKind::Io(error).in_checkpoint(&name))?;
        Self::from_bytes(&name, &bytes)
    }

    /// Reads a checkpoint from the bytes of a file; `name` stands for it in messages.
    ///
    /// # Errors
    /// [`CheckpointError`] for bytes that are damaged, or no checkpoint.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let content = decode(bytes).map_err(|kind| kind.in_checkpoint(name))?;
        let digest = blake3::hash(bytes).to_hex().to_string();
        Ok(Self::new(name, content, digest))
    }

    fn new(name: &str, content: Content, digest: String) -> Self {
        Self {
            name: name.to_owned(),
            tensors: without_prefix(content.tensors),
            metadata: content.metadata,
            digest,
        }
    }

    /// Says how images are expected, where the file itself does not: the metadata `preprocess`, which is a part of the digest then.
    #[must_use]
    pub(super) fn described_by(mut self, preprocess: String) -> Self {
        if !self.metadata.contains_key(PREPROCESS) {
            let both = format!("{}{preprocess}", self.digest);
            self.digest = blake3::hash(both.as_bytes()).to_hex().to_string();
            self.metadata.insert(PREPROCESS.to_owned(), preprocess);
        }
        self
    }

    /// Says what its network is made of, where the file itself does not: the metadata `config`.
    #[must_use]
    pub(super) fn configured_by(mut self, config: String) -> Self {
        self.metadata.entry(CONFIG.to_owned()).or_insert(config);
        self
    }

    /// Returns what its publisher says that its network is made of, in diffusers' form.
    pub fn config(&self) -> Option<&str> {
        self.metadata.get(CONFIG).map(String::as_str)
    }

    /// Returns the path it was read from, or the name of an embedded checkpoint.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// Returns the text beside the tensors of a safetensors file; nothing for a pickle.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Returns the BLAKE3 hash of the bytes of the file, or of all that was read, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

fn decode(bytes: &[u8]) -> Result<Content, CheckpointErrorKind> {
    // Safetensors first: the length of its header can look like the beginning of a pickle.
    if safetensors::recognises(bytes) {
        safetensors::decode(bytes)
    } else if pytorch::recognises(bytes) {
        let tensors = pytorch::decode(bytes)?;
        Ok(Content {
            tensors,
            ..Content::default()
        })
    } else {
        let found = describe(bytes);
        Err(CheckpointErrorKind::UnknownFormat { found })
    }
}

/// Says what a file of no known format looks like: text where it is text, such as an error page saved by a download.
fn describe(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(24)];
    if bytes.is_empty() {
        "an empty file".to_owned()
    } else if start.iter().all(|&b| b == b' ' || b.is_ascii_graphic()) {
        format!("text beginning `{}`", String::from_utf8_lossy(start).trim())
    } else {
        let hex: Vec<String> = start.iter().take(8).map(|b| format!("{b:02x}")).collect();
        format!("a file beginning with the bytes {}", hex.join(" "))
    }
}

/// Strips `module.`, which `DataParallel` puts before the names, when all names have it.
fn without_prefix(tensors: BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    const PREFIX: &str = "module.";
    if !tensors.keys().all(|name| name.starts_with(PREFIX)) {
        return tensors;
    }
    tensors
        .into_iter()
        .map(|(name, tensor)| (name[PREFIX.len()..].to_owned(), tensor))
        .collect()
}

/// Makes a tensor of the little-endian bytes of its elements in row-major order.
///
/// Returns `None` unless the bytes are as many as `shape` and `dtype` need.
pub(super) fn tensor_of(bytes: &[u8], dtype: DType, shape: &[usize]) -> Option<Tensor> {
    // Strides must not overflow either, where an axis without elements hides large ones.
    let bound = shape
        .iter()
        .try_fold(dtype.size_in_bytes(), |n, &dim| n.checked_mul(dim.max(1)))?;
    let size = if shape.contains(&0) { 0 } else { bound };
    if bytes.len() != size {
        return None;
    }
    Tensor::from_raw_buffer(bytes, dtype, shape, &Device::Cpu).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::write_safetensors;
    use proptest::prelude::*;
    use std::error::Error;

    const LEGACY: &[u8] = include_bytes!("../../tests/fixtures/weights/legacy.th");
    const ZIP: &[u8] = include_bytes!("../../tests/fixtures/weights/zip.pth");

    fn safetensors_file() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let tensor = Tensor::arange(0f32, 6., &Device::Cpu).unwrap();
        write_safetensors(&path, [("a", &tensor)], &BTreeMap::new()).unwrap();
        fs::read(path).unwrap()
    }

    /// The message with those of its causes.
    fn chain(error: &dyn Error) -> String {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }

    #[test]
    fn files_that_are_no_checkpoints_are_described() {
        let table: [(&[u8], &str); 5] = [
            (b"", "an empty file"),
            (
                b"<!DOCTYPE html><html lang=en>",
                "text beginning `<!DOCTYPE html><html lan`",
            ),
            (
                b"version https://git-lfs.github.com/spec/v1",
                "text beginning `version https://git-lfs.`",
            ),
            (
                &[0x1f, 0x8b, 8, 0],
                "a file beginning with the bytes 1f 8b 08 00",
            ),
            (b"PK", "text beginning `PK`"),
        ];
        for (bytes, found) in table {
            let error = Checkpoint::from_bytes("w.pth", bytes).unwrap_err();
            assert_eq!(
                chain(&error),
                format!(
                    "cannot read the checkpoint `w.pth`: found {found}, expected safetensors or a file written by `torch.save`"
                )
            );
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Checkpoint::read(Path::new("no/such.pth")).unwrap_err();
        assert!(matches!(error.kind, CheckpointErrorKind::Io(_)));
        assert_eq!(
            error.to_string(),
            "cannot read the checkpoint `no/such.pth`"
        );
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error() {
        for (name, bytes) in [
            ("legacy", LEGACY),
            ("zip", ZIP),
            ("safetensors", &safetensors_file()),
        ] {
            for end in 0..bytes.len() {
                let read = Checkpoint::from_bytes(name, &bytes[..end]);
                assert!(read.is_err(), "{name} cut at byte {end}");
            }
        }
    }

    #[test]
    fn a_prefix_is_stripped_only_when_all_names_have_it() {
        let tensor = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
        let named = |names: &[&str]| -> BTreeMap<String, Tensor> {
            names
                .iter()
                .map(|name| ((*name).to_owned(), tensor.clone()))
                .collect()
        };
        let all = without_prefix(named(&["module.a", "module.b"]));
        assert!(all.keys().eq(["a", "b"]));
        let some = without_prefix(named(&["module.a", "b"]));
        assert!(some.keys().eq(["b", "module.a"]));
    }

    #[test]
    fn the_digest_is_that_of_the_bytes() {
        let checkpoint = Checkpoint::from_bytes("zip", ZIP).unwrap();
        assert_eq!(checkpoint.digest(), blake3::hash(ZIP).to_hex().as_str());
    }

    proptest! {
        /// Damage may go unnoticed, in the numbers for instance, but must not panic.
        #[test]
        fn damaged_bytes_never_panic(edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
            for bytes in [LEGACY, ZIP, &safetensors_file()] {
                let mut bytes = bytes.to_vec();
                for (index, byte) in &edits {
                    let at = index.index(bytes.len());
                    bytes[at] = *byte;
                }
                let _ = Checkpoint::from_bytes("damaged", &bytes);
            }
        }
    }
}
