//! Checkpoints: reading, fitting to the parameters of a model, writing.
//!
//! - A [`WeightsSpec`] says where a checkpoint comes from: embedded, a file, the Hugging Face hub.
//! - A [`Checkpoint`] is what a file holds: tensors by name, read from safetensors or from either format of `torch.save`.
//!   Nothing of a pickle is ever executed.
//! - [`bind`] puts a checkpoint's tensors into the order in which a model wants them, or says everything that does not fit.
//! - [`write_safetensors`] writes tensors back.
//!
//! Formats: <https://github.com/huggingface/safetensors#format>, and `torch/serialization.py` of release 1.13 for pickles.

mod bind;
mod checkpoint;
mod config;
mod embedded;
mod error;
mod hub;
mod pytorch;
mod safetensors;
mod sharded;
mod spec;

pub use bind::{Alias, AllowUnused, BindError, Bound, Expected, Misshapen, bind};
pub use checkpoint::Checkpoint;
pub(crate) use config::read_config;
pub use embedded::{EMBEDDED, EmbeddedCheckpoint};
pub use error::{CheckpointError, CheckpointErrorKind, PickleError, WeightsError, WriteError};
pub(crate) use pytorch::decode_object;
pub use safetensors::write_safetensors;
pub(crate) use sharded::read_index;
pub use spec::WeightsSpec;
