//! From bytes to what a network was trained on.

use super::{Geometry, Image, Placement, PreprocessError};
use crate::models::ChannelOrder;
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

/// How a checkpoint wants its images: `(pixel / 255 - mean) / std` for each channel, in a stated order.
///
/// It belongs to a checkpoint, not to a data set: two networks trained on the same images may disagree. The operations and
/// their order are those of torchvision's `ToTensor` and `Normalize`, in f32. Images of any size first become squares of
/// one size ([`Self::fit`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// What is subtracted from each channel, on the scale from 0 to 1.
    pub mean: Vec<f32>,
    /// What each channel is then divided by.
    pub std: Vec<f32>,
    /// The order of the channels of the tensor. Mean and deviation are in that of images, red first.
    #[serde(default, skip_serializing_if = "ChannelOrder::is_rgb")]
    pub channels: ChannelOrder,
    /// How images that differ in size become squares of one; of no use where all images have one size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometry: Option<Geometry>,
}

impl Preprocess {
    /// Returns `image`, which has pixels, as a batch takes it. With a geometry it becomes a square, in grey where the
    /// network sees one channel; without one it stays as it is.
    pub fn fit(&self, image: Image) -> Image {
        match &self.geometry {
            Some(geometry) if self.mean.len() == 1 => geometry.fit(&image.to_grey(), &self.mean),
            Some(geometry) => geometry.fit(&image, &self.mean),
            None => image,
        }
    }

    /// Returns where [`Self::fit`] puts an image of `original` rows and columns, one at least of each.
    pub fn placement(&self, original: [usize; 2]) -> Placement {
        match &self.geometry {
            Some(geometry) => geometry.placement(original),
            None => Placement::identity(original),
        }
    }

    /// Returns `images`, which fit ([`Self::fit`]), as a tensor `[n, c, h, w]` of f32.
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
            let planes = image.channels().zip(self.mean.iter().zip(&self.std));
            let mut planes: Vec<_> = planes.collect();
            if self.channels == ChannelOrder::Bgr {
                planes.reverse();
            }
            for (plane, (mean, std)) in planes {
                values.extend(plane.iter().map(|&p| (f32::from(p) / 255.0 - mean) / std));
            }
        }
        let [c, h, w] = shape;
        Ok(Tensor::from_vec(values, (images.len(), c, h, w), device)?)
    }

    /// Returns the images that [`Self::apply`] would make this tensor of `[n, c, h, w]`; what no pixel can be becomes the nearest one.
    ///
    /// # Errors
    /// As in [`Self::apply`]; a tensor that is no batch of images.
    pub fn images(&self, tensor: &Tensor) -> Result<Vec<Image>, PreprocessError> {
        let (_, c, h, w) = tensor.dims4()?;
        self.check(c)?;
        let plane = |channel: usize| match self.channels {
            ChannelOrder::Rgb => channel,
            ChannelOrder::Bgr => c - 1 - channel,
        };
        let rows = tensor.to_dtype(DType::F32)?.flatten_from(1)?;
        let rows: Vec<Vec<f32>> = rows.to_vec2()?;
        let image = |values: &Vec<f32>| {
            Image::from_fn([c, h, w], |channel, y, x| {
                let value = values[(plane(channel) * h + y) * w + x];
                let pixel = value * self.std[channel] + self.mean[channel];
                // Casts saturate, and take NaN for black.
                (255.0 * pixel).round() as u8
            })
        };
        Ok(rows.iter().map(image).collect())
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
            channels: ChannelOrder::Rgb,
            geometry: None,
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
    fn blue_comes_first_with_its_own_mean_and_deviation() {
        let image = Image::from_slice([3, 1, 1], &[255, 102, 0]);
        let text = r#"{"mean":[0.0,0.2,0.5],"std":[1.0,2.0,0.25],"channels":"bgr"}"#;
        let preprocess: Preprocess = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&preprocess).unwrap(), text);
        let tensor = preprocess.apply(&[image], &Device::Cpu).unwrap();
        let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(values, [-2.0, 0.1, 1.0]);
    }

    #[test]
    fn images_come_back() {
        let image = Image::from_fn([3, 16, 16], |c, y, x| (16 * y + x + 7 * c) as u8);
        for channels in [ChannelOrder::Rgb, ChannelOrder::Bgr] {
            let preprocess = Preprocess {
                channels,
                ..preprocess(&[0.5, 0.1, 0.3], &[0.5, 0.2, 1.0])
            };
            let images = [image.clone(), image.clone()];
            let tensor = preprocess.apply(&images, &Device::Cpu).unwrap();
            assert_eq!(preprocess.images(&tensor).unwrap(), images);
        }
        let beyond = Tensor::new(&[[[[-9f32, 9.0, f32::NAN]]]], &Device::Cpu).unwrap();
        let found = preprocess(&[0.5], &[0.5]).images(&beyond).unwrap();
        assert_eq!(found[0].pixels(), [0, 255, 0]);
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
        let read = |text: &str| serde_json::from_str::<Preprocess>(text);
        let plain = r#"{"mean":[0.1],"std":[1.0]}"#;
        let sized = r#"{"mean":[0.1],"std":[1.0],"geometry":{"resize":256,"crop":224,"interpolation":"bicubic"}}"#;
        for text in [plain, sized] {
            let preprocess = read(text).unwrap();
            assert_eq!(serde_json::to_string(&preprocess).unwrap(), text);
        }
        for (good, bad) in [
            ("std", "stdd"),
            ("resize", "resise"),
            ("256", "0"),
            ("bicubic", "cubic"),
        ] {
            assert!(read(&sized.replace(good, bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn images_fit_the_geometry_and_the_channels() {
        let image = || Image::from_fn([3, 10, 20], |c, _, _| [255, 0, 0][c]);
        let mut preprocess = preprocess(&[0.0; 3], &[1.0; 3]);
        assert_eq!(preprocess.fit(image()), image());
        preprocess.geometry =
            serde_json::from_str(r#"{"resize":8,"crop":6,"interpolation":"bilinear"}"#).unwrap();
        assert_eq!(preprocess.fit(image()).shape(), [3, 6, 6]);
        preprocess.mean = vec![0.0];
        let grey = preprocess.fit(image());
        assert_eq!(grey, Image::from_fn([1, 6, 6], |_, _, _| 76));
    }

    #[test]
    fn images_lie_where_the_geometry_puts_them() {
        let mut preprocess = preprocess(&[0.0; 3], &[1.0; 3]);
        let place = preprocess.placement([10, 20]);
        assert_eq!((place.scale, place.extent), ([1.0, 1.0], [10.0, 20.0]));
        preprocess.geometry =
            serde_json::from_str(r#"{"side":5,"interpolation":"plain-bilinear"}"#).unwrap();
        let place = preprocess.placement([10, 20]);
        assert_eq!((place.scale, place.extent), ([0.5, 0.25], [5.0, 5.0]));
    }
}
