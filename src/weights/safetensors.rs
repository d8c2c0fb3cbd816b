//! Reading and writing safetensors.

use super::checkpoint::{Content, tensor_of};
use super::{CheckpointErrorKind, WriteError};
use crate::atomic;
use candle_core::{DType, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorInfo, View};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Where the JSON of the header begins, after its length.
const HEADER: usize = 8;

/// Tells whether the bytes begin like safetensors: the length of a JSON object, and its brace.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    bytes.get(HEADER) == Some(&b'{') && bytes[4..HEADER] == [0; 4]
}

/// Reads all tensors and the metadata.
pub(super) fn decode(bytes: &[u8]) -> Result<Content, CheckpointErrorKind> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let tensors = SafeTensors::deserialize(bytes)?
        .iter()
        .map(|(name, view)| {
            let dtype = dtype_of(name, view.dtype())?;
            let tensor = tensor_of(view.data(), dtype, view.shape()).ok_or_else(|| {
                CheckpointErrorKind::bad_tensor(name, "its shape and its bytes disagree")
            })?;
            Ok((name.to_owned(), tensor))
        })
        .collect::<Result<_, CheckpointErrorKind>>()?;
    Ok(Content {
        tensors,
        metadata: metadata.into_iter().collect(),
    })
}

fn dtype_of(tensor: &str, dtype: Dtype) -> Result<DType, CheckpointErrorKind> {
    Ok(match dtype {
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
        Dtype::I16 => DType::I16,
        Dtype::I32 => DType::I32,
        Dtype::I64 => DType::I64,
        Dtype::U32 => DType::U32,
        Dtype::U8 | Dtype::BOOL => DType::U8,
        other => {
            return Err(CheckpointErrorKind::UnsupportedDtype {
                tensor: tensor.to_owned(),
                dtype: other.to_string(),
            });
        }
    })
}

/// Writes tensors and metadata as safetensors: all of the file or nothing, readable by whom the umask lets.
///
/// The same input gives the same bytes, which the `safetensors` crate does not promise: it keeps metadata in a hash map.
///
/// # Errors
/// [`WriteError`] when a name comes twice or the file cannot be written.
pub fn write_safetensors<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), WriteError> {
    let mut tensors: Vec<(&str, &Tensor)> = tensors.into_iter().collect();
    // Readers that map the file want aligned elements; the order is kept among elements of one size.
    tensors.sort_by_key(|(_, tensor)| std::cmp::Reverse(View::dtype(*tensor).bitsize()));
    let header = header_of(&tensors, metadata)?;
    atomic::write_with(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        tensors
            .iter()
            .try_for_each(|(_, tensor)| file.write_all(&tensor.data()))
    })
    .map_err(|source| WriteError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Returns the JSON of the header, filled with spaces to a multiple of eight bytes.
fn header_of(
    tensors: &[(&str, &Tensor)],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, WriteError> {
    let json = |value| serde_json::to_value(value).expect("strings and numbers are JSON");
    let mut header = Map::new();
    if !metadata.is_empty() {
        let metadata: Map<String, Value> = metadata
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
            .collect();
        header.insert("__metadata__".to_owned(), Value::Object(metadata));
    }
    let mut end = 0;
    for (name, tensor) in tensors {
        let begin = end;
        end += tensor.data_len();
        let info = TensorInfo {
            dtype: View::dtype(tensor),
            shape: tensor.dims().to_vec(),
            data_offsets: (begin, end),
        };
        if header.insert((*name).to_owned(), json(info)).is_some() {
            let name = (*name).to_owned();
            return Err(WriteError::Duplicate { name });
        }
    }
    let mut bytes = Value::Object(header).to_string().into_bytes();
    bytes.resize(bytes.len().next_multiple_of(HEADER), b' ');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Checkpoint;
    use candle_core::Device;

    fn numbers(dtype: DType, shape: &[usize]) -> Tensor {
        let count = shape.iter().product::<usize>() as f32;
        Tensor::arange(0f32, count, &Device::Cpu)
            .and_then(|t| t.reshape(shape)?.to_dtype(dtype))
            .unwrap()
    }

    fn as_f64(tensor: &Tensor) -> Vec<f64> {
        tensor
            .to_dtype(DType::F64)
            .and_then(|t| t.flatten_all()?.to_vec1())
            .unwrap()
    }

    #[test]
    fn every_type_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let tensors = [
            ("u8", numbers(DType::U8, &[3])),
            ("f16", numbers(DType::F16, &[3])),
            ("bf16", numbers(DType::BF16, &[2, 2])),
            ("f32", numbers(DType::F32, &[2, 3, 1])),
            ("f64", numbers(DType::F64, &[1])),
            ("i16", numbers(DType::I16, &[3])),
            ("i32", numbers(DType::I32, &[3])),
            ("i64", numbers(DType::I64, &[])),
            ("u32", numbers(DType::U32, &[2])),
            ("transposed", numbers(DType::F32, &[2, 3]).t().unwrap()),
        ];
        let metadata = [("model".to_owned(), "resnet20".to_owned())].into();
        write_safetensors(&path, tensors.iter().map(|(n, t)| (*n, t)), &metadata).unwrap();
        let read = Checkpoint::read(&path).unwrap();
        assert_eq!(read.metadata(), &metadata);
        assert_eq!(read.tensors().len(), tensors.len());
        for (name, tensor) in &tensors {
            let back = &read.tensors()[*name];
            assert_eq!(back.dtype(), tensor.dtype(), "{name}");
            assert_eq!(back.dims(), tensor.dims(), "{name}");
            assert_eq!(as_f64(back), as_f64(tensor), "{name}");
        }
    }

    #[test]
    fn the_same_input_gives_the_same_bytes_and_elements_are_aligned() {
        let folder = tempfile::tempdir().unwrap();
        let (half, single) = (numbers(DType::F16, &[3]), numbers(DType::F32, &[2]));
        let metadata: BTreeMap<_, _> = (0..20).map(|i| (format!("k{i}"), i.to_string())).collect();
        let write = |name: &str| {
            let path = folder.path().join(name);
            write_safetensors(&path, [("half", &half), ("single", &single)], &metadata).unwrap();
            std::fs::read(path).unwrap()
        };
        let bytes = write("a");
        assert_eq!(bytes, write("b"));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.info("single").unwrap().data_offsets, (0, 8));
        assert_eq!(header.info("half").unwrap().data_offsets, (8, 14));
        assert_eq!(u64::from_le_bytes(bytes[..8].try_into().unwrap()) % 8, 0);
    }

    #[test]
    fn a_name_given_twice_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let tensor = numbers(DType::F32, &[1]);
        let path = folder.path().join("w.safetensors");
        let error = write_safetensors(&path, [("a", &tensor), ("a", &tensor)], &BTreeMap::new());
        assert_eq!(
            error.unwrap_err().to_string(),
            "tensor `a` is given twice, expected unique names"
        );
        assert!(!path.exists());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = write_safetensors(Path::new("no/such/w.safetensors"), [], &BTreeMap::new());
        assert_eq!(
            error.unwrap_err().to_string(),
            "cannot write `no/such/w.safetensors`, expected an existing folder that is writable"
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_file_has_the_permissions_of_an_ordinary_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        let (path, ordinary) = (folder.path().join("w"), folder.path().join("ordinary"));
        std::fs::write(&ordinary, "").unwrap();
        write_safetensors(&path, [], &BTreeMap::new()).unwrap();
        assert_eq!(mode(&path), mode(&ordinary));
    }

    #[test]
    fn a_type_that_cannot_be_held_is_named() {
        let json = br#"{"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}}"#;
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend(json);
        bytes.extend([1, 2]);
        assert_eq!(
            decode(&bytes).unwrap_err().to_string(),
            "tensor `a` has elements of type `I8`, expected f16, bf16, f32, f64, i16, i32, i64, u8, u32 or bool"
        );
    }
}
