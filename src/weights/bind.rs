//! Fitting a checkpoint to the parameters of a model.
//!
//! Nothing is matched loosely: the file of ResNet-56 contains the tensors of ResNet-20, name for name and shape for shape,
//! so a left-over tensor is as much an error as a missing one.

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

/// Returns the tensors that `expected` names, in that order, as contiguous f32 on the CPU.
///
/// # Errors
/// [`BindError`] with every tensor that is missing, left over, misshapen or not finite.
pub fn bind(
    expected: &[Expected<'_>],
    checkpoint: &Checkpoint,
    unused: AllowUnused<'_>,
) -> Result<Vec<Tensor>, BindError> {
    let mut error = BindError::new(checkpoint.name(), expected.len());
    let mut bound = Vec::with_capacity(expected.len());
    for want in expected {
        match checkpoint.tensors().get(want.name) {
            None => error.missing.push(want.name.to_owned()),
            Some(found) if found.dims() != want.shape => error.misshapen.push(Misshapen {
                name: want.name.to_owned(),
                expected: want.shape.to_vec(),
                found: found.dims().to_vec(),
            }),
            Some(found) => {
                let (tensor, finite) = finite_f32(found);
                if !finite {
                    error.not_finite.push(want.name.to_owned());
                }
                bound.push(tensor);
            }
        }
    }
    let names: BTreeSet<&str> = expected.iter().map(|want| want.name).collect();
    error.unused = checkpoint
        .tensors()
        .keys()
        .filter(|name| !names.contains(name.as_str()) && !unused.allows(name))
        .cloned()
        .collect();
    if error.is_empty() {
        Ok(bound)
    } else {
        Err(error)
    }
}

/// Converts to f32 and tells whether all elements are finite after that.
fn finite_f32(tensor: &Tensor) -> (Tensor, bool) {
    let convert = || {
        let tensor = tensor.to_dtype(DType::F32)?.contiguous()?;
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
    /// Parameters that the checkpoint does not have, in the model's order.
    pub missing: Vec<String>,
    /// Tensors that the model does not have, by name.
    pub unused: Vec<String>,
    /// Tensors of another shape, in the model's order.
    pub misshapen: Vec<Misshapen>,
    /// Tensors that hold NaN or infinity, in the model's order.
    pub not_finite: Vec<String>,
    /// How many parameters the model has.
    pub expected: usize,
}

impl BindError {
    /// How many names each list of the message shows.
    const SHOWN: usize = 8;

    fn new(source_name: &str, expected: usize) -> Self {
        Self {
            source_name: source_name.into(),
            missing: Vec::new(),
            unused: Vec::new(),
            misshapen: Vec::new(),
            not_finite: Vec::new(),
            expected,
        }
    }

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
        let bound = bind(&expected, &checkpoint, NONE).unwrap();
        assert_eq!(bound[0].to_vec2::<f32>().unwrap(), [[1., 1.]]);
        assert_eq!(bound[1].to_vec1::<f32>().unwrap(), [0.5, -2.]);
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
        let error = bind(&expected, &checkpoint, NONE).unwrap_err();
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

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..45).map(|i| format!("layer{i:02}.weight")).collect();
        let tensors: Vec<(&str, Tensor)> = names.iter().map(|n| (n.as_str(), ones(&[1]))).collect();
        let error = bind(&[], &checkpoint(&tensors), NONE).unwrap_err();
        let message = error.to_string();
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines[1], "45 left over in it:");
        assert_eq!(lines[2], "  `layer00.weight`");
        assert_eq!(lines[9], "  `layer07.weight`");
        assert_eq!(lines[10], "  ... and 37 more");
        assert_eq!(lines.len(), 12);
        assert_eq!(error.unused, names);
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
            let found = bind(&expected, &checkpoint, allowed).map_or_else(|e| e.unused, |_| vec![]);
            assert_eq!(found, left, "{allowed:?}");
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
            let message = bind(&expected, &checkpoint(&tensors), NONE)
                .unwrap_err()
                .to_string();
            assert!(message.contains(hint), "{model:?} {file:?}: {message}");
        }
    }
}
