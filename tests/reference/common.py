"""What the fixture scripts share: a path to the models, a generator, and the JSON they write."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict, List, Union

import numpy as np

HERE = Path(__file__).resolve().parent
ASSETS = HERE.parent.parent / "assets"
CHECKPOINTS = ASSETS / "checkpoints"
# The modules beside the checkpoints are importable from here on, before this folder's own, for
# both have a models.py.
sys.path.insert(0, str(CHECKPOINTS))


def uniform(name: str, count: int) -> np.ndarray:
    """The first ``count`` values u of the generator called ``name``, as f64."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    # Arithmetic on arrays of uint64 wraps.
    z = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2.0**24


def digits(array: np.ndarray) -> Union[float, List[Any]]:
    """An array as nested lists of numbers of 9 significant digits, which determine an f32."""
    if array.ndim == 0:
        return float(f"{float(array):.9g}")
    return [digits(row) for row in array]


def write_json(path: Path, document: Dict[str, Any]) -> None:
    """Write indented JSON, with what is short and each list of numbers on one line."""

    def render(value: Any, indent: str) -> str:
        deeper = indent + "  "
        if len(json.dumps(value)) <= 80:
            return json.dumps(value)
        if isinstance(value, dict):
            rows = [f"{json.dumps(k)}: {render(v, deeper)}" for k, v in value.items()]
            return "{\n" + ",\n".join(deeper + row for row in rows) + f"\n{indent}}}"
        if isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
            rows = [render(v, deeper) for v in value]
            return "[\n" + ",\n".join(deeper + row for row in rows) + f"\n{indent}]"
        return json.dumps(value)

    path.write_text(render(document, "") + "\n")
    print(f"wrote {path.name}, {path.stat().st_size} bytes")
