//! Finding the dict of tensors in a pickled object, and making its tensors.

use super::container::{Container, StorageRef};
use super::pickle::{Object, ObjectId, Pickle};
use super::strided::Strided;
use crate::weights::CheckpointErrorKind;
use crate::weights::checkpoint::tensor_of;
use candle_core::Tensor;
use std::collections::BTreeMap;

type Result<T> = std::result::Result<T, CheckpointErrorKind>;

/// The keys under which training scripts keep a state dict among other things, in order of preference.
const WRAPPERS: [&str; 4] = ["state_dict", "model_state_dict", "model", "net"];

/// How many wrappers may lie within one another; a dict that contains itself has no end.
const MAX_DEPTH: usize = 4;

/// How many axes a tensor may have; PyTorch's may have 64.
const MAX_AXES: usize = 64;

/// How many parameters may wrap one another; PyTorch wraps a tensor once. All entries could share one long chain, or one long shape.
const MAX_WRAPPED: usize = 4;

/// How many times over the tensors may use the file's bytes: tied weights do, a bomb of overlapping views does much more.
const SHARING: usize = 4;

/// The functions that make a tensor of a storage, an offset, a shape and strides.
const REBUILD_TENSOR: [&str; 2] = [
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
];

/// The function that makes a parameter of a tensor.
const REBUILD_PARAMETER: &str = "torch._utils._rebuild_parameter";

/// Returns the tensors of the state dict; numbers and texts among them are passed over.
pub(super) fn read(container: &Container<'_>) -> Result<BTreeMap<String, Tensor>> {
    let pickle = &container.pickle;
    let entries = find(pickle)?;
    let mut budget = container.size.saturating_mul(SHARING);
    let mut tensors = BTreeMap::new();
    for &(key, value) in entries {
        let Some(name) = pickle.text(key) else {
            continue;
        };
        if let Object::Call { .. } = pickle.get(value) {
            let tensor = tensor(container, name, value, &mut budget)?;
            tensors.insert(name.to_owned(), tensor);
        }
    }
    if tensors.is_empty() {
        let found = describe(pickle, entries);
        return Err(CheckpointErrorKind::NotAStateDict { found });
    }
    Ok(tensors)
}

/// Follows the wrappers down to the state dict.
fn find(pickle: &Pickle) -> Result<&[(ObjectId, ObjectId)]> {
    let fail = |found| Err(CheckpointErrorKind::NotAStateDict { found });
    let mut object = pickle.root();
    for _ in 0..=MAX_DEPTH {
        let entries = match object {
            Object::Dict(entries) => entries,
            Object::Call { callable, .. } => {
                let global = pickle.global(*callable).unwrap_or("a call");
                return fail(format!("an object made by `{global}`"));
            }
            _ => return fail("neither a dict nor a model".to_owned()),
        };
        match WRAPPERS
            .iter()
            .find_map(|key| dict_under(pickle, entries, key))
        {
            Some(inner) => object = inner,
            None => return Ok(entries),
        }
    }
    fail("dicts within dicts without end".to_owned())
}

fn dict_under<'p>(
    pickle: &'p Pickle,
    entries: &[(ObjectId, ObjectId)],
    wrapper: &str,
) -> Option<&'p Object> {
    entries
        .iter()
        .filter(|(key, _)| pickle.text(*key) == Some(wrapper))
        .map(|(_, value)| pickle.get(*value))
        .find(|value| matches!(value, Object::Dict(_)))
}

/// Describes a dict without tensors by its first keys.
fn describe(pickle: &Pickle, entries: &[(ObjectId, ObjectId)]) -> String {
    let keys: Vec<&str> = entries
        .iter()
        .filter_map(|(key, _)| pickle.text(*key))
        .take(8)
        .collect();
    if keys.is_empty() {
        "an empty dict".to_owned()
    } else {
        format!("a dict of `{}` without a tensor", keys.join("`, `"))
    }
}

/// Makes the tensor that a call would have made, and takes its bytes off the budget.
fn tensor(
    container: &Container<'_>,
    name: &str,
    id: ObjectId,
    budget: &mut usize,
) -> Result<Tensor> {
    let bad = |why: &str| CheckpointErrorKind::bad_tensor(name, why);
    let args = rebuild_args(&container.pickle, name, id)?;
    let (storage, view) = view_of(&container.pickle, args).map_err(|why| bad(&why))?;
    let unsupported = || CheckpointErrorKind::UnsupportedDtype {
        tensor: name.to_owned(),
        dtype: storage.class.name.to_owned(),
    };
    let dtype = storage.class.dtype.ok_or_else(unsupported)?;
    let bytes = container
        .storages
        .get(storage.key)
        .ok_or_else(|| bad("its storage is not in the file"))?;
    let size = storage.class.size;
    if view
        .extent()
        .is_none_or(|extent| extent > bytes.len() / size)
    {
        return Err(bad("its shape reaches beyond its storage"));
    }
    *budget = view
        .count()
        .and_then(|count| budget.checked_sub(count.checked_mul(size)?))
        .ok_or_else(|| bad("the tensors claim many times the bytes of the file"))?;
    let elements = view.gather(bytes, size);
    tensor_of(&elements, dtype, &view.shape).ok_or_else(|| bad("its shape overflows"))
}

/// Returns the arguments with which a tensor is made, looking through parameters.
fn rebuild_args<'p>(pickle: &'p Pickle, name: &str, mut id: ObjectId) -> Result<&'p [ObjectId]> {
    for _ in 0..=MAX_WRAPPED {
        let Object::Call { callable, args } = pickle.get(id) else {
            let why = "its parameter wraps something else than a tensor";
            return Err(CheckpointErrorKind::bad_tensor(name, why));
        };
        let global = pickle.global(*callable).unwrap_or("something unnamed");
        let args = match pickle.get(*args) {
            Object::Tuple(args) => args.as_slice(),
            _ => &[],
        };
        match args.first() {
            Some(&inner) if global == REBUILD_PARAMETER => id = inner,
            _ if REBUILD_TENSOR.contains(&global) => return Ok(args),
            _ => {
                return Err(CheckpointErrorKind::UnknownGlobal {
                    entry: name.to_owned(),
                    global: global.to_owned(),
                });
            }
        }
    }
    let why = "parameters wrap it many times over";
    Err(CheckpointErrorKind::bad_tensor(name, why))
}

/// Reads the arguments with which a tensor is made; the error says what is wrong with them.
fn view_of<'p>(
    pickle: &'p Pickle,
    args: &[ObjectId],
) -> std::result::Result<(StorageRef<'p>, Strided), String> {
    let [storage, offset, shape, strides, ..] = args else {
        return Err("its description is incomplete".to_owned());
    };
    let Object::Persistent(reference) = pickle.get(*storage) else {
        return Err("it refers to no storage".to_owned());
    };
    let storage = StorageRef::read(pickle, *reference)?;
    let sizes = |id| -> Option<Vec<usize>> {
        let items = pickle.sequence(id)?;
        if items.len() > MAX_AXES {
            return None;
        }
        items.iter().map(|&item| pickle.size(item)).collect()
    };
    let view = pickle
        .size(*offset)
        .zip(sizes(*shape).zip(sizes(*strides)))
        .map(|(offset, (shape, strides))| Strided {
            offset,
            shape,
            strides,
        })
        .filter(|view| view.shape.len() == view.strides.len())
        .ok_or("its offset, shape or strides are no sizes")?;
    Ok((storage, view))
}

#[cfg(test)]
mod tests {
    use crate::weights::{Checkpoint, CheckpointErrorKind};
    use candle_core::DType;
    use serde_json::Value;
    use std::error::Error;
    use std::path::{Path, PathBuf};

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/weights")
            .join(name)
    }

    fn flat(value: &Value) -> Vec<f64> {
        match value {
            Value::Array(items) => items.iter().flat_map(flat).collect(),
            number => vec![number.as_f64().unwrap()],
        }
    }

    #[test]
    fn tensors_are_those_of_pytorch() {
        let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        let expected = expected.as_object().unwrap();
        for file in ["legacy.th", "zip.pth", "protocol4.pt"] {
            let checkpoint = Checkpoint::read(&fixture(file)).unwrap();
            let mut names: Vec<&String> = expected.keys().collect();
            names.sort();
            assert!(checkpoint.tensors().keys().eq(names), "{file}");
            for (name, tensor) in checkpoint.tensors() {
                let want = &expected[name];
                assert_eq!(tensor.dtype().as_str(), want["dtype"], "{file} {name}");
                assert_eq!(Value::from(tensor.dims()), want["shape"], "{file} {name}");
                let found: Vec<f64> = tensor
                    .to_dtype(DType::F64)
                    .and_then(|t| t.flatten_all()?.to_vec1())
                    .unwrap();
                assert_eq!(found, flat(&want["values"]), "{file} {name}");
            }
        }
    }

    #[test]
    fn what_lies_beside_the_state_dict_is_neither_run_nor_needed() {
        let checkpoint = Checkpoint::read(&fixture("evil_beside.pth")).unwrap();
        assert!(checkpoint.tensors().keys().eq(["weight"]));
    }

    #[test]
    fn bad_files_say_what_is_wrong() {
        let table = [
            (
                "evil_entry.pth",
                "`weight` is made by `posix.system`, expected a plain tensor: save `model.state_dict()` (nothing was executed)",
            ),
            (
                "evil_parameter.pth",
                "`weight` is made by `posix.system`, expected a plain tensor: save `model.state_dict()` (nothing was executed)",
            ),
            (
                "evil_root.pth",
                "found an object made by `posix.system`, expected a dict of tensors: save `model.state_dict()` (nothing was executed)",
            ),
            (
                "no_tensors.pth",
                "found a dict of `epoch`, `best` without a tensor, expected a dict of tensors: save `model.state_dict()` (nothing was executed)",
            ),
            (
                "endless.pth",
                "found dicts within dicts without end, expected a dict of tensors: save `model.state_dict()` (nothing was executed)",
            ),
            (
                "huge_shape.pth",
                "tensor `weight` is damaged: its shape reaches beyond its storage",
            ),
            (
                "huge_stride.pth",
                "tensor `weight` is damaged: its shape reaches beyond its storage",
            ),
            (
                "expanded_bomb.pth",
                "tensor `weight` is damaged: the tensors claim many times the bytes of the file",
            ),
            (
                "negative_stride.pth",
                "tensor `weight` is damaged: its offset, shape or strides are no sizes",
            ),
            (
                "missing_storage.pth",
                "tensor `weight` is damaged: its storage is not in the file",
            ),
            (
                "unknown_storage.pth",
                "tensor `weight` is damaged: its storage is a `torch.StrangeStorage`, which is unknown",
            ),
            (
                "complex.pth",
                "tensor `weight` has elements of type `ComplexFloatStorage`, expected f16, bf16, f32, f64, i16, i32, i64, u8, u32 or bool",
            ),
            (
                "compressed.pth",
                "found `archive/data.pkl` compressed or encrypted in the archive, expected entries that are stored as they are, as `torch.save` writes them",
            ),
            (
                "no_object.zip",
                "found no `data.pkl` in it, expected an archive written by `torch.save`",
            ),
            (
                "huge_entry.pth",
                "found `archive/data/0` with 2147483647 bytes in the archive, expected no more bytes than the file has",
            ),
            (
                "plain.pkl",
                "found a pickle without PyTorch's magic number, expected a file written by `torch.save`",
            ),
        ];
        for (file, message) in table {
            let error = Checkpoint::read(&fixture("bad").join(file)).unwrap_err();
            assert_eq!(error.kind.to_string(), message, "{file}");
        }
    }

    /// A pickle that holds a storage `0` and a tensor of it as memo 1, and whose state dict has 10,000 entries of what `value` makes.
    fn repeated(shape: &[u8], value: &[u8]) -> Vec<u8> {
        let tensor = [
            b"ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01tQK\x00",
            shape,
            b"\x89}tR",
        ];
        let mut bytes = [&b"\x80\x02"[..], &tensor.concat(), value, b"q\x010}("].concat();
        for number in 0..10_000_u32 {
            let name = format!("{number:05}");
            bytes.extend([&b"U\x05"[..], name.as_bytes(), b"h\x01"].concat());
        }
        bytes.extend(b"u.");
        bytes
    }

    #[test]
    fn what_entries_share_is_short() {
        let ones = [&b"("[..], &b"K\x01".repeat(100_000), b"t"].concat();
        let wrapped = [
            &b"q\x02ctorch._utils\n_rebuild_parameter\nq\x030h\x02"[..],
            &b"q\x020h\x03h\x02\x85R".repeat(100_000),
        ]
        .concat();
        for (shape, value, why) in [
            (
                [&ones[..], &ones].concat(),
                Vec::new(),
                "tensor `00000` is damaged: its offset, shape or strides are no sizes",
            ),
            (
                b"))".to_vec(),
                wrapped,
                "tensor `00000` is damaged: parameters wrap it many times over",
            ),
        ] {
            let bytes = repeated(&shape, &value);
            let error = super::super::decode_object(&bytes).unwrap_err();
            assert_eq!(error.to_string(), why);
        }
        let bytes = [repeated(b"))", b""), vec![0; 4]].concat();
        let tensors = super::super::decode_object(&bytes).unwrap();
        assert_eq!(tensors.len(), 10_000);
    }

    #[test]
    fn a_damaged_pickle_says_where() {
        let error = Checkpoint::read(&fixture("bad/cut_pickle.pth")).unwrap_err();
        assert!(matches!(error.kind, CheckpointErrorKind::Pickle(_)));
        let cause = error.kind.source().unwrap().to_string();
        assert_eq!(cause, "it ends early, 4 more bytes expected at byte 6");
    }
}
