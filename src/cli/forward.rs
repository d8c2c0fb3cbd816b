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

/// Runs a checkpoint on the tensor `input` of a file; the result is called `output`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Forward {
    #[command(flatten)]
    subject: SubjectArgs,
    /// A .safetensors file with the tensor `input`, [n, c, h, w], as the network takes it (already normalised)
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The .safetensors file to write
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

impl Forward {
    pub(super) fn execute(&self) -> Result<(), CliError> {
        check_output(&self.output)?;
        let engine = self.subject.engine()?;
        let input = self.read()?.to_device(engine.device())?;
        let subject = self.load(&engine, &input)?;
        let graph = &subject.model.graph;
        let given: Vec<(ValueId, Tensor)> = graph
            .inputs()
            .iter()
            .map(|id| (*id, input.clone()))
            .collect();
        let outputs = graph.run(&subject.weights, &given, graph.outputs())?;
        let names = output_names(&subject);
        let tensors = names.iter().map(String::as_str).zip(&outputs);
        write_safetensors(&self.output, tensors, &BTreeMap::new())?;
        Ok(())
    }

    fn read(&self) -> Result<Tensor, CliError> {
        let file = Checkpoint::read(&self.input).map_err(crate::weights::WeightsError::from)?;
        let input = file.tensors().get("input");
        let input = input.ok_or_else(|| CliError::Input {
            path: self.input.clone(),
            why: "has no tensor `input`".to_owned(),
        })?;
        if input.rank() != 4 {
            return Err(CliError::Input {
                path: self.input.clone(),
                why: format!(
                    "has an `input` of shape {:?}, expected [n, c, h, w]",
                    input.dims()
                ),
            });
        }
        Ok(input.to_dtype(DType::F32)?)
    }

    /// Loads the model for images of the size of the input.
    fn load(
        &self,
        engine: &crate::pipeline::Engine,
        input: &Tensor,
    ) -> Result<std::sync::Arc<Subject>, CliError> {
        let (_, channels, height, _) = input.dims4()?;
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
