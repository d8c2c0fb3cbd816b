//! The task `generation`.

use super::draw::Drawing;
use super::finish::Finish;
use super::look::{Look, at_real_images, is_inception};
use super::samplers::{SAMPLERS, Sampler};
use crate::data::{Image, Split, draw_calibration};
use crate::metrics::{Drawings, METRICS, Seen};
use crate::models::FID_INCEPTION;
use crate::progress::Progress;
use crate::registry::{Named, Spec, Technique, from_params};
use crate::tasks::images::batch_size;
use crate::tasks::{
    Calibration, CalibrationRequest, Companions, Drawn, Evaluation, EvaluationRequest, Exhibit,
    Network, NetworkSpec, Picture, Source, Task, TaskError,
};
use crate::weights::{EMBEDDED, WeightsSpec};
use candle_core::Tensor;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;
use std::error::Error;

pub(in crate::tasks) const ENTRY: Technique<dyn Task> = Technique::new(
    "generation",
    "images drawn from noise: sampler=ddim|ddpm, steps, eta, seed=0 of the noise, skew=1 (above, calibration sees more of noise, below more of images)",
    |params| {
        let task = Generation::new(&from_params::<Typed>(params)?);
        Ok(Box::new(task.map_err(serde_json::Error::custom)?))
    },
);

/// Images that calibration draws have numbers from here on, so that no evaluation ever draws them.
const CALIBRATION: usize = 1 << 32;

/// Drawings are kept for comparison with another network's: the first ones, of so many levels together at most.
const KEPT: usize = 16 << 20;

/// How many drawings are shown.
const SHOWN: usize = 36;

/// Drawing images, and how.
#[derive(Debug)]
struct Generation {
    sampler: Box<dyn Sampler>,
    /// The seed of the noise that dense and sparse networks start from.
    seed: u64,
    skew: f64,
}

/// The parameters as typed.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Typed {
    sampler: String,
    /// As the sampler has it by default, if absent.
    steps: Option<usize>,
    eta: Option<f64>,
    seed: u64,
    /// How calibration samples spread over the steps: a part `u` of them, evenly spread, comes of the step `u^skew`, from noise to image.
    skew: f64,
}

impl Default for Typed {
    fn default() -> Self {
        Self {
            sampler: "ddim".to_owned(),
            steps: None,
            eta: None,
            seed: 0,
            skew: 1.0,
        }
    }
}

impl Generation {
    fn new(typed: &Typed) -> Result<Self, String> {
        let mut spec = Spec::plain(&typed.sampler);
        let given = [
            ("steps", typed.steps.map(Value::from)),
            ("eta", typed.eta.map(Value::from)),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                spec.params.insert(name.to_owned(), value);
            }
        }
        let sampler = SAMPLERS
            .build(&spec)
            .map_err(|error| match error.source() {
                Some(why) => format!("{error}: {why}"),
                None => error.to_string(),
            })?;
        Ok(Self {
            sampler,
            seed: typed.seed,
            skew: typed.skew,
        })
    }

    /// Returns how many steps each of `count` samples has gone, in an order that `seed` gives.
    fn moments(&self, count: usize, steps: usize, seed: u64) -> Result<Vec<usize>, TaskError> {
        let order = draw_calibration(count, count, seed)?;
        let at = |place: usize| {
            let part = (place as f64 + 0.5) / count as f64;
            let taken = (part.powf(self.skew) * steps as f64) as usize;
            taken.min(steps - 1)
        };
        Ok(order.into_iter().map(at).collect())
    }
}

impl Task for Generation {
    fn name(&self) -> &'static str {
        "generation"
    }

    /// Draws with the dense network, and takes each image at a moment of its own.
    fn calibration(
        &self,
        network: Network<'_>,
        _source: Source<'_>,
        request: &CalibrationRequest<'_>,
    ) -> Result<Calibration, TaskError> {
        if !request.augment.is_empty() {
            return Err(TaskError::Augmentation { task: self.name() });
        }
        let drawing = Drawing::new(network, self.sampler.as_ref(), request.seed)?;
        let moments = self.moments(request.count, drawing.steps(), request.seed)?;
        let mut kept: Vec<Option<[Tensor; 2]>> = vec![None; request.count];
        let batch = batch_size(network.graph);
        for first in (0..request.count).step_by(batch) {
            let last = request.count.min(first + batch);
            let numbers = CALIBRATION + first..CALIBRATION + last;
            drawing.images(network, numbers, &(), |moment| {
                let mut now = (first..last).filter(|sample| moments[*sample] == moment.taken);
                now.try_for_each(|sample| {
                    let of = |input: &Tensor| input.narrow(0, sample - first, 1)?.copy();
                    let [image, time] = moment.inputs;
                    kept[sample] = Some([of(image)?, of(time)?]);
                    Ok(())
                })
            })?;
        }
        let kept = kept.into_iter().flatten();
        let (images, times): (Vec<Tensor>, Vec<Tensor>) = kept.map(|[x, t]| (x, t)).unzip();
        Ok(Calibration {
            inputs: vec![Tensor::cat(&images, 0)?, Tensor::cat(&times, 0)?],
            skipped: Vec::new(),
        })
    }

    /// The judge is the Inception network, if its checkpoint is given, or else the embedded classifier for such images, if there is one.
    fn companions(
        &self,
        judge: Option<WeightsSpec>,
        decoder: Option<NetworkSpec>,
        dataset: &str,
    ) -> Result<Companions, TaskError> {
        let judge = judge.map(inception).or_else(|| embedded_judge(dataset));
        Ok(Companions { judge, decoder })
    }

    fn evaluate(
        &self,
        network: Network<'_>,
        source: Source<'_>,
        request: EvaluationRequest<'_>,
        progress: &dyn Progress,
    ) -> Result<Evaluation, TaskError> {
        let drawing = Drawing::new(network, self.sampler.as_ref(), self.seed)?;
        let finish = Finish::new(network, source.preprocess, request.decoder)?;
        let available = source.dataset.count(Split::Test);
        let count = request.limit.unwrap_or(available);
        if count == 0 {
            return Err(TaskError::NoSamples);
        }
        let batch = batch_size(network.graph);
        progress.stage("draw", count.div_ceil(batch) * drawing.steps());
        let look = |judge| Ok::<_, TaskError>((judge, Look::new(judge, count)?));
        let mut look = request.judge.map(look).transpose()?;
        let mut first = Vec::new();
        for pictures in drawing.pictures(network, &finish, (count, batch), progress) {
            let pictures = pictures?;
            if let Some((_, look)) = &mut look {
                look.push(&pictures)?;
            }
            let room = KEPT / pictures[0].pixels().len();
            let room = room.max(1).saturating_sub(first.len());
            first.extend(pictures.into_iter().take(room));
        }
        let seen = match look {
            Some((judge, look)) => Some(Seen {
                by_inception: is_inception(judge),
                drawn: look.impressions()?,
                real: at_real_images(judge, source, first[0].shape(), progress)?,
            }),
            None => None,
        };
        let drawn = Drawn::of(&first);
        let drift = match request.dense {
            Some(dense) => dense
                .drawn
                .as_ref()
                .and_then(|dense| drawn.difference(dense)),
            None => Some(0.0),
        };
        let drawings = Drawings { seen, drift };
        let metrics = METRICS.iter().filter_map(|metric| {
            let value = metric.compute.generation()?(&drawings)?;
            Some((metric, value))
        });
        Ok(Evaluation {
            samples: count,
            skipped: Vec::new(),
            metrics: metrics.collect(),
            exhibits: vec![exhibit(&first)],
            drawn: Some(drawn),
        })
    }
}

/// Returns the network of the Frechet inception distance, whatever the size of the images that it looks at.
fn inception(weights: WeightsSpec) -> NetworkSpec {
    let mut model = Spec::plain(FID_INCEPTION);
    for (name, value) in [("in_chans", 3), ("img_size", 299)] {
        model.params.insert(name.to_owned(), value.into());
    }
    NetworkSpec { model, weights }
}

/// Returns the classifier that was trained on a data set, if there is one.
fn embedded_judge(dataset: &str) -> Option<NetworkSpec> {
    let checkpoint = EMBEDDED.iter().find(|it| it.judges() == Some(dataset))?;
    Some(NetworkSpec {
        model: Spec::plain(checkpoint.model()),
        weights: WeightsSpec::Embedded(checkpoint.name().to_owned()),
    })
}

/// Shows the first drawings side by side.
fn exhibit(images: &[Image]) -> Exhibit {
    let first = &images[..images.len().min(SHOWN)];
    let columns = (first.len() as f64).sqrt().ceil() as usize;
    let (picture, _) = Picture::of(&Image::grid(first, columns));
    Exhibit {
        name: format!("{} drawings from noise", first.len()),
        picture,
        truth: Vec::new(),
        seen: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataSpec, Preprocess};
    use crate::tasks::generation::testing::Meaningless;
    use crate::tasks::{Judge, TASKS};
    use serde_json::json;

    const DATA: &str = "embedded:fashion-mnist";
    const GENERATION: &str = "generation(steps=8,eta=0.5,seed=3)";

    /// Calls `with` with the task, a network of weights that say nothing, and the embedded images.
    fn with<T>(
        task: &str,
        seed: usize,
        with: impl FnOnce(&dyn Task, Network<'_>, Source<'_>) -> T,
    ) -> T {
        let unet = Meaningless::new("ddpm_micro_28", json!({}), seed);
        let data: DataSpec = DATA.parse().unwrap();
        let dataset = data.open().unwrap();
        let preprocess: Preprocess = serde_json::from_str(r#"{"mean":[0.5],"std":[0.5]}"#).unwrap();
        let source = Source {
            dataset: dataset.as_ref(),
            preprocess: &preprocess,
        };
        with(
            TASKS.build(&task.parse().unwrap()).unwrap().as_ref(),
            unet.network(),
            source,
        )
    }

    fn calibration(task: &str, count: usize, seed: u64) -> [Vec<Vec<f32>>; 2] {
        with(task, 0, |task, network, source| {
            let request = CalibrationRequest {
                count,
                augment: &[],
                seed,
                strict: false,
            };
            let inputs = task.calibration(network, source, &request).unwrap().inputs;
            [0, 1].map(|i| inputs[i].reshape((count, ())).unwrap().to_vec2().unwrap())
        })
    }

    #[test]
    fn calibration_samples_spread_over_the_way_as_asked() {
        let times = |task: &str| {
            let [_, times] = calibration(task, 40, 1);
            let mut times = times.concat();
            assert!(
                !times.is_sorted(),
                "the order of samples tells their time step"
            );
            times.sort_by(f32::total_cmp);
            times
        };
        let steps = [0f32, 125.0, 250.0, 375.0, 500.0, 625.0, 750.0, 875.0];
        let even: Vec<f32> = steps.iter().flat_map(|step| [*step; 5]).collect();
        assert_eq!(times(GENERATION), even);
        let late = times("generation(steps=8,skew=3)");
        let middle = late.iter().filter(|time| **time >= 875.0).count();
        // (1/8)^(1/3) of the samples are still at the first step.
        assert_eq!(middle, 20);
    }

    #[test]
    fn calibration_samples_are_what_the_network_is_given_on_its_way() {
        let [images, times] = calibration(GENERATION, 40, 1);
        assert_eq!(
            calibration(GENERATION, 40, 1),
            [images.clone(), times.clone()]
        );
        assert_ne!(calibration(GENERATION, 40, 2)[0], images);
        with("generation", 0, |_, network, _| {
            let sampler = SAMPLERS
                .build(&"ddim(steps=8,eta=0.5)".parse().unwrap())
                .unwrap();
            let drawing = Drawing::new(network, sampler.as_ref(), 1).unwrap();
            let sample = 17;
            let numbers = CALIBRATION + sample..CALIBRATION + sample + 1;
            let mut met = 0;
            drawing
                .images(network, numbers, &(), |moment| {
                    let [image, time] = moment.inputs;
                    if time.to_vec1::<f32>()? == times[sample] {
                        met += 1;
                        assert_eq!(image.flatten_all()?.to_vec1::<f32>()?, images[sample]);
                    }
                    Ok(())
                })
                .unwrap();
            assert_eq!(met, 1);
        });
    }

    fn evaluation(seed: usize, dense: Option<&Evaluation>) -> Evaluation {
        with("generation(steps=2)", seed, |task, network, source| {
            let classifier = Meaningless::new("vit_micro_patch4_28", json!({}), 5);
            let judge = Judge {
                model: "vit_micro_patch4_28",
                network: classifier.network(),
                preprocess: source.preprocess,
                digest: "meaningless",
            };
            let request = EvaluationRequest {
                limit: Some(3),
                dense,
                judge: Some(judge),
                ..EvaluationRequest::default()
            };
            task.evaluate(network, source, request, &()).unwrap()
        })
    }

    #[test]
    fn judges_are_the_inception_network_or_the_embedded_classifier() {
        let task = TASKS.build(&Spec::plain("generation")).unwrap();
        let judge = |given: Option<&str>, dataset| {
            let given = given.map(|text| text.parse().unwrap());
            let companions = task.companions(given, None, dataset).unwrap();
            companions
                .judge
                .map(|j| format!("{} {}", j.model, j.weights))
        };
        let embedded = "resnet20 embedded:resnet20-fashion-mnist".to_owned();
        assert_eq!(judge(None, "fashion-mnist"), Some(embedded));
        assert_eq!(judge(None, "cifar10"), None);
        for dataset in ["fashion-mnist", "cifar10"] {
            let inception = "fid_inception_v3(in_chans=3,img_size=299) a.pth".to_owned();
            assert_eq!(judge(Some("a.pth"), dataset), Some(inception));
        }
        let others = TASKS.build(&Spec::plain("classification")).unwrap();
        let error = others.companions(Some("a.pth".parse().unwrap()), None, "cifar10");
        assert!(matches!(error, Err(TaskError::NoCompanions { .. })));
    }

    #[test]
    fn drawings_are_compared_with_real_ones_and_with_the_dense_networks() {
        let dense = evaluation(0, None);
        let value = |evaluation: &Evaluation, name: &str| {
            let mut metrics = evaluation.metrics.iter();
            metrics
                .find(|(m, _)| m.name == name)
                .map(|(_, value)| *value)
        };
        assert_eq!(dense.samples, 3);
        assert_eq!(value(&dense, "drift"), Some(0.0));
        let same = evaluation(0, Some(&dense));
        assert_eq!(value(&same, "drift"), Some(0.0));
        let frechet = |evaluation| value(evaluation, "frechet-embedded");
        assert_eq!(frechet(&same), frechet(&dense));
        let other = evaluation(1, Some(&dense));
        assert!(value(&other, "drift").unwrap() > 1.0);
        let distances = [&dense, &other].map(|e| frechet(e).unwrap());
        assert!(distances[0] > 0.0 && distances[0] != distances[1]);
        assert_eq!(value(&evaluation(1, None), "drift"), Some(0.0));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let request = EvaluationRequest::default();
        let error = with("generation(steps=2000)", 0, |task, network, source| {
            task.evaluate(network, source, request, &()).unwrap_err()
        });
        let message = error.to_string();
        let expected = "2000 sampling steps, expected at most the 1000";
        assert!(message.starts_with(expected), "{message}");
        for (task, why) in [
            ("generation(sampler=euler)", "unknown sampler `euler`"),
            ("generation(sampler=ddpm,eta=1)", "unknown field `eta`"),
            ("generation(stepps=3)", "unknown field `stepps`"),
        ] {
            let error = TASKS.build(&task.parse().unwrap()).unwrap_err();
            let message = error.source().unwrap().to_string();
            assert!(message.contains(why), "{message}");
        }
        let flip = ["flip".parse().unwrap()];
        let error = with("generation", 0, |task, network, source| {
            let request = CalibrationRequest {
                count: 1,
                augment: &flip,
                seed: 0,
                strict: false,
            };
            task.calibration(network, source, &request).unwrap_err()
        });
        assert!(matches!(error, TaskError::Augmentation { .. }));
    }
}
