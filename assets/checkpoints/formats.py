"""Reading and writing the two file formats of the assets: idx ``.gz`` and ``.safetensors``."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Dict, Tuple

import numpy as np

# Where Debian's package dataset-fashion-mnist puts its files.
DEBIAN_DATA = Path("/usr/share/datasets/fashion-mnist")

# Fashion-MNIST pixels enter a network as (pixel / 255 - MEAN) / STD.
MEAN = 0.2860
STD = 0.3530

_DTYPES = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "U8": np.dtype("u1"),
}


def read_idx(path: Path) -> np.ndarray:
    """The unsigned bytes in a gzipped idx file, shaped as its header says."""
    data = gzip.decompress(path.read_bytes())
    zeros, kind, rank = struct.unpack_from(">HBB", data)
    if zeros != 0 or kind != 0x08:
        raise ValueError(f"{path} is not an idx file of unsigned bytes")
    shape = struct.unpack_from(f">{rank}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load_split(data: Path, split: str) -> Tuple[np.ndarray, np.ndarray]:
    """The images and labels of a split, such as ``train`` or ``t10k``, in folder ``data``."""
    images = read_idx(data / f"{split}-images-idx3-ubyte.gz")
    return images, read_idx(data / f"{split}-labels-idx1-ubyte.gz")


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write unsigned bytes as a gzipped idx file without a time stamp, by zopfli if it is there."""
    if array.dtype != np.uint8:
        raise ValueError("idx files hold unsigned bytes here")
    header = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
    raw = header + array.tobytes()
    if shutil.which("zopfli"):
        plain = path.with_suffix("")
        plain.write_bytes(raw)
        subprocess.run(["zopfli", "--gzip", str(plain)], check=True)
        plain.unlink()
    else:
        path.write_bytes(gzip.compress(raw, 9, mtime=0))
    path.chmod(0o644)


def normalise(images: np.ndarray) -> np.ndarray:
    """Images [n, h, w] of bytes as the network input [n, 1, h, w] of f32."""
    return ((images.astype(np.float32) / np.float32(255) - np.float32(MEAN)) / np.float32(STD))[
        :, None
    ]


def to_half(tensors: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Tensors as f16, but as f32 where f16 would overflow or a variance would lose precision."""

    def convert(name: str, array: np.ndarray) -> np.ndarray:
        limits = np.finfo(np.float16)
        tiny = name.endswith("running_var") and array.min() < limits.tiny
        return array if tiny or np.abs(array).max() > limits.max else array.astype(np.float16)

    return {name: convert(name, array) for name, array in tensors.items()}


def write_safetensors(
    path: Path, tensors: Dict[str, np.ndarray], mean: float = MEAN, std: float = STD
) -> None:
    """Write f16 and f32 tensors, sorted by name, the header padded to a multiple of 8 bytes.

    The metadata tell how the network expects its pixels.
    """
    names = {dtype: name for name, dtype in _DTYPES.items()}
    preprocess = json.dumps({"mean": [mean], "std": [std]})
    header: Dict[str, object] = {"__metadata__": {"preprocess": preprocess}}
    blobs = []
    offset = 0
    # f32 first, so that every tensor is aligned to its element.
    for name, array in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        blob = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": names[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(blob)],
        }
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    path.chmod(0o644)


def read_tensors(path: Path) -> Dict[str, np.ndarray]:
    """The tensors of a ``.safetensors`` file as they are."""
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        array = np.frombuffer(data[begin:end], _DTYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors


def read_safetensors(path: Path) -> Dict[str, np.ndarray]:
    """The tensors of a ``.safetensors`` file of f16 and f32, all as f32."""
    return {name: array.astype(np.float32) for name, array in read_tensors(path).items()}
