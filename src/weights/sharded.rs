//! Checkpoints in several files: an index, as Hugging Face writes it, and safetensors beside it.

use super::checkpoint::Content;
use super::{CheckpointErrorKind, safetensors};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path};

/// How the name of an index ends.
const SUFFIX: &str = ".index.json";

#[derive(Debug, Deserialize)]
struct Index {
    /// The file that holds each tensor.
    weight_map: BTreeMap<String, String>,
}

/// Tells whether a path is that of an index.
pub(super) fn recognises(path: &Path) -> bool {
    path.to_string_lossy().ends_with(SUFFIX)
}

/// Returns the names of the files beside an index that belong to it; none for any other file.
///
/// # Errors
/// What [`read`] says of the index.
pub(super) fn shards(path: &Path) -> Result<BTreeSet<String>, super::CheckpointError> {
    if !recognises(path) {
        return Ok(BTreeSet::new());
    }
    let index = index(path).map_err(|kind| kind.in_checkpoint(&path.display().to_string()))?;
    Ok(index.weight_map.into_values().collect())
}

fn index(path: &Path) -> Result<Index, CheckpointErrorKind> {
    Index::parse(&fs::read(path)?)
}

impl Index {
    fn parse(bytes: &[u8]) -> Result<Self, CheckpointErrorKind> {
        let index: Self = serde_json::from_slice(bytes)?;
        let plain = |name: &str| {
            let mut parts = Path::new(name).components();
            matches!(
                (parts.next(), parts.next()),
                (Some(Component::Normal(_)), None)
            )
        };
        match index.weight_map.values().find(|name| !plain(name)) {
            Some(shard) => Err(CheckpointErrorKind::Shard {
                shard: shard.clone(),
            }),
            None => Ok(index),
        }
    }
}

/// Reads the bytes of an index; what is wrong with it is dropped.
pub(crate) fn read_index(bytes: &[u8]) {
    let _ = Index::parse(bytes);
}

/// Reads all files of an index; returns their tensors, and the hash of all that was read.
///
/// # Errors
/// [`CheckpointErrorKind`] for an index or a file that cannot be read, and a tensor that is not where the index says.
pub(super) fn read(path: &Path) -> Result<(Content, String), CheckpointErrorKind> {
    let index = index(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut hasher = blake3::Hasher::new();
    let mut all = Content::default();
    for shard in index.weight_map.values().collect::<BTreeSet<_>>() {
        let bytes =
            fs::read(folder.join(shard)).map_err(|source| CheckpointErrorKind::ShardIo {
                shard: shard.clone(),
                source,
            })?;
        hasher.update(&bytes);
        let content = safetensors::decode(&bytes)?;
        all.tensors.extend(content.tensors);
        all.metadata.extend(content.metadata);
    }
    let lacking = index
        .weight_map
        .iter()
        .find(|(name, _)| !all.tensors.contains_key(*name));
    if let Some((tensor, shard)) = lacking {
        let why = format!("`{shard}`, where the index says it is, does not have it");
        return Err(CheckpointErrorKind::bad_tensor(tensor, why));
    }
    Ok((all, hasher.finalize().to_hex().to_string()))
}

#[cfg(test)]
mod tests {
    use crate::weights::{Checkpoint, write_safetensors};
    use candle_core::{Device, Tensor};
    use std::error::Error;
    use std::path::Path;

    fn shard(folder: &Path, file: &str, name: &str, value: f32) {
        let tensor = Tensor::new(&[value], &Device::Cpu).unwrap();
        write_safetensors(&folder.join(file), [(name, &tensor)], &[].into()).unwrap();
    }

    fn read(folder: &Path, index: &str) -> Result<Checkpoint, String> {
        let path = folder.join("model.safetensors.index.json");
        std::fs::write(&path, index).unwrap();
        Checkpoint::read(&path).map_err(|error| format!("{error}: {}", error.source().unwrap()))
    }

    #[test]
    fn tensors_come_from_all_files() {
        let folder = tempfile::tempdir().unwrap();
        shard(folder.path(), "1.safetensors", "a", 1.0);
        shard(folder.path(), "2.safetensors", "b", 2.0);
        let index = r#"{"metadata": {"total_size": 8}, "weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}"#;
        let checkpoint = read(folder.path(), index).unwrap();
        let value = |name: &str| checkpoint.tensors()[name].to_vec1::<f32>().unwrap();
        assert_eq!((value("a"), value("b")), (vec![1.0], vec![2.0]));
        let digest = checkpoint.digest().to_owned();
        shard(folder.path(), "2.safetensors", "b", 3.0);
        assert_ne!(read(folder.path(), index).unwrap().digest(), digest);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let folder = tempfile::tempdir().unwrap();
        shard(folder.path(), "1.safetensors", "a", 1.0);
        for (index, why) in [
            (
                r#"{"weight_map": {"a": "2.safetensors"}}"#,
                "`2.safetensors`",
            ),
            (r#"{"weight_map": {"b": "1.safetensors"}}"#, "tensor `b`"),
            (
                r#"{"weight_map": {"a": "../1.safetensors"}}"#,
                "`../1.safetensors`",
            ),
            (
                r#"{"weight_map": {"a": "/1.safetensors"}}"#,
                "`/1.safetensors`",
            ),
            (r#"{"weights": {}}"#, "index"),
        ] {
            let error = read(folder.path(), index).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
