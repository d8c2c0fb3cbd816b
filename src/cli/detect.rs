//! `ptsbench detect`.

use super::CliError;
use super::draw::Sketch;
use super::subject::SubjectArgs;
use crate::atomic;
use crate::data::{DataError, Image};
use crate::harness::{Console, listen};
use crate::metrics::Detection;
use crate::progress::Progress;
use crate::tasks::detection::Detecting;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const AFTER_HELP: &str = "\
The folder gets a PNG for each image, with the boxes drawn in, and `detections.json`: for each image its width and height and the \
detections, best first, each with its box (left, upper, right, lower, in pixels), class and score.

Example:
  ptsbench detect --model ssd300_vgg16 --weights ssd300_vgg16_coco.pth --classes coco.names photo.jpg --output found";

/// Finds things in pictures of your own.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Detect {
    #[command(flatten)]
    subject: SubjectArgs,
    /// The pictures
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// A text file with the names of the classes, one a line
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Give what the detector is at least so sure of
    #[arg(long, value_name = "SCORE", default_value_t = 0.3)]
    score: f64,
    /// The folder to write to
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
}

/// What `detections.json` says of an image.
#[derive(Debug, Serialize)]
struct Document {
    image: PathBuf,
    width: usize,
    height: usize,
    detections: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    #[serde(rename = "box")]
    edges: [f64; 4],
    class: String,
    score: f64,
}

impl Detect {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        let names = self.names()?;
        let engine = self.subject.engine()?;
        let subject = self.subject.load(&engine, None)?;
        let network = engine.network(&subject, &subject.folded);
        let detecting = Detecting::new(network, &subject.preprocess)?;
        fs::create_dir_all(&self.output).map_err(|source| self.folder(source))?;
        listen()?;
        let watcher = Console::new().watch("detect");
        let progress: &dyn Progress = &watcher;
        progress.stage("detect", self.images.len());
        let mut documents = Vec::new();
        let mut unreadable = Vec::new();
        let mut taken = BTreeSet::new();
        for path in &self.images {
            progress.check().map_err(|_| CliError::Interrupted)?;
            match Image::read(path) {
                Ok(image) => {
                    let found = detecting.image(network, &image)?;
                    let document = self.document(path, &image, &found, &names);
                    self.draw(&image, &document, &mut taken)?;
                    documents.push(document);
                }
                Err(error) => unreadable.push(error),
            }
            progress.step("image");
        }
        drop(watcher);
        let text = serde_json::to_vec_pretty(&documents).map_err(std::io::Error::from)?;
        let path = self.output.join("detections.json");
        atomic::write(&path, &text).map_err(|source| self.folder(source))?;
        summary(&documents, &unreadable)
    }

    fn names(&self) -> Result<Vec<String>, CliError> {
        let Some(path) = &self.classes else {
            return Ok(Vec::new());
        };
        let text = fs::read_to_string(path).map_err(|error| CliError::Input {
            path: path.clone(),
            why: format!("cannot be read: {error}"),
        })?;
        Ok(text.lines().map(|line| line.trim().to_owned()).collect())
    }

    fn folder(&self, source: std::io::Error) -> CliError {
        CliError::unwritable(&self.output, "--output")(source)
    }

    fn document(
        &self,
        path: &Path,
        image: &Image,
        found: &[Detection],
        names: &[String],
    ) -> Document {
        let [_, height, width] = image.shape();
        let sure = found.iter().filter(|found| found.score >= self.score);
        let line = |found: &Detection| Line {
            edges: found.rect.edges(),
            class: match names.get(found.class as usize) {
                Some(name) => name.clone(),
                None => format!("class {}", found.class),
            },
            score: found.score,
        };
        Document {
            image: path.to_owned(),
            width,
            height,
            detections: sure.map(line).collect(),
        }
    }

    /// Writes the picture with its boxes, under a name of its own.
    fn draw(
        &self,
        image: &Image,
        document: &Document,
        taken: &mut BTreeSet<String>,
    ) -> Result<(), CliError> {
        let mut sketch = Sketch::of(image);
        for line in &document.detections {
            let label = format!("{} {:.0}%", line.class, 100.0 * line.score);
            sketch.frame(line.edges, &line.class, &label);
        }
        let stem = document.image.file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy();
        let numbered = |number: usize| match number {
            1 => format!("{stem}.png"),
            number => format!("{stem}-{number}.png"),
        };
        let mut names = (1..=taken.len() + 1).map(numbered);
        let name = names.find(|name| taken.insert(name.clone()));
        let name = name.expect("one more name than were taken");
        let path = self.output.join(name);
        atomic::write(&path, &sketch.to_png()).map_err(|source| self.folder(source))
    }
}

/// Says what was found on stdout and what could not be read on stderr.
fn summary(documents: &[Document], unreadable: &[DataError]) -> Result<(), CliError> {
    let lines = documents.iter().map(|document| {
        let found = document.detections.iter();
        let found = found.map(|line| format!("{} {:.2}", line.class, line.score));
        let found: Vec<String> = found.collect();
        let found = if found.is_empty() {
            "nothing".to_owned()
        } else {
            found.join(", ")
        };
        format!("{}: {found}", document.image.display())
    });
    super::output::emit(&lines.collect::<Vec<_>>().join("\n"))?;
    for error in unreadable {
        eprintln!("left out: {error}");
    }
    match unreadable.len() {
        0 => Ok(()),
        count => {
            let all = documents.len() + count;
            let message = format!("{count} of {all} images could not be read");
            Err(CliError::Failed(message))
        }
    }
}
