//! Options that several commands share.

use super::CliError;
use crate::case::{Case, CaseSpec, DecoderSpec, Settings};
use crate::data::DataSpec;
use crate::pipeline::{Allow, Engine, Subject};
use crate::registry::Spec;
use crate::tasks::{Companions, NetworkSpec, Task};
use crate::weights::WeightsSpec;
use candle_core::Device;
use clap::Args;
use std::str::FromStr;
use std::sync::Arc;

/// Where to compute.
#[derive(Debug, Args)]
pub(super) struct DeviceArg {
    /// Where to compute: `cpu` or `cuda:N`
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    device: String,
}

/// How much memory to take.
#[derive(Debug, Args)]
pub(super) struct MemoryArg {
    /// Bytes for the activations that a case keeps (`512M`, `2G`); more are computed again when needed, which takes longer and changes no
    /// result. Weights, images and a batch at work come on top [default: 4G]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory: Option<usize>,
}

impl MemoryArg {
    /// Returns the bytes.
    pub(super) fn bytes(&self) -> usize {
        self.memory.unwrap_or(Engine::MEMORY)
    }
}

/// A network of the user's.
#[derive(Debug, Args)]
pub(super) struct SubjectArgs {
    /// The model, see `ptsbench models`; parameters may be overridden: `resnet20(num_classes=100)`
    #[arg(long)]
    pub(super) model: Spec,
    /// The checkpoint: a .safetensors, .pth, .pt or .th file, the .index.json of one in several files, `hf:<owner>/<repo>[/<file>]`,
    /// or `embedded:<name>`
    #[arg(long, value_name = "FILE")]
    pub(super) weights: WeightsSpec,
    /// Allow tensors in the checkpoint that the model does not take
    #[arg(long)]
    allow_unused: bool,
    #[command(flatten)]
    device: DeviceArg,
}

/// What a network is measured by.
#[derive(Debug, Args)]
pub(super) struct TaskArg {
    /// The model's task with other parameters, for example `generation(steps=20)`
    #[arg(long, value_name = "SPEC")]
    task: Option<Spec>,
    /// For generators, the checkpoint of the Inception network (`pt_inception-2015-12-05-6726825d.pth` of pytorch-fid): measures FID, KID and
    /// the Inception score
    #[arg(long, value_name = "FILE")]
    judge: Option<WeightsSpec>,
    #[command(flatten)]
    decoder: DecoderArgs,
}

/// What makes pictures of latents.
#[derive(Debug, Args)]
pub(super) struct DecoderArgs {
    /// For generators that draw latents, the checkpoint of the decoder that makes pictures of them
    #[arg(long, value_name = "FILE")]
    decoder_weights: Option<WeightsSpec>,
    /// The decoder
    #[arg(long, value_name = "MODEL", default_value = "vq_celebahq_256")]
    decoder: Spec,
}

impl DecoderArgs {
    /// Returns the decoder, if its checkpoint is given.
    pub(super) fn spec(&self) -> Option<NetworkSpec> {
        let weights = self.decoder_weights.clone()?;
        let model = self.decoder.clone();
        Some(NetworkSpec { model, weights })
    }

    /// Loads the decoder, if its checkpoint is given.
    pub(super) fn load(&self, engine: &Engine) -> Result<Option<Arc<Subject>>, CliError> {
        let load = |spec: NetworkSpec| load(engine, &spec.model, &spec.weights);
        self.spec().map(load).transpose()
    }
}

impl TaskArg {
    /// Returns the networks that take part in measuring on `data`.
    pub(super) fn companions(
        &self,
        task: &dyn Task,
        data: &DataSpec,
    ) -> Result<Companions, CliError> {
        let (judge, decoder) = (self.judge.clone(), self.decoder.spec());
        Ok(task.companions(judge, decoder, data.dataset_name())?)
    }

    /// Returns the task of `model`.
    pub(super) fn spec(&self, model: &Spec) -> Result<Spec, CliError> {
        let family = crate::models::family_of(&model.name)?;
        match &self.task {
            None => Ok(Spec::plain(family.task())),
            Some(task) if task.name == family.task() => Ok(task.clone()),
            Some(task) => Err(CliError::Usage(format!(
                "`{model}` is for the task `{}`, not for `{}`",
                family.task(),
                task.name
            ))),
        }
    }
}

/// Calibration data, for techniques that look at any.
#[derive(Debug, Args)]
pub(super) struct CalibrationArgs {
    /// Samples a step
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = positive)]
    batch_size: usize,
    /// Calibration images
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = positive)]
    calibration: usize,
    /// Label-free copies added to the calibration images, see `ptsbench sparsify --help`; may be given more than once
    #[arg(long)]
    augment: Vec<Spec>,
    /// The seed of everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Fail on an image that cannot be read, instead of leaving it out
    #[arg(long)]
    strict: bool,
}

impl CalibrationArgs {
    /// Returns the settings of a case, those without an option here at their defaults.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            batch_size: self.batch_size,
            calibration: self.calibration,
            augment: self.augment.iter().map(ToString::to_string).collect(),
            seed: self.seed,
            strict: self.strict,
            ..Settings::default()
        }
    }
}

impl DeviceArg {
    /// Returns the device, which must be there: a GPU that was asked for is not replaced by the CPU.
    pub(super) fn open(&self) -> Result<Device, CliError> {
        let cuda = self.device.strip_prefix("cuda:").map(usize::from_str);
        match (self.device.as_str(), cuda) {
            ("cpu", _) => Ok(Device::Cpu),
            ("cuda", _) => cuda_device(0),
            (_, Some(Ok(ordinal))) => cuda_device(ordinal),
            (other, _) => Err(CliError::Usage(format!(
                "unknown device `{other}`, expected `cpu` or `cuda:N`"
            ))),
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda_device(ordinal: usize) -> Result<Device, CliError> {
    Device::new_cuda(ordinal)
        .map_err(|error| CliError::Device(format!("`cuda:{ordinal}` cannot be used: {error}")))
}

#[cfg(not(feature = "cuda"))]
fn cuda_device(ordinal: usize) -> Result<Device, CliError> {
    Err(CliError::Device(format!(
        "`cuda:{ordinal}` cannot be used: this program was built without CUDA, build it with `cargo build --release --features cuda`"
    )))
}

impl SubjectArgs {
    /// Returns an engine on the device.
    pub(super) fn engine(&self) -> Result<Engine, CliError> {
        Ok(Engine::new(self.device.open()?, None))
    }

    /// Returns the case of a technique on this network, of no suite.
    pub(super) fn case(
        &self,
        suite: &str,
        (task, data): (&TaskArg, &DataSpec),
        (allocator, reconstruction, sparsity): (&Spec, &str, f64),
        settings: Settings,
    ) -> Result<Case, CliError> {
        let spec = CaseSpec {
            suite: suite.to_owned(),
            task: task.spec(&self.model)?.to_string(),
            dataset: data.dataset_name().to_owned(),
            model: self.model.to_string(),
            weights: self.weights.to_string(),
            data: data.to_string(),
            judge: task.judge.as_ref().map(ToString::to_string),
            decoder: task.decoder.spec().map(|decoder| DecoderSpec {
                model: decoder.model.to_string(),
                weights: decoder.weights.to_string(),
            }),
            allocator: allocator.to_string(),
            reconstruction: reconstruction.to_owned(),
            sparsity,
            settings,
        };
        Ok(Case::resolve(spec)?)
    }

    /// Returns whether left-over tensors are allowed.
    pub(super) fn allow(&self) -> Allow {
        if self.allow_unused {
            Allow::Unused
        } else {
            Allow::Nothing
        }
    }

    /// Loads the network, and the data if given; says on stderr what was loaded.
    pub(super) fn load(
        &self,
        engine: &Engine,
        data: Option<&DataSpec>,
    ) -> Result<Arc<Subject>, CliError> {
        crate::models::family_of(&self.model.name)?;
        let subject = engine.subject(&self.model, &self.weights, data, self.allow())?;
        let digest = subject.checkpoint.digest();
        eprintln!("weights {}, blake3 {digest}", self.weights);
        Ok(subject)
    }
}

/// Loads a network that helps with another one, without data; a model that nobody knows is wrong usage.
pub(super) fn load(
    engine: &Engine,
    model: &Spec,
    weights: &WeightsSpec,
) -> Result<Arc<Subject>, CliError> {
    crate::models::family_of(&model.name)?;
    Ok(engine.subject(model, weights, None, Allow::Nothing)?)
}

/// Reads a rate.
pub(super) fn sparsity(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..1.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("expected a number in [0, 1)".to_owned())
    }
}

/// Reads a number of bytes, in units of 1024 where it ends in K, M, G or T.
fn bytes(text: &str) -> Result<usize, String> {
    let unit = text.chars().last().map(|last| last.to_ascii_uppercase());
    let power = unit.and_then(|unit| "KMGT".find(unit));
    let digits = power.map_or(text, |_| &text[..text.len() - 1]);
    let power = power.map_or(0, |place| place as u32 + 1);
    let number = digits.parse::<usize>().ok();
    number
        .and_then(|number| number.checked_mul(1024_usize.checked_pow(power)?))
        .ok_or_else(|| "expected a number of bytes such as `512M` or `2G`".to_owned())
}

/// Reads a number of at least one.
pub(super) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number of at least 1".to_owned()),
        Ok(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("512M"), Ok(512 << 20));
        assert_eq!(bytes("2g"), Ok(2 << 30));
        for bad in ["", "G", "2GB", "-1", "1.5G", "99999999T"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
