//! `ptsbench fid`.

use super::CliError;
use super::eval::report;
use super::output::{Format, check_output, write};
use super::sample::DrawingArgs;
use super::subject::{DecoderArgs, DeviceArg, load, positive};
use crate::data::{Image, image_files};
use crate::harness::{Console, listen};
use crate::metrics::{Impressions, Statistics};
use crate::models::FID_INCEPTION;
use crate::pipeline::{Engine, Subject};
use crate::progress::Progress;
use crate::registry::Spec;
use crate::tasks::TaskError;
use crate::tasks::generation::{Drawing, Finish, Look};
use crate::weights::WeightsSpec;
use clap::Args;
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const AFTER_HELP: &str = "\
With the network of the Frechet inception distance (`pt_inception-2015-12-05-6726825d.pth` of pytorch-fid, the default model) the result is \
the FID of the literature. Any other classifier gives a distance too, which compares with its own kind only.

A statistics file is a .npz with `mu` and `sigma`, as pytorch-fid reads and writes it. Two of them need no network.

Examples:
  ptsbench fid real/ drawn/ --weights pt_inception-2015-12-05-6726825d.pth
  ptsbench fid real/ --weights pt_inception-2015-12-05-6726825d.pth --save real.npz
  ptsbench fid real.npz drawn.npz
  ptsbench fid real.npz --generator ddpm_cifar10_32 --generator-weights sparse.safetensors --steps 100 \\
      --weights pt_inception-2015-12-05-6726825d.pth";

/// Tells how far two sets of pictures are apart: the distance of Frechet between what a classifier sees in them.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Fid {
    /// A folder of pictures, or a statistics file
    a: PathBuf,
    /// Another one; may be left out with `--save`
    #[arg(required_unless_present_any = ["save", "generator"], conflicts_with = "generator")]
    b: Option<PathBuf>,
    /// The classifier that looks at pictures
    #[arg(long, default_value = FID_INCEPTION)]
    model: Spec,
    /// Its checkpoint, as for the other commands
    #[arg(long, value_name = "FILE")]
    weights: Option<WeightsSpec>,
    /// Compare with what this diffusion model draws
    #[arg(long, value_name = "MODEL", requires = "generator_weights")]
    generator: Option<Spec>,
    /// Its checkpoint
    #[arg(long, value_name = "FILE")]
    generator_weights: Option<WeightsSpec>,
    /// How many pictures it draws
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = positive)]
    count: usize,
    #[command(flatten)]
    drawing: DrawingArgs,
    #[command(flatten)]
    decoder: DecoderArgs,
    /// Write the statistics of the first set to this .npz
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Pictures looked at at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = positive)]
    batch_size: usize,
    /// How to write the distance
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    device: DeviceArg,
}

#[derive(Debug, Serialize)]
struct Document {
    metric: &'static str,
    model: Option<String>,
    sets: Vec<Set>,
    distance: Option<f64>,
    /// A thousand times the kernel distance, where pictures of both sets were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_distance: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Set {
    /// A path, or the generator.
    name: String,
    /// How many pictures were looked at; nothing for a statistics file.
    pictures: Option<usize>,
    skipped: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    inception_score: Option<f64>,
}

/// What is known of a set.
#[derive(Debug)]
enum Known {
    Statistics(Statistics),
    Impressions(Impressions),
}

/// Where pictures, or what is known of them, come from.
#[derive(Debug, Clone, Copy)]
enum Origin<'a> {
    Statistics(&'a Path),
    Folder(&'a Path),
    Generator(&'a Spec, &'a WeightsSpec),
}

impl Fid {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        if let Some(path) = &self.save {
            check_output(path, "--save")?;
        }
        let origins = self.origins();
        let engine = Engine::new(self.device.open()?, None);
        let known = |origin: &Origin<'_>| matches!(origin, Origin::Statistics(_));
        let judge = if origins.iter().all(known) {
            None
        } else {
            Some(self.judge(&engine)?)
        };
        listen()?;
        let mut sets = Vec::new();
        let mut found = Vec::new();
        for origin in origins {
            let (set, known) = match (origin, &judge) {
                (Origin::Statistics(path), _) | (Origin::Folder(path), None) => {
                    let statistics = Statistics::read(path)?;
                    (Set::of(path.display()), Known::Statistics(statistics))
                }
                (Origin::Folder(path), Some(judge)) => self.look_at(&engine, judge, path)?,
                (Origin::Generator(model, weights), judge) => {
                    let judge = judge.as_ref().expect("pictures have a judge");
                    self.look_at_drawings(&engine, judge, model, weights)?
                }
            };
            sets.push(set);
            found.push(known);
        }
        if let Some(path) = &self.save {
            found[0].statistics().write(path)?;
        }
        let distance = match &found[..] {
            [a, b] => Some(a.statistics().frechet(b.statistics())?),
            _ => None,
        };
        let kernel_distance = match &found[..] {
            [Known::Impressions(a), Known::Impressions(b)] => a.kernel_distance(b)?,
            _ => None,
        };
        let network = judge.as_ref().map(|_| self.model.name.as_str());
        let document = Document {
            metric: match network {
                Some(FID_INCEPTION) => "fid",
                _ => "frechet",
            },
            model: network.map(|_| self.model.to_string()),
            sets,
            distance,
            kernel_distance: kernel_distance.map(|distance| 1000.0 * distance),
        };
        write(self.format, &document, Document::text)
    }

    fn origins(&self) -> Vec<Origin<'_>> {
        let paths = std::iter::once(&self.a).chain(&self.b);
        let given = paths.map(|path| match path.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("npz") => Origin::Statistics(path),
            _ => Origin::Folder(path),
        });
        let drawn = self.generator.iter().zip(&self.generator_weights);
        given
            .chain(drawn.map(|(model, weights)| Origin::Generator(model, weights)))
            .collect()
    }

    /// Loads the network that looks at pictures.
    fn judge(&self, engine: &Engine) -> Result<Arc<Subject>, CliError> {
        // A misspelt model is told before a missing checkpoint.
        crate::models::family_of(&self.model.name)?;
        let weights = self.weights.as_ref().ok_or_else(|| {
            let why =
                "pictures need `--weights`, the checkpoint of the classifier that looks at them";
            CliError::Usage(why.to_owned())
        })?;
        load(engine, &self.model, weights)
    }

    /// Looks at the pictures of a folder, batch by batch.
    fn look_at(
        &self,
        engine: &Engine,
        judge: &Subject,
        folder: &Path,
    ) -> Result<(Set, Known), CliError> {
        let files = image_files(folder).map_err(TaskError::from)?;
        let mut look = Look::new(engine.judge(judge), files.len())?;
        let watcher = Console::new().watch("fid");
        let progress: &dyn Progress = &watcher;
        let batches = files.chunks(self.batch_size);
        progress.stage(&folder.display().to_string(), batches.len());
        let mut skipped = Vec::new();
        for batch in batches {
            progress.check().map_err(|_| CliError::Interrupted)?;
            let mut images = Vec::with_capacity(batch.len());
            for path in batch {
                match Image::read(path) {
                    Ok(image) => images.push(image),
                    Err(error) => skipped.push(error.to_string()),
                }
            }
            if !images.is_empty() {
                look.push(&images)?;
            }
            progress.step("batch");
        }
        drop(watcher);
        report(&skipped);
        let set = Set {
            skipped: skipped.len(),
            ..Set::of(folder.display())
        };
        set.seen(&look)
    }

    /// Draws pictures and looks at them, batch by batch.
    fn look_at_drawings(
        &self,
        engine: &Engine,
        judge: &Subject,
        model: &Spec,
        weights: &WeightsSpec,
    ) -> Result<(Set, Known), CliError> {
        let generator = load(engine, model, weights)?;
        let drawer = engine.network(&generator, &generator.folded);
        let sampler = self.drawing.sampler()?;
        let drawing = Drawing::new(drawer, sampler.as_ref(), self.drawing.seed)?;
        let decoder = self.decoder.load(engine)?;
        let decoder = decoder.as_deref().map(|decoder| engine.decoder(decoder));
        let finish = Finish::new(drawer, &generator.preprocess, decoder)?;
        let mut look = Look::new(engine.judge(judge), self.count)?;
        let watcher = Console::new().watch("fid");
        let progress: &dyn Progress = &watcher;
        let steps = self.count.div_ceil(self.batch_size) * drawing.steps();
        progress.stage(&model.to_string(), steps);
        let sizes = (self.count, self.batch_size);
        for drawn in drawing.pictures(drawer, &finish, sizes, progress) {
            look.push(&drawn?)?;
        }
        Set::of(model).seen(&look)
    }
}

impl Set {
    fn of(name: impl Display) -> Self {
        Self {
            name: name.to_string(),
            pictures: None,
            skipped: 0,
            inception_score: None,
        }
    }

    /// Adds what was seen in its pictures.
    fn seen(self, look: &Look<'_>) -> Result<(Self, Known), CliError> {
        let impressions = look.impressions()?;
        let set = Self {
            pictures: Some(look.count()),
            inception_score: impressions.inception_score,
            ..self
        };
        Ok((set, Known::Impressions(impressions)))
    }

    fn text(&self) -> String {
        let mut said: Vec<String> = Vec::new();
        said.extend(self.pictures.map(|pictures| format!("{pictures} pictures")));
        said.extend((self.skipped > 0).then(|| format!("{} left out", self.skipped)));
        let score = self.inception_score;
        said.extend(score.map(|score| format!("Inception score {score:.3}")));
        if said.is_empty() {
            self.name.clone()
        } else {
            format!("{} ({})", self.name, said.join(", "))
        }
    }
}

impl Known {
    fn statistics(&self) -> &Statistics {
        match self {
            Self::Statistics(statistics) => statistics,
            Self::Impressions(impressions) => &impressions.statistics,
        }
    }
}

impl Document {
    fn text(&self) -> String {
        let sets: Vec<String> = self.sets.iter().map(Set::text).collect();
        let kernel = self.kernel_distance;
        let kernel = kernel.map(|distance| match self.metric {
            "fid" => format!(", kid {distance:.4} / 1000"),
            _ => format!(", kernel distance {distance:.4} / 1000"),
        });
        match self.distance {
            Some(distance) => format!(
                "{} {distance:.4}{} between {}",
                self.metric,
                kernel.unwrap_or_default(),
                sets.join(" and ")
            ),
            None => format!("statistics of {}", sets.concat()),
        }
    }
}
