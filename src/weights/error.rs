//! What can go wrong with checkpoints: the structs say which file, the kinds say what.

use crate::registry::UnknownName;
use std::io;
use std::path::PathBuf;

/// A checkpoint that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the checkpoint `{name}`")]
pub struct CheckpointError {
    /// The path, or the name of an embedded checkpoint.
    pub name: String,
    /// What is wrong with it.
    #[source]
    pub kind: CheckpointErrorKind,
}

/// Why a checkpoint cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointErrorKind {
    /// The file does not exist or cannot be read.
    #[error("the file cannot be read")]
    Io(#[from] io::Error),
    /// The index of a checkpoint in several files is not one.
    #[error("the index is not valid, expected `{{\"weight_map\": {{tensor: file, ...}}}}`")]
    Index(#[from] serde_json::Error),
    /// An index names a file that does not lie beside it.
    #[error("the index names `{shard}`, expected the name of a file beside it")]
    Shard {
        /// The file.
        shard: String,
    },
    /// A file that an index names cannot be read.
    #[error("its part `{shard}` cannot be read")]
    ShardIo {
        /// The file.
        shard: String,
        /// Why.
        source: io::Error,
    },
    /// The content is of no known format.
    #[error("found {found}, expected safetensors or a file written by `torch.save`")]
    UnknownFormat {
        /// How the file begins.
        found: String,
    },
    /// The content begins like safetensors but is not.
    #[error("not valid safetensors, is the file complete?")]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// The content begins like a zip archive but is not.
    #[error("not a valid zip archive, is the file complete?")]
    Zip(#[from] zip::result::ZipError),
    /// The content is a zip archive or a pickle, but not as `torch.save` writes it.
    #[error("{found}, expected {expected}")]
    NotTorch {
        /// What was found.
        found: String,
        /// What `torch.save` would have written.
        expected: &'static str,
    },
    /// A pickle cannot be decoded.
    #[error("the pickle in it cannot be decoded")]
    Pickle(#[from] PickleError),
    /// The pickled object is no dict of tensors.
    #[error(
        "found {found}, expected a dict of tensors: save `model.state_dict()` (nothing was executed)"
    )]
    NotAStateDict {
        /// What the pickle holds instead.
        found: String,
    },
    /// An entry of the state dict is made by something that is not on the list of known functions.
    #[error(
        "`{entry}` is made by `{global}`, expected a plain tensor: save `model.state_dict()` (nothing was executed)"
    )]
    UnknownGlobal {
        /// The name of the entry.
        entry: String,
        /// The function or class, with its module.
        global: String,
    },
    /// A tensor has a type of element that cannot be held.
    #[error("tensor `{tensor}` has elements of type `{dtype}`, expected {SUPPORTED}")]
    UnsupportedDtype {
        /// The name of the tensor.
        tensor: String,
        /// The type in the words of the format.
        dtype: String,
    },
    /// A tensor's description contradicts itself or the file's size.
    #[error("tensor `{tensor}` is damaged: {why}")]
    BadTensor {
        /// The name of the tensor.
        tensor: String,
        /// The contradiction.
        why: String,
    },
}

const SUPPORTED: &str = "f16, bf16, f32, f64, i16, i32, i64, u8, u32 or bool";

impl CheckpointErrorKind {
    pub(super) fn bad_tensor(tensor: &str, why: impl Into<String>) -> Self {
        Self::BadTensor {
            tensor: tensor.to_owned(),
            why: why.into(),
        }
    }

    pub(super) fn not_torch(found: impl Into<String>, expected: &'static str) -> Self {
        Self::NotTorch {
            found: found.into(),
            expected,
        }
    }

    pub(super) fn in_checkpoint(self, name: &str) -> CheckpointError {
        CheckpointError {
            name: name.to_owned(),
            kind: self,
        }
    }
}

/// A pickle that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    /// The bytes end within an operation.
    #[error("it ends early, {wanted} more bytes expected at byte {at}")]
    Truncated {
        /// The position in the pickle's bytes.
        at: usize,
        /// How many bytes the operation needs.
        wanted: u64,
    },
    /// An operation that no protocol from 2 to 5 has, or that state dicts have no use for.
    #[error("operation {opcode:#04x} at byte {at} is unknown, expected one of protocols 2 to 5")]
    UnknownOpcode {
        /// The position in the pickle's bytes.
        at: usize,
        /// The operation's byte.
        opcode: u8,
    },
    /// An operation finds its operands missing or of another type.
    #[error("operation {opcode:#04x} at byte {at} fails: {why}")]
    Misused {
        /// The position in the pickle's bytes.
        at: usize,
        /// The operation's byte.
        opcode: u8,
        /// What is wrong with its operands.
        why: &'static str,
    },
}

/// Weights that a [`WeightsSpec`](super::WeightsSpec) cannot give.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The text names no kind of weights.
    #[error(
        "`{text}` names no weights: {why}, expected `embedded:<name>`, a path, or `hf:<owner>/<repo>[/<file>]`"
    )]
    Syntax {
        /// The text as typed.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No embedded checkpoint has this name.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// There is no such file.
    #[error("`{}` does not exist", path.display())]
    Absent {
        /// The path.
        path: PathBuf,
    },
    /// A repository cannot be reached, or lacks the file.
    #[error(
        "`hf:{repo}` cannot be downloaded: is there a network, and does https://huggingface.co/{repo} have the file? A file that you have can be given by its path"
    )]
    Hub {
        /// Owner and name of the repository.
        repo: String,
        /// What the client says.
        source: Box<hf_hub::api::sync::ApiError>,
    },
    /// A file is not in the cache, and nothing may be downloaded.
    #[error(
        "`hf:{repo}` is not in the cache `{}`, and HF_HUB_OFFLINE is set: unset it, or get the file elsewhere and give its path", cache.display()
    )]
    Offline {
        /// Owner and name of the repository.
        repo: String,
        /// The cache.
        cache: PathBuf,
    },
    /// A repository's description of its checkpoint cannot be read.
    #[error(
        "the `config.json` of `hf:{repo}` cannot be read, remove it from the cache to have it downloaded again"
    )]
    Config {
        /// Owner and name of the repository.
        repo: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A repository has no file that is known to be a checkpoint.
    #[error("`hf:{repo}` has no checkpoint of a known name, name one of its files: `{files}`")]
    NoCheckpoint {
        /// Owner and name of the repository.
        repo: String,
        /// What it has.
        files: String,
    },
}

/// A checkpoint that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Two tensors have the same name.
    #[error("tensor `{name}` is given twice, expected unique names")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The file cannot be written.
    #[error("cannot write `{}`, expected an existing folder that is writable", path.display())]
    Io {
        /// The file that was to be written.
        path: PathBuf,
        /// Why the system refuses.
        source: io::Error,
    },
}
