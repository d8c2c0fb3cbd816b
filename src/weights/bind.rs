//! Fitting a checkpoint to the parameters of a model.
//!
//! Nothing is matched loosely: the file of ResNet-56 contains the tensors of ResNet-20, name for name and shape for shape,
//! so a left-over tensor is as much an error as a missing one. Where a network has parameter names of several publishers, those count of
//! which the checkpoint has the most.

use super::Checkpoint;
use candle_core::{DType, Tensor};
use std::collections::BTreeSet;
use std::fmt;

/// A parameter that a model wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected<'a> {
    /// Its name in the checkpoint.
    pub name: &'a str,
    /// Its shape.
    pub shape: &'a [usize],
}

impl<'a> Expected<'a> {
    /// Makes an expectation.
    pub fn new(name: &'a str, shape: &'a [usize]) -> Self {
        Self { name, shape }
    }
}

/// Other names for the same parameters.
#[derive(Debug, Clone, Copy)]
pub struct Alias<'a> {
    /// Who has these names.
    pub publisher: &'a str,
    /// The names, in the order of what is expected.
    pub names: &'a [String],
}

/// What of a checkpoint fits.
#[derive(Debug)]
pub struct Bound {
    /// The tensors in the order and in the shapes asked for.
    pub tensors: Vec<Tensor>,
    /// Their names in the checkpoint.
    pub names: Vec<String>,
}

/// Which tensors of a checkpoint may be left over.
#[derive(Debug, Clone, Copy)]
pub enum AllowUnused<'a> {
    /// Those whose name holds one of these as whole components, which a model declares as used in training only:
    /// `aux_classifier`, `fc.bias`. `num_batches_tracked` need not be declared.
    Declared(&'a [&'a str]),
    /// Any.
    All,
}

/// What batch norm counts while training; it has no effect on inference.
const ALWAYS_UNUSED: &str = "num_batches_tracked";

impl AllowUnused<'_> {
    fn allows(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Declared(parts) => {
                has_components(name, ALWAYS_UNUSED)
                    || parts.iter().any(|part| has_components(name, part))
            }
        }
    }
}

fn has_components(name: &str, part: &str) -> bool {
    format!(".{name}.").contains(&format!(".{part}."))
}

/// Returns the tensors that `expected` names, in that order, as contiguous f32 on the CPU. `aliases` are other names that all of them
/// may have together.
///
/// A tensor may be laid out with other axes than expected, as the weight of a linear layer that is a 1x1 convolution.
///
/// # Errors
/// [`BindError`] with every tensor that is missing, left over, misshapen or not finite.
pub fn bind(
    expected: &[Expected<'_>],
    aliases: &[Alias<'_>],
    checkpoint: &Checkpoint,
    unused: AllowUnused<'_>,
) -> Result<Bound, BindError> {
    let (publisher, names) = best_names(expected, aliases, checkpoint);
    let mut tensors = Vec::with_capacity(expected.len());
    let (mut missing, mut misshapen, mut not_finite) = (Vec::new(), Vec::new(), Vec::new());
    for (want, name) in expected.iter().zip(&names) {
        match checkpoint.tensors().get(*name) {
            None => missing.push((*name).to_owned()),
            Some(found) if !alike(found.dims(), want.shape) => misshapen.push(Misshapen {
                name: (*name).to_owned(),
                expected: want.shape.to_vec(),
                found: found.dims().to_vec(),
            }),
            Some(found) => {
                let (tensor, finite) = finite_f32(found, want.shape);
                if !finite {
                    not_finite.push((*name).to_owned());
                }
                tensors.push(tensor);
            }
        }
    }
    let taken: BTreeSet<&str> = names.iter().copied().collect();
    let left = checkpoint.tensors().keys();
    let left = left.filter(|name| !taken.contains(name.as_str()) && !unused.allows(name));
    let error = BindError {
        source_name: checkpoint.name().into(),
        publisher: publisher.map(Into::into),
        missing: missing.into(),
        unused: left.cloned().collect(),
        misshapen: misshapen.into(),
        not_finite: not_finite.into(),
        expected: expected.len(),
    };
    if error.is_empty() {
        let names = names.into_iter().map(str::to_owned).collect();
        Ok(Bound { tensors, names })
    } else {
        Err(error)
    }
}

/// Returns the names of which the checkpoint has the most, those of `expected` if others have no more, and whose they are otherwise.
fn best_names<'a>(
    expected: &[Expected<'a>],
    aliases: &[Alias<'a>],
    checkpoint: &Checkpoint,
) -> (Option<&'a str>, Vec<&'a str>) {
    let found = |names: &[&str]| {
        let there = names
            .iter()
            .filter(|name| checkpoint.tensors().contains_key(**name));
        there.count()
    };
    let mut best = (
        None,
        expected.iter().map(|want| want.name).collect::<Vec<_>>(),
    );
    for alias in aliases {
        let names: Vec<&str> = alias.names.iter().map(String::as_str).collect();
        if found(&names) > found(&best.1) {
            best = (Some(alias.publisher), names);
        }
    }
    best
}

/// Returns whether tensors of two shapes hold the same numbers in the same order for each output: the shapes are equal, or all axes but
/// the first are flattened in one of them, or of one element.
fn alike(found: &[usize], expected: &[usize]) -> bool {
    let [few, many] = if found.len() < expected.len() {
        [found, expected]
    } else {
        [expected, found]
    };
    let flattened = (1..=2).contains(&few.len())
        && few.len() < many.len()
        && few[0] == many[0]
        && few.iter().product::<usize>() == many.iter().product::<usize>();
    found == expected || flattened
}

/// Converts to f32 and to a shape of as many elements, and tells whether all elements are finite after that.
fn finite_f32(tensor: &Tensor, shape: &[usize]) -> (Tensor, bool) {
    let convert = || {
        let tensor = tensor.to_dtype(DType::F32)?.reshape(shape)?.contiguous()?;
        let finite = tensor
            .flatten_all()?
            .to_vec1::<f32>()?
            .into_iter()
            .all(f32::is_finite);
        Ok::<_, candle_core::Error>((tensor, finite))
    };
    convert().expect("a checkpoint holds tensors on the CPU, of types that convert to f32")
}

/// A tensor whose shape is not the model's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misshapen {
    /// Its name.
    pub name: String,
    /// The shape of the model's parameter.
    pub expected: Vec<usize>,
    /// The shape in the checkpoint.
    pub found: Vec<usize>,
}

impl fmt::Display for Misshapen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            expected,
            found,
        } = self;
        write!(f, "`{name}`: expected {expected:?}, found {found:?}")
    }
}

/// All the reasons for which a checkpoint does not fit a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct BindError {
    /// The path of the checkpoint, or the name of an embedded one.
    pub source_name: Box<str>,
    /// Whose names these are, where others than the model's own fit best.
    pub publisher: Option<Box<str>>,
    /// Parameters that the checkpoint does not have, in the model's order.
    pub missing: Box<[String]>,
    /// Tensors that the model does not have, by name.
    pub unused: Box<[String]>,
    /// Tensors of another shape, in the model's order.
    pub misshapen: Box<[Misshapen]>,
    /// Tensors that hold NaN or infinity, in the model's order.
    pub not_finite: Box<[String]>,
    /// How many parameters the model has.
    pub expected: usize,
}

impl BindError {
    /// How many names each list of the message shows.
    const SHOWN: usize = 8;

    fn is_empty(&self) -> bool {
        self.missing.is_empty()
            && self.unused.is_empty()
            && self.misshapen.is_empty()
            && self.not_finite.is_empty()
    }

    /// Guesses what was mixed up.
    fn hint(&self) -> &'static str {
        let Self {
            missing,
            unused,
            misshapen,
            ..
        } = self;
        if !missing.is_empty() && missing.len() == self.expected {
            "no name fits: a checkpoint of another model, or of other names for the same one"
        } else if !missing.is_empty() && !unused.is_empty() {
            "names differ: a checkpoint of another model"
        } else if !missing.is_empty() {
            "the checkpoint is of a smaller model, or only a part was saved"
        } else if !unused.is_empty() {
            "the checkpoint is of a larger model that contains this one, or the left-overs must be allowed"
        } else if !misshapen.is_empty() {
            "all names fit: a checkpoint of the same family with another width, input size or number of classes"
        } else {
            "the training that wrote the checkpoint diverged, or the file is damaged"
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the checkpoint `{}` does not fit", self.source_name)?;
        if let Some(publisher) = &self.publisher {
            write!(f, " by the names of {publisher}")?;
        }
        let quoted = |names: &[String]| -> Vec<String> {
            names.iter().map(|name| format!("`{name}`")).collect()
        };
        let misshapen: Vec<String> = self.misshapen.iter().map(ToString::to_string).collect();
        list(f, "missing from it", &quoted(&self.missing))?;
        list(f, "left over in it", &quoted(&self.unused))?;
        list(f, "of another shape", &misshapen)?;
        list(f, "with NaN or infinity", &quoted(&self.not_finite))?;
        write!(f, "\nhint: {}", self.hint())
    }
}

/// Writes a titled list, cut after [`BindError::SHOWN`] lines, or nothing for an empty one.
fn list(f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
    let count = lines.len();
    if count == 0 {
        return Ok(());
    }
    write!(f, "\n{count} {title}:")?;
    for line in lines.iter().take(BindError::SHOWN) {
        write!(f, "\n  {line}")?;
    }
    match count.saturating_sub(BindError::SHOWN) {
        0 => Ok(()),
        more => write!(f, "\n  ... and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::write_safetensors;
    use candle_core::Device;
    use std::collections::BTreeMap;

    const NONE: AllowUnused<'static> = AllowUnused::Declared(&[]);

    fn checkpoint(tensors: &[(&str, Tensor)]) -> Checkpoint {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        write_safetensors(
            &path,
            tensors.iter().map(|(n, t)| (*n, t)),
            &BTreeMap::new(),
        )
        .unwrap();
        Checkpoint::from_bytes("w.safetensors", &std::fs::read(path).unwrap()).unwrap()
    }

    fn ones(shape: &[usize]) -> Tensor {
        Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap()
    }

    #[test]
    fn tensors_come_as_f32_in_the_order_asked_for() {
        let half = Tensor::new(&[0.5f64, -2.], &Device::Cpu)
            .and_then(|t| t.to_dtype(DType::F16))
            .unwrap();
        let checkpoint = checkpoint(&[("a", half), ("b", ones(&[1, 2]))]);
        let expected = [Expected::new("b", &[1, 2]), Expected::new("a", &[2])];
        let bound = bind(&expected, &[], &checkpoint, NONE).unwrap();
        assert_eq!(bound.names, ["b", "a"]);
        assert_eq!(bound.tensors[0].to_vec2::<f32>().unwrap(), [[1., 1.]]);
        assert_eq!(bound.tensors[1].to_vec1::<f32>().unwrap(), [0.5, -2.]);
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let nan = Tensor::new(&[f32::NAN], &Device::Cpu).unwrap();
        let too_large = Tensor::new(&[1e300f64], &Device::Cpu).unwrap();
        let checkpoint = checkpoint(&[
            ("fc.weight", ones(&[100, 64])),
            ("bn.weight", nan),
            ("bn.bias", too_large),
            ("extra", ones(&[1])),
        ]);
        let expected = [
            Expected::new("conv.weight", &[1]),
            Expected::new("fc.weight", &[10, 64]),
            Expected::new("bn.weight", &[1]),
            Expected::new("bn.bias", &[1]),
        ];
        let error = bind(&expected, &[], &checkpoint, NONE).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the checkpoint `w.safetensors` does not fit
1 missing from it:
  `conv.weight`
1 left over in it:
  `extra`
1 of another shape:
  `fc.weight`: expected [10, 64], found [100, 64]
2 with NaN or infinity:
  `bn.weight`
  `bn.bias`
hint: names differ: a checkpoint of another model"
        );
    }

    /// The tensors of a checkpoint, and the names that are taken or the message.
    type Case<'a> = (&'a [(&'a str, Tensor)], Result<&'a [&'a str], &'a str>);

    #[test]
    fn the_names_that_fit_best_are_taken() {
        let own = [
            Expected::new("conv.weight", &[2, 3, 1, 1]),
            Expected::new("fc.weight", &[4, 6]),
        ];
        let [theirs, older] = [
            ["stem.weight", "head.weight"],
            ["stem.weight", "cls.weight"],
        ]
        .map(|names| names.map(str::to_owned));
        let aliases = [("them", &theirs), ("them before", &older)];
        let aliases = aliases.map(|(publisher, names)| Alias { publisher, names });
        let conv = || ones(&[2, 3, 1, 1]);
        let table: [Case<'_>; 5] = [
            (
                &[("conv.weight", conv()), ("fc.weight", ones(&[4, 6]))],
                Ok(&["conv.weight", "fc.weight"]),
            ),
            (
                &[
                    ("stem.weight", conv()),
                    ("head.weight", ones(&[4, 2, 3, 1])),
                ],
                Ok(&["stem.weight", "head.weight"]),
            ),
            (
                &[("stem.weight", conv()), ("cls.weight", ones(&[4, 6]))],
                Ok(&["stem.weight", "cls.weight"]),
            ),
            (
                &[("stem.weight", conv())],
                Err(
                    "the checkpoint `w.safetensors` does not fit by the names of them
1 missing from it:
  `head.weight`
hint: the checkpoint is of a smaller model, or only a part was saved",
                ),
            ),
            (
                &[("other", conv())],
                Err("the checkpoint `w.safetensors` does not fit
2 missing from it:
  `conv.weight`
  `fc.weight`
1 left over in it:
  `other`
hint: no name fits: a checkpoint of another model, or of other names for the same one"),
            ),
        ];
        for (tensors, expected) in table {
            let bound = bind(&own, &aliases, &checkpoint(tensors), NONE);
            let found = bound.map(|bound| bound.names).map_err(|e| e.to_string());
            let expected = expected.map(|names| names.iter().map(|n| (*n).to_owned()).collect());
            assert_eq!(found, expected.map_err(str::to_owned));
        }
    }

    #[test]
    fn axes_may_be_flattened_but_not_moved() {
        let table: [(&[usize], &[usize], bool); 9] = [
            (&[4, 6], &[4, 6], true),
            (&[4, 6, 1, 1], &[4, 6], true),
            (&[4, 2, 3, 1], &[4, 6], true),
            (&[4], &[4, 1, 1], true),
            (&[6, 4], &[4, 6], false),
            (&[4, 3, 2], &[4, 2, 3], false),
            (&[4, 2, 3], &[4, 1, 2, 3], false),
            (&[24], &[4, 6], false),
            (&[], &[1], false),
        ];
        for (found, expected, same) in table {
            assert_eq!(alike(found, expected), same, "{found:?} {expected:?}");
            assert_eq!(alike(expected, found), same, "{expected:?} {found:?}");
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..45).map(|i| format!("layer{i:02}.weight")).collect();
        let tensors: Vec<(&str, Tensor)> = names.iter().map(|n| (n.as_str(), ones(&[1]))).collect();
        let error = bind(&[], &[], &checkpoint(&tensors), NONE).unwrap_err();
        let message = error.to_string();
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines[1], "45 left over in it:");
        assert_eq!(lines[2], "  `layer00.weight`");
        assert_eq!(lines[9], "  `layer07.weight`");
        assert_eq!(lines[10], "  ... and 37 more");
        assert_eq!(lines.len(), 12);
        assert_eq!(*error.unused, *names);
    }

    #[test]
    fn left_overs_are_allowed_by_whole_components() {
        let checkpoint = checkpoint(&[
            ("a", ones(&[1])),
            ("bn.num_batches_tracked", ones(&[])),
            ("aux_classifier.0.weight", ones(&[1])),
        ]);
        let expected = [Expected::new("a", &[1])];
        let table: [(AllowUnused, &[&str]); 4] = [
            (NONE, &["aux_classifier.0.weight"]),
            (
                AllowUnused::Declared(&["aux"]),
                &["aux_classifier.0.weight"],
            ),
            (AllowUnused::Declared(&["aux_classifier"]), &[]),
            (AllowUnused::All, &[]),
        ];
        for (allowed, left) in table {
            let found = bind(&expected, &[], &checkpoint, allowed)
                .map_or_else(|e| e.unused, |_| Box::default());
            assert_eq!(*found, *left, "{allowed:?}");
        }
    }

    #[test]
    fn hints_tell_the_cases_apart() {
        let table: [(&[&str], &[&str], &str); 4] = [
            (&["a", "b"], &["c", "d"], "no name fits"),
            (&["a", "b"], &["a", "c"], "names differ"),
            (&["a", "b"], &["a"], "smaller model"),
            (&["a"], &["a", "b"], "larger model"),
        ];
        for (model, file, hint) in table {
            let expected: Vec<_> = model.iter().map(|name| Expected::new(name, &[1])).collect();
            let tensors: Vec<_> = file.iter().map(|name| (*name, ones(&[1]))).collect();
            let message = bind(&expected, &[], &checkpoint(&tensors), NONE)
                .unwrap_err()
                .to_string();
            assert!(message.contains(hint), "{model:?} {file:?}: {message}");
        }
    }
}
