//! `ptsbench fid`.

use super::CliError;
use super::eval::report;
use super::output::{Format, check_output, write};
use super::sample::DrawingArgs;
use super::subject::{DeviceArg, positive};
use crate::data::{Image, image_files};
use crate::harness::{Console, listen};
use crate::metrics::{Moments, Statistics};
use crate::pipeline::{Allow, Engine, Subject};
use crate::progress::Progress;
use crate::registry::Spec;
use crate::tasks::TaskError;
use crate::tasks::generation::{Drawing, Features};
use crate::weights::WeightsSpec;
use clap::Args;
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The network of the Frechet inception distance.
const INCEPTION: &str = "fid_inception_v3";

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
    #[arg(long, default_value = INCEPTION)]
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
}

#[derive(Debug, Serialize)]
struct Set {
    /// A path, or the generator.
    name: String,
    /// How many pictures were looked at; nothing for a statistics file.
    pictures: Option<usize>,
    skipped: usize,
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
            check_output(path)?;
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
        let mut statistics = Vec::new();
        for origin in origins {
            let (set, found) = match (origin, &judge) {
                (Origin::Statistics(path), _) | (Origin::Folder(path), None) => {
                    (Set::of(path.display()), Statistics::read(path)?)
                }
                (Origin::Folder(path), Some(judge)) => self.look_at(&engine, judge, path)?,
                (Origin::Generator(model, weights), judge) => {
                    let judge = judge.as_ref().expect("pictures have a judge");
                    self.look_at_drawings(&engine, judge, model, weights)?
                }
            };
            sets.push(set);
            statistics.push(found);
        }
        if let Some(path) = &self.save {
            statistics[0].write(path)?;
        }
        let distance = match &statistics[..] {
            [a, b] => Some(a.frechet(b)?),
            _ => None,
        };
        let network = judge.as_ref().map(|_| self.model.name.as_str());
        let document = Document {
            metric: match network {
                Some(INCEPTION) => "fid",
                _ => "frechet",
            },
            model: network.map(|_| self.model.to_string()),
            sets,
            distance,
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
        crate::models::family_of(&self.model.name)?;
        let weights = self.weights.as_ref().ok_or_else(|| {
            let why =
                "pictures need `--weights`, the checkpoint of the classifier that looks at them";
            CliError::Usage(why.to_owned())
        })?;
        Ok(engine.subject(&self.model, weights, None, Allow::Nothing)?)
    }

    /// Looks at the pictures of a folder, batch by batch.
    fn look_at(
        &self,
        engine: &Engine,
        judge: &Subject,
        folder: &Path,
    ) -> Result<(Set, Statistics), CliError> {
        let files = image_files(folder).map_err(TaskError::from)?;
        let network = engine.network(judge, &judge.folded);
        let features = Features::new(network, &judge.preprocess)?;
        let watcher = Console::new().watch("fid");
        let progress: &dyn Progress = &watcher;
        let batches = files.chunks(self.batch_size);
        progress.stage(&folder.display().to_string(), batches.len());
        let mut moments = Moments::new(features.width());
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
                moments.push(&features.of(&images)?)?;
            }
            progress.step("batch");
        }
        drop(watcher);
        report(&skipped);
        let set = Set {
            pictures: Some(moments.count()),
            skipped: skipped.len(),
            ..Set::of(folder.display())
        };
        Ok((set, moments.statistics()?))
    }

    /// Draws pictures and looks at them, batch by batch.
    fn look_at_drawings(
        &self,
        engine: &Engine,
        judge: &Subject,
        model: &Spec,
        weights: &WeightsSpec,
    ) -> Result<(Set, Statistics), CliError> {
        crate::models::family_of(&model.name)?;
        let generator = engine.subject(model, weights, None, Allow::Nothing)?;
        let drawer = engine.network(&generator, &generator.folded);
        let sampler = self.drawing.sampler()?;
        let drawing = Drawing::new(drawer, sampler.as_ref(), self.drawing.seed)?;
        let network = engine.network(judge, &judge.folded);
        let features = Features::new(network, &judge.preprocess)?;
        let watcher = Console::new().watch("fid");
        let progress: &dyn Progress = &watcher;
        let steps = self.count.div_ceil(self.batch_size) * drawing.steps();
        progress.stage(&model.to_string(), steps);
        let mut moments = Moments::new(features.width());
        let sizes = (self.count, self.batch_size);
        for drawn in drawing.pictures(drawer, &generator.preprocess, sizes, progress) {
            moments.push(&features.of(&drawn?)?)?;
        }
        let set = Set {
            pictures: Some(self.count),
            ..Set::of(model)
        };
        Ok((set, moments.statistics()?))
    }
}

impl Set {
    fn of(name: impl Display) -> Self {
        Self {
            name: name.to_string(),
            pictures: None,
            skipped: 0,
        }
    }

    fn text(&self) -> String {
        let name = &self.name;
        match (self.pictures, self.skipped) {
            (None, _) => name.clone(),
            (Some(pictures), 0) => format!("{name} ({pictures} pictures)"),
            (Some(pictures), skipped) => {
                format!("{name} ({pictures} pictures, {skipped} left out)")
            }
        }
    }
}

impl Document {
    fn text(&self) -> String {
        let sets: Vec<String> = self.sets.iter().map(Set::text).collect();
        match self.distance {
            Some(distance) => format!(
                "{} {distance:.4} between {}",
                self.metric,
                sets.join(" and ")
            ),
            None => format!("statistics of {}", sets.concat()),
        }
    }
}
