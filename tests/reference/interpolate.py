#!/usr/bin/env python3
"""Write interpolate.json: what torch.nn.functional.interpolate makes of images, without antialiasing.

The image of each case is that of resize.py. It is resized in f64 (bilinear, align_corners=False), rounded
to bytes (halves upwards), and put into the upper left corner of a square. Sizes are those of torchvision's
GeneralizedRCNNTransform since 0.17 and of YOLOX's preproc, which compute them in Python's floats. The border is
grey of one level, or the byte nearest to the mean of each channel. Pixels are written as by resize.py.

Made with PyTorch 1.13.0. Example:
    python3 interpolate.py
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import numpy as np
import torch
from torch.nn.functional import interpolate

from common import HERE, write_json
from resize import picture

MEAN = [0.485, 0.456, 0.406]

# Height, width, side: reductions, enlargements, both, one pixel, the same size.
STRETCHES = [
    (37, 50, 24),
    (50, 37, 41),
    (300, 200, 11),
    (16, 16, 16),
    (1, 9, 7),
    (20, 1, 6),
    (9, 24, 15),
    (7, 5, 30),
]

# Height, width, shorter side, longer side, square, border.
LETTERBOXES = [
    (48, 64, 20, 33, 34, None),
    (64, 42, 20, 33, 34, None),
    (30, 100, 20, 33, 34, None),
    (100, 7, 20, 33, 34, None),
    (1, 80, 20, 33, 34, None),
    (12, 9, 20, 33, 34, None),
    (48, 64, 24, 24, 24, 114),
    (33, 50, 24, 24, 24, 114),
    (17, 11, 24, 24, 24, 114),
    (24, 24, 24, 24, 24, 0),
]


def resized(height: int, width: int, size: List[int]) -> np.ndarray:
    """The image of the formula in another size, ``[c, h, w]``."""
    image = torch.from_numpy(np.asarray(picture(height, width)).transpose(2, 0, 1).copy())
    values = interpolate(image[None].double(), size=size, mode="bilinear", align_corners=False)
    # What is half a level but for an error of f64 counts as half a level.
    return (values[0] + (0.5 + 1e-9)).floor().to(torch.uint8).numpy()


def case(height: int, width: int, geometry: Dict[str, Any], planes: np.ndarray) -> Dict[str, Any]:
    """One image, put into a square."""
    side, fill = geometry["side"], geometry.get("fill")
    levels = [round(255 * mean) if fill is None else fill for mean in MEAN]
    square = np.empty((3, side, side), np.uint8)
    square[:] = np.array(levels, np.uint8)[:, None, None]
    square[:, : planes.shape[1], : planes.shape[2]] = planes
    return {
        "height": height,
        "width": width,
        "geometry": {**geometry, "interpolation": "plain-bilinear"},
        "size": list(planes.shape[1:]),
        "pixels": [plane.tobytes().hex() for plane in square],
    }


def stretch(height: int, width: int, side: int) -> Dict[str, Any]:
    return case(height, width, {"side": side}, resized(height, width, [side, side]))


def letterbox(
    height: int, width: int, least: int, most: int, side: int, fill: Optional[int]
) -> Dict[str, Any]:
    scale = min(least / min(height, width), most / max(height, width))
    size = [max(int(length * scale), 1) for length in (height, width)]
    geometry = {"min": least, "max": most, "side": side}
    if fill is not None:
        geometry["fill"] = fill
    return case(height, width, geometry, resized(height, width, size))


def main() -> None:
    cases = [stretch(*sizes) for sizes in STRETCHES]
    cases += [letterbox(*sizes) for sizes in LETTERBOXES]
    write_json(HERE / "interpolate.json", {"mean": MEAN, "cases": cases})


if __name__ == "__main__":
    main()
