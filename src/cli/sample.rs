//! `ptsbench sample`.

use super::CliError;
use super::output::check_output;
use super::subject::{DecoderArgs, SubjectArgs, positive};
use crate::atomic;
use crate::data::Image;
use crate::harness::{Console, listen};
use crate::progress::Progress;
use crate::registry::Spec;
use crate::tasks::generation::{Drawing, Finish, SAMPLERS, Sampler};
use clap::Args;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
The same seed gives the same pictures, however many are drawn and with any number of threads. A sparse checkpoint and the dense one it \
was made of start from the same noise.

Examples:
  ptsbench sample --model ddpm_cifar10_32 --weights hf:google/ddpm-cifar10-32 --count 64 --output grid.png
  ptsbench sample --model ddpm_cifar10_32 --weights sparse.safetensors --sampler ddpm --steps 250 --images drawn --output grid.png";

/// Draws pictures from noise with a diffusion model, and writes them as one.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Sample {
    #[command(flatten)]
    subject: SubjectArgs,
    /// How many pictures
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = positive)]
    count: usize,
    #[command(flatten)]
    drawing: DrawingArgs,
    #[command(flatten)]
    decoder: DecoderArgs,
    /// Pictures drawn at once: more are faster and take more memory
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = positive)]
    batch_size: usize,
    /// A folder for each picture as a PNG of its own
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// The PNG to write, all pictures in a grid
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// How pictures are drawn.
#[derive(Debug, Args)]
pub(super) struct DrawingArgs {
    /// The way from noise to picture: `ddim` or `ddpm`; `ddim(eta=1)` adds as much fresh noise as DDPM
    #[arg(long, default_value = "ddim")]
    sampler: Spec,
    /// The steps on the way [default: 50 of ddim, 1000 of ddpm]
    #[arg(long, value_name = "N", value_parser = positive)]
    steps: Option<usize>,
    /// The seed of the noise
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
}

impl DrawingArgs {
    /// Returns the sampler.
    pub(super) fn sampler(&self) -> Result<Box<dyn Sampler>, CliError> {
        let mut spec = self.sampler.clone();
        if let Some(steps) = self.steps {
            spec.params.insert("steps".to_owned(), Value::from(steps));
        }
        Ok(SAMPLERS.build(&spec)?)
    }
}

impl Sample {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        check_output(&self.output, "--output")?;
        if let Some(folder) = &self.images {
            fs::create_dir_all(folder).map_err(CliError::unwritable(folder, "--images"))?;
        }
        let sampler = self.drawing.sampler()?;
        let engine = self.subject.engine()?;
        let subject = self.subject.load(&engine, None)?;
        let network = engine.network(&subject, &subject.folded);
        let drawing = Drawing::new(network, sampler.as_ref(), self.drawing.seed)?;
        let decoder = self.decoder.load(&engine)?;
        let decoder = decoder.as_deref().map(|decoder| engine.decoder(decoder));
        let finish = Finish::new(network, &subject.preprocess, decoder)?;
        listen()?;
        let watcher = Console::new().watch("sample");
        let progress: &dyn Progress = &watcher;
        let batches = self.count.div_ceil(self.batch_size);
        progress.stage("sample", batches * drawing.steps());
        let mut pictures = Vec::with_capacity(self.count);
        let sizes = (self.count, self.batch_size);
        for drawn in drawing.pictures(network, &finish, sizes, progress) {
            pictures.extend(drawn?);
        }
        drop(watcher);
        self.write(&pictures)
    }

    fn write(&self, pictures: &[Image]) -> Result<(), CliError> {
        if let Some(folder) = &self.images {
            for (number, picture) in pictures.iter().enumerate() {
                let path = folder.join(format!("{number:05}.png"));
                atomic::write(&path, &picture.to_png())
                    .map_err(CliError::unwritable(folder, "--images"))?;
            }
        }
        let columns = (pictures.len() as f64).sqrt().ceil() as usize;
        let grid = Image::grid(pictures, columns);
        atomic::write(&self.output, &grid.to_png())
            .map_err(CliError::unwritable(&self.output, "--output"))
    }
}
