//! What timm's repositories on the hub say of their checkpoint in `config.json`.
//!
//! The fields are those of timm's `PretrainedCfg`, in an object `pretrained_cfg` or, in older files, at the top. `test_input_size` and
//! `test_crop_pct`, which some have for evaluation on larger images, are left aside: models are built for `input_size`.

use serde::Deserialize;
use serde_json::{Value, json};

/// How images are expected. Sides and interpolation are optional, as in timm.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Config {
    mean: Vec<f64>,
    std: Vec<f64>,
    input_size: Option<[usize; 3]>,
    crop_pct: Option<f64>,
    interpolation: Option<String>,
}

impl Config {
    /// Reads the text of a `config.json`. Returns `None` for one that is not timm's, which has neither mean nor deviation.
    pub(super) fn read(text: &str) -> serde_json::Result<Option<Self>> {
        let value: Value = serde_json::from_str(text)?;
        let fields = value.get("pretrained_cfg").unwrap_or(&value);
        match (fields.get("mean"), fields.get("std")) {
            (Some(_), Some(_)) => Self::deserialize(fields).map(Some),
            _ => Ok(None),
        }
    }

    /// Returns the sides in pixels after resizing and cutting, where they are known: timm rounds the former down.
    fn sides(&self) -> Option<[usize; 2]> {
        let [_, height, width] = self.input_size?;
        let crop = height.min(width);
        let resize = (crop as f64 / self.crop_pct?) as usize;
        Some([resize, crop])
    }

    /// Returns it as the metadata `preprocess` of a checkpoint, in the form that `data::Preprocess` reads.
    pub(super) fn preprocess(&self) -> String {
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
            let found = config.map(|config| config.preprocess());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        assert!(Config::read(r#"{"mean": 1, "std": 2}"#).is_err());
        assert!(Config::read("<html>").is_err());
    }
}
