//! What publishers say of their checkpoint in a `config.json`.
//!
//! timm's says how images are expected. The fields are those of its `PretrainedCfg`, in an object `pretrained_cfg` or, in older files, at the top. `test_input_size` and
//! `test_crop_pct`, which some have for evaluation on larger images, are left aside: models are built for `input_size`.
//!
//! diffusers' says what the network is made of, beside the class of its model, `_class_name`. It goes with the checkpoint as it is, for the
//! family of the model to compare.

use super::Checkpoint;
use serde::Deserialize;
use serde_json::{Value, json};

/// A known form of configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Config {
    /// timm's.
    Timm(Pretrained),
    /// The text of diffusers'.
    Diffusers(String),
}

/// How images are expected. Sides and interpolation are optional, as in timm.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Pretrained {
    mean: Vec<f64>,
    std: Vec<f64>,
    input_size: Option<[usize; 3]>,
    crop_pct: Option<f64>,
    interpolation: Option<String>,
}

impl Config {
    /// Reads the text of a `config.json`. Returns `None` for one of another form: timm's has mean and deviation.
    pub(super) fn read(text: &str) -> serde_json::Result<Option<Self>> {
        let value: Value = serde_json::from_str(text)?;
        if value.get("_class_name").is_some() {
            return Ok(Some(Self::Diffusers(text.to_owned())));
        }
        let fields = value.get("pretrained_cfg").unwrap_or(&value);
        match (fields.get("mean"), fields.get("std")) {
            (Some(_), Some(_)) => {
                Pretrained::deserialize(fields).map(|read| Some(Self::Timm(read)))
            }
            _ => Ok(None),
        }
    }

    /// Adds what it says to a checkpoint.
    pub(super) fn describe(self, checkpoint: Checkpoint) -> Checkpoint {
        match self {
            Self::Timm(pretrained) => checkpoint.described_by(pretrained.preprocess()),
            Self::Diffusers(text) => checkpoint.configured_by(text),
        }
    }
}

/// Returns how images are expected by the text of a `config.json`, as the metadata `preprocess`, if that is what it says.
pub(crate) fn read_config(text: &str) -> Option<String> {
    match Config::read(text).ok()?? {
        Config::Timm(pretrained) => Some(pretrained.preprocess()),
        Config::Diffusers(_) => None,
    }
}

impl Pretrained {
    /// Returns the sides in pixels after resizing and cutting, where they are known: timm rounds the former down.
    fn sides(&self) -> Option<[usize; 2]> {
        let [_, height, width] = self.input_size?;
        let crop = height.min(width);
        let resize = (crop as f64 / self.crop_pct?) as usize;
        Some([resize, crop])
    }

    /// Returns it as the metadata `preprocess` of a checkpoint, in the form that `data::Preprocess` reads.
    fn preprocess(&self) -> String {
        let mut value = json!({ "mean": self.mean, "std": self.std });
        let known = self.interpolation.as_deref();
        let known = known.filter(|name| ["bilinear", "bicubic"].contains(name));
        if let (Some([resize, crop]), Some(interpolation)) = (self.sides(), known) {
            value["geometry"] =
                json!({ "resize": resize, "crop": crop, "interpolation": interpolation });
        }
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_others_are_not_timms() {
        let nested = r#"{
            "architecture": "resnet18",
            "num_classes": 1000,
            "pretrained_cfg": {
                "tag": "a1_in1k", "input_size": [3, 224, 224], "test_input_size": [3, 288, 288], "crop_pct": 0.95,
                "test_crop_pct": 1.0, "interpolation": "bicubic", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]
            }
        }"#;
        let flat = r#"{"architecture": "vit", "input_size": [3, 224, 224], "crop_pct": 0.9, "interpolation": "bicubic",
            "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}"#;
        let table = [
            (
                nested,
                Some(
                    r#"{"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225],"geometry":{"resize":235,"crop":224,"interpolation":"bicubic"}}"#,
                ),
            ),
            (
                flat,
                Some(
                    r#"{"mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5],"geometry":{"resize":248,"crop":224,"interpolation":"bicubic"}}"#,
                ),
            ),
            (
                r#"{"mean": [0.1], "std": [0.2]}"#,
                Some(r#"{"mean":[0.1],"std":[0.2]}"#),
            ),
            (
                r#"{"mean": [0.1], "std": [0.2], "input_size": [1, 8, 8], "crop_pct": 1.0, "interpolation": "random"}"#,
                Some(r#"{"mean":[0.1],"std":[0.2]}"#),
            ),
            (r#"{"model_type": "bert"}"#, None),
        ];
        for (text, expected) in table {
            let config = Config::read(text).unwrap();
            let found = config.map(|config| match config {
                Config::Timm(pretrained) => pretrained.preprocess(),
                Config::Diffusers(text) => text,
            });
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        let unet = r#"{"_class_name": "UNet2DModel", "norm_eps": 1e-06}"#;
        let diffusers = Config::Diffusers(unet.to_owned());
        assert_eq!(Config::read(unet).unwrap(), Some(diffusers));
        assert!(Config::read(r#"{"mean": 1, "std": 2}"#).is_err());
        assert!(Config::read("<html>").is_err());
    }
}
