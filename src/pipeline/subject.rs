//! A network with its weights and its data.

use crate::allocate::LayerWeights;
use crate::data::{Dataset, Preprocess};
use crate::graph::{BatchNormFolding, Graph, ParamId, Weights};
use crate::models::{self, Family, Model, ModelError};
use crate::registry::Spec;
use crate::tasks::Source;
use crate::weights::{Alias, AllowUnused, BindError, Checkpoint, Expected, bind};
use candle_core::{DType, Device, Tensor};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A model bound to a checkpoint, batch norms folded, with the data it is to see.
#[derive(Debug)]
pub struct Subject {
    /// The model as the checkpoint has it.
    pub model: Model,
    /// The weights as the checkpoint has them.
    pub weights: Weights,
    /// The way to the graph that is sparsified.
    pub folding: BatchNormFolding,
    /// The weights of the folded graph.
    pub folded: Weights,
    /// The file.
    pub checkpoint: Arc<Checkpoint>,
    /// The names that the model's parameters have there, in the order of its graph.
    pub names: Vec<String>,
    /// How the checkpoint expects images.
    pub preprocess: Preprocess,
    /// The data, if the work needs any.
    pub data: Option<Arc<dyn Dataset>>,
}

/// Whether tensors of a checkpoint that the model does not take are an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Allow {
    /// They are, unless they serve training only.
    #[default]
    Nothing,
    /// They are not.
    Unused,
}

/// A subject that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The checkpoint is not this model's.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The checkpoint says in an unreadable way how it expects images.
    #[error("the metadata `preprocess` of the checkpoint cannot be read")]
    Preprocess(#[from] serde_json::Error),
    /// Tensors cannot be made.
    #[error("the weights cannot be prepared")]
    Tensor(#[from] candle_core::Error),
}

impl Subject {
    /// Binds `checkpoint` to the model that `spec` names. What `spec` leaves open (`in_chans`, `num_classes`, `img_size`) is
    /// taken from the shape of the input and from the checkpoint.
    ///
    /// # Errors
    /// [`SubjectError`] where they do not go together.
    pub fn bind(
        spec: &Spec,
        checkpoint: Arc<Checkpoint>,
        image: Option<[usize; 3]>,
        allow: Allow,
        device: &Device,
    ) -> Result<Self, SubjectError> {
        let family = models::family_of(&spec.name).map_err(ModelError::from)?;
        Self::of(family, spec, checkpoint, image, allow, device)
    }

    /// Binds `checkpoint` to the variant of `family` that `spec` names, as [`Self::bind`] does; for a family that is in no table.
    ///
    /// # Errors
    /// [`SubjectError`] where they do not go together.
    pub fn of(
        family: &dyn Family,
        spec: &Spec,
        checkpoint: Arc<Checkpoint>,
        image: Option<[usize; 3]>,
        allow: Allow,
        device: &Device,
    ) -> Result<Self, SubjectError> {
        let spec = completed(spec, family, &checkpoint, image);
        if let Some(config) = checkpoint.config() {
            family.check(&spec, config)?;
        }
        let model = family.build(&spec)?;
        let others = family.other_names(&spec, &model.graph)?;
        let expected: Vec<Expected<'_>> = model
            .graph
            .params()
            .map(|(_, param)| Expected::new(&param.name, &param.shape))
            .collect();
        let unused = match allow {
            Allow::Nothing => AllowUnused::Declared(family.unused()),
            Allow::Unused => AllowUnused::All,
        };
        let aliases = others.iter().map(|other| Alias {
            publisher: other.publisher,
            names: &other.names,
        });
        let aliases: Vec<Alias<'_>> = aliases.collect();
        let bound = bind(&expected, &aliases, &checkpoint, unused)?;
        let weights = Weights::new(&model.graph, bound.tensors);
        let weights = weights.expect("bound tensors have their shapes");
        let weights = weights.to_device(device)?;
        let folding = BatchNormFolding::of(&model.graph);
        Ok(Self {
            folded: folding.fold(&weights)?,
            preprocess: preprocess(&model, &checkpoint, image)?,
            model,
            weights,
            folding,
            checkpoint,
            names: bound.names,
            data: None,
        })
    }

    /// Returns the network that is sparsified.
    pub fn graph(&self) -> &Graph {
        self.folding.graph()
    }

    /// Returns the images as the network wants them.
    pub fn source(&self) -> Option<Source<'_>> {
        self.data.as_ref().map(|data| Source {
            dataset: data.as_ref(),
            preprocess: &self.preprocess,
        })
    }

    /// Returns the prunable layers of the checkpoint's network.
    ///
    /// # Errors
    /// What candle says.
    pub fn layers(&self) -> candle_core::Result<Vec<LayerWeights>> {
        layers(&self.model.graph, &self.weights)
    }

    /// Returns the prunable layers with batch norms folded into them.
    ///
    /// # Errors
    /// What candle says.
    pub fn folded_layers(&self) -> candle_core::Result<Vec<LayerWeights>> {
        layers(self.graph(), &self.folded)
    }

    /// Returns `sparse` weights of [`Self::graph`] as a checkpoint of the same form: every tensor under its original name and of its original
    /// shape, and what the model does not take as it was.
    ///
    /// # Errors
    /// What candle says.
    pub fn checkpoint_of(&self, sparse: &Weights) -> candle_core::Result<Vec<(String, Tensor)>> {
        let unfolded = self.folding.unfold(sparse)?;
        let params = self.model.graph.params();
        let original = self.checkpoint.tensors();
        let shaped = |((id, _), name): ((ParamId, _), &String)| {
            let tensor = unfolded.tensor(id);
            let shape = original.get(name).map_or(tensor.dims(), Tensor::dims);
            Ok((name.clone(), tensor.reshape(shape)?))
        };
        let tensors: candle_core::Result<Vec<(String, Tensor)>> =
            params.zip(&self.names).map(shaped).collect();
        let taken: BTreeSet<&String> = self.names.iter().collect();
        let left = original.iter().filter(|(name, _)| !taken.contains(name));
        let left = left.map(|(name, tensor)| (name.clone(), tensor.clone()));
        Ok(tensors?.into_iter().chain(left).collect())
    }
}

/// Fills in what the data and the checkpoint decide, where the spec does not.
fn completed(
    spec: &Spec,
    family: &dyn Family,
    checkpoint: &Checkpoint,
    image: Option<[usize; 3]>,
) -> Spec {
    let ends = family.ends();
    let dim = |names: &[&str], axis: usize| {
        let mut tensors = names
            .iter()
            .filter_map(|name| checkpoint.tensors().get(*name));
        tensors.next()?.dims().get(axis).copied()
    };
    let found = [
        (
            "in_chans",
            image.map(|[c, ..]| c).or_else(|| dim(ends.stems, 1)),
        ),
        (
            "num_classes",
            dim(ends.heads, 0).map(|n| n / ends.rows_a_class),
        ),
        ("img_size", image.map(|[_, h, _]| h)),
    ];
    let mut spec = spec.clone();
    for (key, value) in found {
        if let Some(value) = value {
            spec.params.entry(key).or_insert_with(|| Value::from(value));
        }
    }
    spec
}

/// Returns how `checkpoint` expects images: as its metadata says, or else as the model's card does. Images of one shape
/// are taken as they are; others become the squares that the model takes.
fn preprocess(
    model: &Model,
    checkpoint: &Checkpoint,
    image: Option<[usize; 3]>,
) -> Result<Preprocess, serde_json::Error> {
    let card = model.card.preprocessing;
    let said = match checkpoint.metadata().get("preprocess") {
        Some(text) => serde_json::from_str(text)?,
        None => Preprocess {
            mean: card.mean.to_vec(),
            std: card.std.to_vec(),
            channels: card.channels,
            geometry: None,
        },
    };
    let [input] = model.graph.inputs() else {
        return Ok(said);
    };
    let side = model.graph.value(*input).shape.dims().last().copied();
    let side = side.filter(|&side| side > 0 && image.is_none());
    let geometry = said.geometry.unwrap_or_else(|| card.into());
    Ok(Preprocess {
        geometry: side.map(|side| geometry.with_side(side)),
        ..said
    })
}

fn layers(graph: &Graph, weights: &Weights) -> candle_core::Result<Vec<LayerWeights>> {
    graph
        .prunable()
        .map(|(id, node)| {
            let weight = weights.tensor(graph.weight_of(id));
            let values = weight.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
            Ok(LayerWeights {
                name: node.name.clone(),
                shape: weight.dims().to_vec(),
                weights: values,
            })
        })
        .collect()
}
