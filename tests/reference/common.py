"""What the fixture scripts share: the path to the model definitions, and the JSON they write."""

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
