//! What to run: suites are TOML files, cases are what they come to.
//!
//! A suite names subjects (a model, its weights, its data) and sections. The cases of a section are the full product of its
//! subjects, allocators, reconstructions and sparsities:
//!
//! ```toml
//! description = "what this suite answers"
//!
//! [settings]                 # all optional, see `case::Settings`
//! iterations = 100
//! limit = 2000
//!
//! [[subjects]]
//! model = "resnet20"
//! weights = "${PTSBENCH_WEIGHTS}/resnet20-cifar10.safetensors"
//! data = "cifar10:${PTSBENCH_DATA}/cifar10"
//! task = "classification"    # the model's, if absent; `generation(steps=20)` where it has parameters
//!
//! [[sections]]
//! name = "allocators"
//! models = ["resnet20"]      # all subjects if absent
//! allocators = ["uniform", "erk"]
//! reconstructions = ["none", "block-sparse-weight+bias-adam"]
//! sparsities = [0.5, 0.8]
//! settings = { iterations = 300 }
//! ```
//!
//! Variables in `weights` and `data` come from the environment. A case whose variable is unset, or whose files are not
//! there, is listed with the reason and ignored.

mod expand;
mod file;
mod folder;
mod shard;

pub use expand::{Entry, Suite};
pub use file::{SuiteError, SuiteErrorKind, SuiteErrors};
pub use folder::{Suites, load};
pub use shard::{Shard, ShardError};
