//! `ptsbench fid`.

use super::CliError;
use super::eval::report;
use super::output::{Format, check_output, write};
use super::subject::{DeviceArg, positive};
use crate::data::{Image, image_files};
use crate::harness::{Console, listen};
use crate::metrics::{Moments, Statistics};
use crate::pipeline::{Allow, Engine, Subject};
use crate::progress::Progress;
use crate::registry::Spec;
use crate::tasks::generation::Features;
use crate::weights::WeightsSpec;
use clap::Args;
use serde::Serialize;
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
  ptsbench fid real.npz drawn.npz";

/// Tells how far two sets of pictures are apart: the distance of Frechet between what a classifier sees in them.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Fid {
    /// A folder of pictures, or a statistics file
    a: PathBuf,
    /// Another one; may be left out with `--save`
    #[arg(required_unless_present = "save")]
    b: Option<PathBuf>,
    /// The classifier that looks at pictures
    #[arg(long, default_value = INCEPTION)]
    model: Spec,
    /// Its checkpoint, as for the other commands
    #[arg(long, value_name = "FILE")]
    weights: Option<WeightsSpec>,
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
    path: PathBuf,
    /// How many pictures were looked at; nothing for a statistics file.
    pictures: Option<usize>,
    skipped: usize,
}

impl Fid {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        if let Some(path) = &self.save {
            check_output(path)?;
        }
        let paths: Vec<&Path> = std::iter::once(&self.a)
            .chain(&self.b)
            .map(PathBuf::as_path)
            .collect();
        let engine = Engine::new(self.device.open()?, None);
        let subject = if paths.iter().all(|path| is_file_of_statistics(path)) {
            None
        } else {
            Some(self.subject(&engine)?)
        };
        listen()?;
        let mut sets = Vec::new();
        let mut statistics = Vec::new();
        for path in paths {
            let (set, found) = match &subject {
                Some(subject) if !is_file_of_statistics(path) => {
                    self.look(&engine, subject, path)?
                }
                _ => (Set::read(path), Statistics::read(path)?),
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
        let network = subject.as_ref().map(|_| self.model.name.as_str());
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

    fn subject(&self, engine: &Engine) -> Result<Arc<Subject>, CliError> {
        crate::models::family_of(&self.model.name)?;
        let weights = self.weights.as_ref().ok_or_else(|| {
            let why =
                "pictures need `--weights`, the checkpoint of the classifier that looks at them";
            CliError::Usage(why.to_owned())
        })?;
        Ok(engine.subject(&self.model, weights, None, Allow::Nothing)?)
    }

    /// Looks at the pictures of a folder, batch by batch.
    fn look(
        &self,
        engine: &Engine,
        subject: &Subject,
        folder: &Path,
    ) -> Result<(Set, Statistics), CliError> {
        let files = image_files(folder).map_err(crate::tasks::TaskError::from)?;
        let network = engine.network(subject, &subject.folded);
        let features = Features::new(network, &subject.preprocess)?;
        let watcher = Console::new().watch("fid");
        let progress: &dyn Progress = &watcher;
        progress.stage(
            &folder.display().to_string(),
            files.len().div_ceil(self.batch_size),
        );
        let mut moments = Moments::new(features.width());
        let mut skipped = Vec::new();
        for batch in files.chunks(self.batch_size) {
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
            path: folder.to_owned(),
            pictures: Some(moments.count()),
            skipped: skipped.len(),
        };
        Ok((set, moments.statistics()?))
    }
}

/// Whether a path is a statistics file by its name.
fn is_file_of_statistics(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("npz"))
}

impl Set {
    fn read(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            pictures: None,
            skipped: 0,
        }
    }

    fn text(&self) -> String {
        let path = self.path.display();
        match (self.pictures, self.skipped) {
            (None, _) => format!("{path}"),
            (Some(pictures), 0) => format!("{path} ({pictures} pictures)"),
            (Some(pictures), skipped) => {
                format!("{path} ({pictures} pictures, {skipped} left out)")
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
