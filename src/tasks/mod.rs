//! What a network is for: which data it sees, which of its outputs are decoded into which metrics, how calibration inputs
//! are drawn, and which outputs a distillation compares.
//!
//! # Adding a task
//! Write `tasks/<task>.rs` with a [`Task`] and an `ENTRY`, and add it to [`TASKS`]. A task that measures something new adds a variant to
//! [`crate::metrics::Compute`] with what it collects. Allocation, reconstruction and the harness know tasks through this trait only.

mod classification;
mod companions;
pub mod detection;
mod drawn;
mod exhibit;
pub mod generation;
mod images;

pub use classification::Classification;
pub use companions::{Companions, Decoder, Judge, NetworkSpec};
pub use drawn::Drawn;
pub use exhibit::{Exhibit, Mark, Picture};
pub use images::TestImages;

use crate::data::{DataError, Dataset, Preprocess, PreprocessError, Reader};
use crate::distill::Objective;
use crate::graph::{Graph, RunError, Weights};
use crate::metrics::{Metric, ScoresError, StatisticsError};
use crate::models::Head;
use crate::progress::{Cancelled, Progress};
use crate::registry::{Registry, Spec, SpecError, Technique};
use crate::weights::WeightsSpec;
use candle_core::{Device, Tensor};
use std::fmt::Debug;

/// Every task by name.
pub static TASKS: Registry<Technique<dyn Task>> = Registry::new(
    "task",
    &[classification::ENTRY, detection::ENTRY, generation::ENTRY],
);

/// A network with one binding of its weights.
#[derive(Debug, Clone, Copy)]
pub struct Network<'a> {
    /// The operators.
    pub graph: &'a Graph,
    /// What its outputs mean.
    pub head: &'a Head,
    /// Their parameters.
    pub weights: &'a Weights,
    /// Where they are.
    pub device: &'a Device,
}

/// Images as a network wants them.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The images.
    pub dataset: &'a dyn Dataset,
    /// How the checkpoint expects them.
    pub preprocess: &'a Preprocess,
}

impl<'a> Source<'a> {
    /// Returns what reads the images; with `strict`, one that cannot be read is an error.
    pub fn reader(self, strict: bool) -> Reader<'a> {
        Reader {
            dataset: self.dataset,
            preprocess: self.preprocess,
            strict,
        }
    }
}

/// How calibration inputs are chosen.
#[derive(Debug, Clone, Copy)]
pub struct CalibrationRequest<'a> {
    /// The number of distinct images.
    pub count: usize,
    /// What is added to them, for example `flip`.
    pub augment: &'a [Spec],
    /// The seed of the choice.
    pub seed: u64,
    /// Whether an image that cannot be read is an error; otherwise another one takes its place.
    pub strict: bool,
}

/// Calibration inputs.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// For each input of the graph, all samples in one tensor `[n, ...]`.
    pub inputs: Vec<Tensor>,
    /// What was wrong with each image in whose place another one was drawn.
    pub skipped: Vec<String>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct EvaluationRequest<'a> {
    /// The number of test samples, the first ones; all if absent.
    pub limit: Option<usize>,
    /// Whether an image that cannot be read is an error; otherwise it is left out.
    pub strict: bool,
    /// What came of the dense network, where a sparse one is measured.
    pub dense: Option<&'a Evaluation>,
    /// The network that looks at what is made, where the task wants one ([`Task::companions`]).
    pub judge: Option<Judge<'a>>,
    /// The network that makes pictures of latents, likewise.
    pub decoder: Option<Decoder<'a>>,
}

/// The values of a task's metrics over some samples.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// How many samples were measured.
    pub samples: usize,
    /// What was wrong with each image that was left out.
    pub skipped: Vec<String>,
    /// The metrics in the order of the registry.
    pub metrics: Vec<(&'static Metric, f64)>,
    /// Some samples to look at, where the task has something to show.
    pub exhibits: Vec<Exhibit>,
    /// What the network drew, for the drawings of a sparse one to be compared with; nothing where it draws nothing.
    pub drawn: Option<Drawn>,
}

/// A use of networks.
pub trait Task: Send + Sync + Debug {
    /// Returns the name of the task, without its parameters.
    fn name(&self) -> &'static str;

    /// Returns what is to be small where the outputs of a whole sparse network are compared with the dense one's.
    fn objective(&self) -> Objective {
        Objective::SquaredError
    }

    /// Returns label-free calibration inputs: images and label-free copies of them, unless the task knows better.
    ///
    /// # Errors
    /// [`TaskError`] where not as many images as asked for can be read, or they do not fit the network.
    fn calibration(
        &self,
        network: Network<'_>,
        source: Source<'_>,
        request: &CalibrationRequest<'_>,
    ) -> Result<Calibration, TaskError> {
        images::calibration(network, source, request)
    }

    /// Returns the networks that take part in measuring one on a data set, given the user's: the checkpoint of a judge, and a decoder.
    ///
    /// # Errors
    /// [`TaskError::NoCompanions`] where one is given that the task has no use for.
    fn companions(
        &self,
        judge: Option<WeightsSpec>,
        decoder: Option<NetworkSpec>,
        _dataset: &str,
    ) -> Result<Companions, TaskError> {
        if judge.is_some() || decoder.is_some() {
            return Err(TaskError::NoCompanions { task: self.name() });
        }
        Ok(Companions::default())
    }

    /// Measures the network on test samples.
    ///
    /// # Errors
    /// [`TaskError`] where the data are not this task's, or the network fails.
    fn evaluate(
        &self,
        network: Network<'_>,
        source: Source<'_>,
        request: EvaluationRequest<'_>,
        progress: &dyn Progress,
    ) -> Result<Evaluation, TaskError>;
}

/// A task that cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The images cannot be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The images do not fit the preprocessing.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// An augmentation or a sampler is unknown.
    #[error(transparent)]
    Augment(#[from] SpecError),
    /// The network fails.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The outputs are not what the metrics expect.
    #[error(transparent)]
    Scores(#[from] ScoresError),
    /// The network gives another number of outputs than the task decodes.
    #[error("{task} decodes {expected} output, the network has {found}")]
    Outputs {
        /// The task.
        task: &'static str,
        /// What it decodes.
        expected: usize,
        /// What there is.
        found: usize,
    },
    /// Boxes are asked of a network that gives none.
    #[error("the model has no boxes in its outputs, expected a detector")]
    NoDetector,
    /// Drawing is asked of a network that does not see noise.
    #[error("the model does not see noise in images, expected a diffusion model")]
    NoDiffusion,
    /// Copies of images are asked of a task that has no images to copy.
    #[error("`{task}` draws its own calibration samples, expected no `augment`")]
    Augmentation {
        /// The task.
        task: &'static str,
    },
    /// Another network is given to a task that measures by labels.
    #[error("`{task}` is measured by labels, expected neither `judge` nor `decoder`")]
    NoCompanions {
        /// The task.
        task: &'static str,
    },
    /// A generator draws other things than was thought.
    #[error("the generator draws {found}, expected {expected}")]
    Latents {
        /// What it draws.
        found: &'static str,
        /// What goes with it.
        expected: &'static str,
    },
    /// A decoder does not take what the generator draws.
    #[error(
        "the decoder takes {found:?}, expected one that makes images of latents of {expected:?}"
    )]
    Decoder {
        /// The shape of what is drawn.
        expected: Vec<usize>,
        /// The shape of what it takes.
        found: Vec<usize>,
    },
    /// What a classifier sees cannot be summed up.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// Features are asked of a network that gives none.
    #[error("the model does not end in a layer on one vector an image, expected a classifier")]
    NoFeatures,
    /// A sampler has too many steps.
    #[error("{steps} sampling steps, expected at most the {most} that the network was trained for")]
    Steps {
        /// How many it has.
        steps: usize,
        /// How many time steps there are.
        most: usize,
    },
    /// A detector lacks an output.
    #[error("the network has no output `{name}` of {rows} rows, one an anchor")]
    Output {
        /// The output.
        name: &'static str,
        /// The number of anchors.
        rows: usize,
    },
    /// Outputs cannot be read.
    #[error("the outputs of the network cannot be read")]
    Tensor(#[from] candle_core::Error),
    /// The data say other things of their images than the task asks for.
    #[error("{task} needs {expected}, `{dataset}` has none")]
    Labels {
        /// The task.
        task: &'static str,
        /// What it asks for.
        expected: &'static str,
        /// The data set.
        dataset: String,
    },
    /// The data tell classes apart that the network does not.
    #[error(
        "class `{class}` has index {found}, expected below {classes}: the network was made for other data"
    )]
    Class {
        /// The name of the class, in a folder of images that of its folder.
        class: String,
        /// Its index.
        found: u32,
        /// The number of classes that the network tells apart.
        classes: usize,
    },
    /// There is nothing to measure.
    #[error("no test images to evaluate on, expected a limit of at least 1")]
    NoSamples,
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
