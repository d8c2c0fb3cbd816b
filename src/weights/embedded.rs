//! The checkpoints that the binary carries, trained on Fashion-MNIST by the scripts in `assets/checkpoints`.

use super::{Checkpoint, CheckpointError};
use crate::registry::{Named, Registry};

/// A checkpoint within the binary.
#[derive(Debug)]
pub struct EmbeddedCheckpoint {
    name: &'static str,
    model: &'static str,
    /// The data set whose images it looks at where generators are measured.
    judges: Option<&'static str>,
    bytes: &'static [u8],
}

/// Every embedded checkpoint.
pub static EMBEDDED: Registry<EmbeddedCheckpoint> = Registry::new(
    "embedded checkpoint",
    &[
        EmbeddedCheckpoint {
            name: "resnet20-fashion-mnist",
            model: "resnet20",
            judges: Some("fashion-mnist"),
            bytes: include_bytes!("../../assets/checkpoints/resnet20-fashion-mnist.safetensors"),
        },
        EmbeddedCheckpoint {
            name: "mobilenetv2_x0_25-fashion-mnist",
            model: "mobilenetv2_x0_25",
            judges: None,
            bytes: include_bytes!(
                "../../assets/checkpoints/mobilenetv2_x0_25-fashion-mnist.safetensors"
            ),
        },
        EmbeddedCheckpoint {
            name: "vit_micro_patch4_28-fashion-mnist",
            model: "vit_micro_patch4_28",
            judges: None,
            bytes: include_bytes!(
                "../../assets/checkpoints/vit_micro_patch4_28-fashion-mnist.safetensors"
            ),
        },
        EmbeddedCheckpoint {
            name: "ssd_resnet20-fashion-mnist-detection",
            model: "ssd_resnet20",
            judges: None,
            bytes: include_bytes!(
                "../../assets/checkpoints/ssd_resnet20-fashion-mnist-detection.safetensors"
            ),
        },
        EmbeddedCheckpoint {
            name: "ddpm_micro_28-fashion-mnist",
            model: "ddpm_micro_28",
            judges: None,
            bytes: include_bytes!(
                "../../assets/checkpoints/ddpm_micro_28-fashion-mnist.safetensors"
            ),
        },
    ],
);

impl EmbeddedCheckpoint {
    /// Returns the name of the model that it was trained for.
    pub fn model(&self) -> &'static str {
        self.model
    }

    /// Returns the data set by which generators are measured with it, if it serves for that: it is a classifier, trained on that data.
    pub fn judges(&self) -> Option<&'static str> {
        self.judges
    }

    /// Reads its tensors.
    ///
    /// # Errors
    /// [`CheckpointError`] when the binary was built with a damaged file.
    pub fn load(&self) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::from_bytes(&format!("embedded:{}", self.name), self.bytes)
    }
}

impl Named for EmbeddedCheckpoint {
    fn name(&self) -> &str {
        self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{AllowUnused, Expected, bind};

    #[test]
    fn every_embedded_checkpoint_reads_and_is_finite() {
        for entry in &EMBEDDED {
            assert!(entry.name().starts_with(entry.model()), "{}", entry.name());
            let checkpoint = entry.load().unwrap();
            let all: Vec<Expected> = checkpoint
                .tensors()
                .iter()
                .map(|(name, tensor)| Expected::new(name, tensor.dims()))
                .collect();
            assert!(!all.is_empty(), "{}", entry.name());
            bind(&all, &[], &checkpoint, AllowUnused::Declared(&[])).unwrap();
        }
    }

    #[test]
    fn an_entry_is_read_from_its_bytes() {
        let entry = EmbeddedCheckpoint {
            name: "tiny-fixture",
            model: "tiny",
            judges: None,
            bytes: include_bytes!("../../tests/fixtures/weights/zip.pth"),
        };
        let checkpoint = entry.load().unwrap();
        assert_eq!(checkpoint.name(), "embedded:tiny-fixture");
        assert!(checkpoint.tensors().contains_key("conv.weight"));
    }
}
