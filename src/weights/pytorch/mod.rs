//! Reading what `torch.save` writes: zip archives, and the format before torch 1.6.
//!
//! Nothing is executed. [`pickle`] decodes the pickled object into plain values, in which a call stays a record of what would
//! be called; [`state_dict`] finds the dict of tensors in them and understands the few calls that make a tensor. Any other call
//! is an error only where a tensor is expected, so that epochs, optimizers and argument namespaces beside the state dict do no harm.

mod container;
mod pickle;
mod state_dict;
mod strided;

use super::CheckpointErrorKind;
use candle_core::Tensor;
use std::collections::BTreeMap;

/// Tells whether the bytes begin like a zip archive, or like a pickle of protocol 2 or later.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    container::is_zip(bytes) || matches!(bytes, [pickle::PROTO, 2..=5, ..])
}

/// Reads the tensors of the state dict.
pub(super) fn decode(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, CheckpointErrorKind> {
    let container = if container::is_zip(bytes) {
        container::open_zip(bytes)?
    } else {
        container::open_legacy(bytes)?
    };
    state_dict::read(&container)
}

/// Reads the tensors of a bare pickle, whose only storage, `0`, is what comes after it: what the files hold, without their
/// containers in the way of what fuzzing tries.
pub(crate) fn decode_object(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, CheckpointErrorKind> {
    let (pickle, rest) = container::bare(bytes)?;
    state_dict::read(&container::Container {
        pickle,
        storages: [("0".to_owned(), rest)].into(),
        size: bytes.len(),
    })
}
