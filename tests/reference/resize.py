#!/usr/bin/env python3
"""Write resize.json: what torchvision's Resize and CenterCrop make of images of Pillow's.

The image of each case is computed from a formula, here and in src/data/geometry.rs: with
v = 7 x^2 + 13 y^2 + 5 x y + 91 c, the value in channel c, row y and column x is the low byte of
(v >> 3) ^ v. It is as rough as noise, so that a cubic overshoots the range of bytes everywhere.
Pixels are written row by row and channel after channel, in hexadecimal, a channel a string.

Made with Pillow 9.4.0 and torchvision 0.14.1. Example:
    python3 resize.py
"""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from common import HERE, write_json

# Height, width, resized side, crop: reductions, enlargements, odd and even left-overs, a crop that
# is larger than the resized image along one side or both, thin images.
SIZES = [
    (37, 50, 24, 20),
    (50, 37, 24, 21),
    (90, 121, 17, 15),
    (300, 200, 11, 8),
    (16, 16, 24, 24),
    (13, 18, 31, 25),
    (21, 20, 20, 20),
    (40, 33, 16, 22),
    (33, 90, 16, 25),
    (1, 9, 5, 7),
    (200, 3, 6, 6),
]


def picture(height: int, width: int) -> Image.Image:
    """The image of the formula."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    planes = [7 * x * x + 13 * y * y + 5 * x * y + 91 * c for c in range(3)]
    value = np.stack(planes, axis=-1)
    return Image.fromarray((((value >> 3) ^ value) & 255).astype(np.uint8))


def case(height: int, width: int, resize: int, crop: int, mode: str, grey: bool) -> Dict[str, Any]:
    """One image, cut to a square."""
    image = picture(height, width)
    if grey:
        image = image.convert("L")
    image = transforms.Resize(resize, InterpolationMode(mode))(image)
    pixels = np.asarray(transforms.CenterCrop(crop)(image))
    planes = pixels[None] if grey else pixels.transpose(2, 0, 1)
    return {
        "height": height,
        "width": width,
        "geometry": {"resize": resize, "crop": crop, "interpolation": mode},
        "grey": grey,
        "pixels": [plane.tobytes().hex() for plane in planes],
    }


def main() -> None:
    cases: List[Dict[str, Any]] = []
    for sizes in SIZES:
        cases += [case(*sizes, mode, False) for mode in ("bilinear", "bicubic")]
    cases += [case(37, 50, 24, 20, "bicubic", True)]
    write_json(HERE / "resize.json", {"cases": cases})


if __name__ == "__main__":
    main()
