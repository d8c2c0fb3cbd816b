//! The networks, one file a family.
//!
//! # Adding a family
//! Write `models/<family>.rs`: a struct whose fields are the architecture's parameters (named as in timm), an
//! `Architecture` for it that builds the graph with the names of the published checkpoint, and a `Table` of its variants, each with a
//! [`Card`] that says where that checkpoint is and how it expects images. Then add the table to [`FAMILIES`]. Nothing else in the
//! program knows a model's name.
//!
//! Any model can be edited: `resnet20(relocate=jitter,reach=1)` moves the features between its stages ([`crate::graph::Relocation`]).
//!
//! Where another publisher has the same function under other parameter names, the architecture lists a `Dialect`. A network that differs
//! in no more than an epsilon is another function, and gets a table of its own.

mod card;
mod convnext;
mod default_boxes;
mod deit;
mod densenet;
mod detection;
mod dialect;
mod diffusers;
mod efficientnet;
mod efficientnet_lite;
mod fcos;
mod fpn;
mod googlenet;
mod head;
mod inception_v3;
mod inverted;
mod mlp_mixer;
mod mnasnet;
mod mobilenetv1;
mod mobilenetv2;
mod mobilenetv3;
mod parts;
mod poolformer;
mod regnet;
mod resnet;
mod resnet_cifar;
mod retinanet;
mod shufflenetv2;
mod squeezenet;
mod ssd;
mod ssd_mobilenet;
mod ssd_resnet;
mod ssdlite;
mod swin;
mod unet2d;
mod vgg;
mod vit;
mod vqmodel;
mod yolox;

pub use card::{Card, ChannelOrder, Fit, Interpolation, Origin, Preprocessing};
pub use dialect::{Dialect, OtherNames};
pub use head::{
    BetaSchedule, Candidates, Coding, Detector, Diffusion, Head, Level, Scoring, Selection,
};
pub use inception_v3::FID_INCEPTION;

use crate::graph::{BuildError, Graph, Relocation};
use crate::registry::{Named, Params, Registry, Spec, UnknownName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The largest number that a parameter of a model may be: what shapes and counts of it then come to does not overflow.
const LARGEST: f64 = 65_536.0;

/// Every family of models.
pub static FAMILIES: Registry<&'static dyn Family> = Registry::new(
    "model family",
    &[
        &densenet::FAMILY,
        &googlenet::FAMILY,
        &inception_v3::FAMILY,
        &resnet_cifar::FAMILY,
        &resnet::FAMILY,
        &efficientnet::FAMILY,
        &efficientnet_lite::FAMILY,
        &mnasnet::FAMILY,
        &mobilenetv1::FAMILY,
        &mobilenetv2::FAMILY,
        &mobilenetv2::TIMM,
        &mobilenetv3::FAMILY,
        &mobilenetv3::TIMM,
        &regnet::FAMILY,
        &regnet::TIMM,
        &shufflenetv2::FAMILY,
        &squeezenet::FAMILY,
        &vgg::FAMILY,
        &vit::FAMILY,
        &deit::FAMILY,
        &convnext::FAMILY,
        &swin::FAMILY,
        &mlp_mixer::FAMILY,
        &poolformer::FAMILY,
        &ssd::FAMILY,
        &ssdlite::FAMILY,
        &ssd_mobilenet::FAMILY,
        &ssd_mobilenet::LITE,
        &ssd_resnet::FAMILY,
        &yolox::FAMILY,
        &retinanet::FAMILY,
        &fcos::FAMILY,
        &unet2d::FAMILY,
        &vqmodel::FAMILY,
    ],
);

/// A parametrised network: its fields are its parameters, among them `in_chans`, `num_classes` and `img_size`.
pub trait Architecture: Serialize + DeserializeOwned + Clone + 'static {
    /// The weight whose second dimension is the number of input channels, by all the names it may have.
    const STEMS: &'static [&'static str];
    /// The weight whose first dimension is the number of classes, by all the names it may have.
    const HEADS: &'static [&'static str];
    /// How many rows of that weight each class has: the anchors of a cell, where the network is a detector.
    const ROWS_A_CLASS: usize = 1;
    /// The names of other publishers.
    const DIALECTS: &'static [Dialect<Self>] = &[];
    /// Components of the names of tensors that published checkpoints hold besides: what serves training alone, or follows from the rest.
    const UNUSED: &'static [&'static str] = &[];

    /// Returns the parameters that a publisher's `config.json` tells, by our names; none where no such file is known.
    fn described(_config: &Value) -> Params {
        Params::new()
    }

    /// Builds the graph.
    ///
    /// # Errors
    /// [`BuildError`] for parameters that do not go together.
    fn build(&self) -> Result<Graph, BuildError>;

    /// Returns what the outputs of `graph` mean, which [`Self::build`] made.
    fn head(&self, _graph: &Graph) -> Head {
        Head::Classes
    }
}

/// The variants of one family.
#[derive(Debug)]
pub struct Table<A: 'static> {
    /// The name of the family.
    pub name: &'static str,
    /// What it is and where it comes from.
    pub summary: &'static str,
    /// The name of the task that it serves.
    pub task: &'static str,
    /// Its networks.
    pub variants: &'static [Variant<A>],
}

/// A network of a family, and what is known of its checkpoint.
#[derive(Debug)]
pub struct Variant<A> {
    name: &'static str,
    architecture: A,
    card: Card,
}

impl<A> Variant<A> {
    /// Makes the network that users ask for by `name`.
    pub const fn new(name: &'static str, architecture: A, card: Card) -> Self {
        Self {
            name,
            architecture,
            card,
        }
    }
}

/// The weights from whose shapes `in_chans` and `num_classes` can be read.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// All the names that the stem may have; its second dimension is the number of input channels.
    pub stems: &'static [&'static str],
    /// All the names that the head may have.
    pub heads: &'static [&'static str],
    /// How many rows the head has for each class.
    pub rows_a_class: usize,
}

/// A family of models, whatever its parameters.
pub trait Family: Sync {
    /// Returns the name of the family.
    fn name(&self) -> &str;

    /// Returns what it is and where it comes from.
    fn summary(&self) -> &'static str;

    /// Returns the name of the task that it serves.
    fn task(&self) -> &'static str;

    /// Returns the names of its variants.
    fn variants(&self) -> Vec<&'static str>;

    /// Builds the variant that `spec` names, with the parameters that `spec` overrides.
    ///
    /// # Errors
    /// [`ModelError`] for parameters that the family does not have, or that do not go together.
    fn build(&self, spec: &Spec) -> Result<Model, ModelError>;

    /// Returns the names that other publishers give to the parameters of `graph`, which [`Self::build`] made of `spec`.
    ///
    /// # Errors
    /// [`ModelError`] as in [`Self::build`].
    fn other_names(&self, spec: &Spec, graph: &Graph) -> Result<Vec<OtherNames>, ModelError>;

    /// Checks that `spec` is the network that a publisher's `config.json` tells of.
    ///
    /// # Errors
    /// [`ModelError::Config`] for the first parameter that differs; [`ModelError`] as in [`Self::build`].
    fn check(&self, spec: &Spec, config: &str) -> Result<(), ModelError>;

    /// Returns where `in_chans` and `num_classes` can be read from a checkpoint.
    fn ends(&self) -> Ends;

    /// Returns components of the names of tensors that published checkpoints hold but the network does not take.
    fn unused(&self) -> &'static [&'static str];
}

impl Named for &'static dyn Family {
    fn name(&self) -> &str {
        (**self).name()
    }
}

impl<A: Architecture + Sync> Family for Table<A> {
    fn name(&self) -> &str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn task(&self) -> &'static str {
        self.task
    }

    fn variants(&self) -> Vec<&'static str> {
        self.variants.iter().map(|variant| variant.name).collect()
    }

    fn build(&self, spec: &Spec) -> Result<Model, ModelError> {
        let variant = self.variant(&spec.name)?;
        let architecture = variant.overridden(spec)?;
        let graph = architecture.build().map_err(|source| ModelError::Build {
            spec: spec.to_string(),
            source,
        })?;
        let graph = match relocation(spec)? {
            Some(edit) => edit.of(&graph),
            None => graph,
        };
        Ok(Model {
            name: variant.name,
            family: self.name,
            task: self.task,
            card: variant.card,
            head: architecture.head(&graph),
            graph,
        })
    }

    fn other_names(&self, spec: &Spec, graph: &Graph) -> Result<Vec<OtherNames>, ModelError> {
        let architecture = self.variant(&spec.name)?.overridden(spec)?;
        let names = |dialect: &Dialect<A>| dialect.names(&architecture, graph);
        let names: Result<_, _> = A::DIALECTS.iter().map(names).collect();
        names.map_err(|source| ModelError::Build {
            spec: spec.to_string(),
            source,
        })
    }

    fn check(&self, spec: &Spec, config: &str) -> Result<(), ModelError> {
        let Ok(config) = serde_json::from_str(config) else {
            return Ok(());
        };
        let architecture = self.variant(&spec.name)?.overridden(spec)?;
        let ours = serde_json::to_value(architecture).unwrap_or_default();
        for (parameter, said) in A::described(&config) {
            if ours.get(&parameter).is_some_and(|ours| *ours != said) {
                return Err(ModelError::Config {
                    spec: spec.to_string(),
                    ours: ours[&parameter].to_string(),
                    said: said.to_string(),
                    parameter,
                });
            }
        }
        Ok(())
    }

    fn ends(&self) -> Ends {
        Ends {
            stems: A::STEMS,
            heads: A::HEADS,
            rows_a_class: A::ROWS_A_CLASS,
        }
    }

    fn unused(&self) -> &'static [&'static str] {
        A::UNUSED
    }
}

impl<A: Architecture> Table<A> {
    fn variant(&self, name: &str) -> Result<&Variant<A>, UnknownName> {
        let found = self.variants.iter().find(|variant| variant.name == name);
        let names = self.variants.iter().map(|variant| variant.name);
        found.ok_or_else(|| UnknownName::new("model", name, names))
    }
}

impl<A: Architecture> Variant<A> {
    /// Returns the architecture with the parameters that `spec` overrides.
    fn overridden(&self, spec: &Spec) -> Result<A, ModelError> {
        let merged = || {
            within(&spec.params)?;
            let mut value = serde_json::to_value(&self.architecture)?;
            if let Some(fields) = value.as_object_mut() {
                let own = spec.params.iter().filter(|(key, _)| !is_edit(key));
                fields.extend(own.map(|(key, value)| (key.clone(), value.clone())));
            }
            serde_json::from_value(value)
        };
        merged().map_err(|source| ModelError::Params {
            spec: spec.to_string(),
            source,
        })
    }
}

/// Checks that no number is larger than [`LARGEST`].
fn within(params: &Params) -> Result<(), serde_json::Error> {
    let large = |value: &Value| value.as_f64().is_some_and(|number| number.abs() > LARGEST);
    match params.iter().find(|(_, value)| large(value)) {
        Some((key, value)) => Err(serde::de::Error::custom(format!(
            "`{key}` is {value}, expected at most {LARGEST}"
        ))),
        None => Ok(()),
    }
}

/// Whether a parameter is none of the architecture's, but edits the graph that comes of it.
fn is_edit(key: &str) -> bool {
    ["relocate", "reach"].contains(&key)
}

/// Returns how `spec` wants features moved, if it does: `resnet20(relocate=shift,reach=1)`.
fn relocation(spec: &Spec) -> Result<Option<Relocation>, ModelError> {
    let edits = spec.params.iter().filter(|(key, _)| is_edit(key));
    let edits: Params = edits.map(|(k, v)| (k.clone(), v.clone())).collect();
    if edits.is_empty() {
        return Ok(None);
    }
    let edit = serde_json::from_value(edits.into());
    let edit = edit.map_err(|source| ModelError::Params {
        spec: spec.to_string(),
        source,
    });
    edit.map(Some)
}

/// A network, without weights.
#[derive(Debug, Clone)]
pub struct Model {
    /// The name of the variant.
    pub name: &'static str,
    /// The name of its family.
    pub family: &'static str,
    /// The name of the task that it serves.
    pub task: &'static str,
    /// What is known of its published checkpoint.
    pub card: Card,
    /// What its outputs mean.
    pub head: Head,
    /// The network.
    pub graph: Graph,
}

/// A model that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No model has this name.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// A parameter is unknown or of the wrong type.
    #[error("bad parameters in model `{spec}`")]
    Params {
        /// The model as typed.
        spec: String,
        /// Which parameter, and why.
        source: serde_json::Error,
    },
    /// The checkpoint was made for another network.
    #[error(
        "the `config.json` of the checkpoint tells of `{parameter}` {said}, `{spec}` has {ours}: name another model, or set the parameter"
    )]
    Config {
        /// The model.
        spec: String,
        /// What differs.
        parameter: String,
        /// What the model has.
        ours: String,
        /// What the file says.
        said: String,
    },
    /// The parameters do not go together.
    #[error("model `{spec}` cannot be built")]
    Build {
        /// The model as typed.
        spec: String,
        /// Where, and why.
        source: BuildError,
    },
}

/// Returns the family that has a variant called `name`.
///
/// # Errors
/// [`UnknownName`] with the nearest model names.
pub fn family_of(name: &str) -> Result<&'static dyn Family, UnknownName> {
    FAMILIES
        .iter()
        .copied()
        .find(|family| family.variants().contains(&name))
        .ok_or_else(|| UnknownName::new("model", name, names()))
}

/// Builds the model that `spec` names: `resnet20`, `resnet20(num_classes=100)`.
///
/// # Errors
/// [`ModelError`] for an unknown name, or bad parameters.
pub fn build(spec: &Spec) -> Result<Model, ModelError> {
    family_of(&spec.name)?.build(spec)
}

/// Iterates over the names of all models.
pub fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().flat_map(|family| family.variants())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn networks_that_no_memory_holds_are_refused() {
        for (text, why) in [
            (
                "vit_micro_patch4_28(depth=4000000000)",
                "`depth` is 4000000000, expected at most 65536",
            ),
            (
                "vit_micro_patch4_28(mlp_ratio=1e300)",
                "`mlp_ratio` is 1e+300, expected at most 65536",
            ),
            (
                "vit_micro_patch4_28(depth=65536)",
                "the network has more than 16384 operators",
            ),
            (
                "vgg11(num_classes=65536,in_chans=65536,img_size=4096)",
                "expected at most 268435456 elements",
            ),
        ] {
            let error = build(&text.parse().unwrap()).unwrap_err();
            let cause = error.source().map(ToString::to_string);
            let message = cause.unwrap_or_default();
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
