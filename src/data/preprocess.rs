//! From bytes to what a network was trained on.

use super::{Image, PreprocessError};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// How a checkpoint wants its images: `(pixel / 255 - mean) / std` for each channel.
///
/// It belongs to a checkpoint, not to a data set: two networks trained on the same images may disagree. The operations and
/// their order are those of torchvision's `ToTensor` and `Normalize`, in f32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// What is subtracted from each channel, on the scale from 0 to 1.
    pub mean: Vec<f32>,
    /// What each channel is then divided by.
    pub std: Vec<f32>,
}

impl Preprocess {
    /// Returns `images` as a tensor `[n, c, h, w]` of f32.
    ///
    /// # Errors
    /// Images that differ in shape or have another number of channels, or a deviation that is not positive.
    pub fn apply(&self, images: &[Image], device: &Device) -> Result<Tensor, PreprocessError> {
        let shape = images.first().ok_or(PreprocessError::Empty)?.shape();
        self.check(shape[0])?;
        let mut values = Vec::with_capacity(images.len() * images[0].pixels().len());
        for image in images {
            if image.shape() != shape {
                return Err(PreprocessError::Shape {
                    found: image.shape(),
                    expected: shape,
                });
            }
            for (channel, (mean, std)) in image.channels().zip(self.mean.iter().zip(&self.std)) {
                values.extend(channel.iter().map(|&p| (f32::from(p) / 255.0 - mean) / std));
            }
        }
        let [c, h, w] = shape;
        Ok(Tensor::from_vec(values, (images.len(), c, h, w), device)?)
    }

    fn check(&self, channels: usize) -> Result<(), PreprocessError> {
        if self.mean.len() != channels || self.std.len() != channels {
            return Err(PreprocessError::Channels {
                images: channels,
                mean: self.mean.len(),
                std: self.std.len(),
            });
        }
        match self
            .std
            .iter()
            .find(|std| !(std.is_finite() && **std > 0.0))
        {
            Some(&found) => Err(PreprocessError::Deviation { found }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preprocess(mean: &[f32], std: &[f32]) -> Preprocess {
        Preprocess {
            mean: mean.to_vec(),
            std: std.to_vec(),
        }
    }

    #[test]
    fn values_follow_the_closed_form() {
        let first = Image::from_slice([2, 1, 2], &[0, 255, 51, 102]);
        let second = Image::from_slice([2, 1, 2], &[255, 0, 0, 255]);
        let tensor = preprocess(&[0.5, 0.0], &[0.25, 2.0])
            .apply(&[first, second], &Device::Cpu)
            .unwrap();
        assert_eq!(tensor.dims(), [2, 2, 1, 2]);
        let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(values, [-2.0, 2.0, 0.1, 0.2, 2.0, -2.0, 0.0, 0.5]);
    }

    #[test]
    fn what_does_not_fit_says_why() {
        let gray = Image::from_slice([1, 1, 2], &[0, 1]);
        let tall = Image::from_slice([1, 2, 1], &[0, 1]);
        let one = preprocess(&[0.0], &[1.0]);
        for (preprocess, images, message) in [
            (
                preprocess(&[0.0; 3], &[1.0; 3]),
                vec![gray.clone()],
                "images have 1 channels, preprocessing has 3 means and 3 deviations, expected as many",
            ),
            (
                preprocess(&[0.0], &[0.0]),
                vec![gray.clone()],
                "standard deviation 0 in preprocessing, expected a positive number",
            ),
            (
                one.clone(),
                vec![gray, tall],
                "an image is [1, 2, 1], expected [1, 1, 2] (`[c, h, w]`) as the first one of its batch",
            ),
            (one, vec![], "a batch has no images, expected at least one"),
        ] {
            let error = preprocess.apply(&images, &Device::Cpu).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        let read = serde_json::from_str::<Preprocess>;
        assert!(read(r#"{"mean":[0.1],"std":[1.0]}"#).is_ok());
        assert!(read(r#"{"mean":[0.1],"std":[1.0],"stdd":[1.0]}"#).is_err());
    }
}
