//! `ptsbench forward`.

use super::CliError;
use super::output::check_output;
use super::subject::SubjectArgs;
use crate::graph::ValueId;
use crate::pipeline::Subject;
use crate::registry::Spec;
use crate::weights::{Checkpoint, write_safetensors};
use candle_core::{DType, Tensor};
use clap::Args;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Example:
  ptsbench forward --model resnet20 --weights resnet20.th --input x.safetensors --output y.safetensors";

/// Runs a checkpoint on the tensors of a file: `input`, and what else the network takes; the result is called `output`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Forward {
    #[command(flatten)]
    subject: SubjectArgs,
    /// A .safetensors file with the tensor `input`, [n, c, h, w], as the network takes it (already normalised); for diffusion models also
    /// `timestep`, [n]
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The .safetensors file to write
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

impl Forward {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        check_output(&self.output, "--output")?;
        let engine = self.subject.engine()?;
        let file = Checkpoint::read(&self.input).map_err(crate::weights::WeightsError::from)?;
        let (batch, image) = self.images(&file)?;
        let subject = self.load(&engine, image)?;
        let graph = &subject.model.graph;
        let inputs = graph.inputs().iter();
        let given = inputs.map(|id| {
            let value = graph.value(*id);
            let tensor = self.tensor(&file, &value.name)?;
            let (name, shape) = (&value.name, tensor.dims());
            let expected = [&[batch], value.shape.dims()].concat();
            if shape != expected {
                let why = format!("has a `{name}` of shape {shape:?}, expected {expected:?}");
                return Err(self.bad(why));
            }
            Ok((*id, tensor.to_device(engine.device())?))
        });
        let given = given.collect::<Result<Vec<(ValueId, Tensor)>, CliError>>()?;
        let outputs = graph.run(&subject.weights, &given, graph.outputs())?;
        let names = output_names(&subject);
        let tensors = names.iter().map(String::as_str).zip(&outputs);
        write_safetensors(&self.output, tensors, &BTreeMap::new())?;
        Ok(())
    }

    fn tensor(&self, file: &Checkpoint, name: &str) -> Result<Tensor, CliError> {
        let tensor = file.tensors().get(name);
        let tensor = tensor.ok_or_else(|| self.bad(format!("has no tensor `{name}`")))?;
        Ok(tensor.to_dtype(DType::F32)?)
    }

    /// Returns how many images there are, and their shape.
    fn images(&self, file: &Checkpoint) -> Result<(usize, [usize; 3]), CliError> {
        let input = self.tensor(file, "input")?;
        let [n, c, h, w] = input.dims()[..] else {
            let shape = input.dims();
            let why = format!("has an `input` of shape {shape:?}, expected [n, c, h, w]");
            return Err(self.bad(why));
        };
        Ok((n, [c, h, w]))
    }

    fn bad(&self, why: String) -> CliError {
        CliError::Input {
            path: self.input.clone(),
            why,
        }
    }

    /// Loads the model for images of the size of the input.
    fn load(
        &self,
        engine: &crate::pipeline::Engine,
        [channels, height, _]: [usize; 3],
    ) -> Result<std::sync::Arc<Subject>, CliError> {
        let mut spec: Spec = self.subject.model.clone();
        for (key, value) in [("in_chans", channels), ("img_size", height)] {
            spec.params.entry(key).or_insert_with(|| Value::from(value));
        }
        crate::models::family_of(&spec.name)?;
        let allow = self.subject.allow();
        Ok(engine.subject(&spec, &self.subject.weights, None, allow)?)
    }
}

fn output_names(subject: &Subject) -> Vec<String> {
    let graph = &subject.model.graph;
    match graph.outputs() {
        [_] => vec!["output".to_owned()],
        many => many
            .iter()
            .map(|id| graph.value(*id).name.clone())
            .collect(),
    }
}
