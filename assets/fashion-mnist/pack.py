#!/usr/bin/env python3
"""Pack the parts of Fashion-MNIST that the benchmark embeds, as official idx ``.gz`` files.

Reads the four files of Fashion-MNIST and writes

* ``calibration-images-idx3-ubyte.gz`` and ``calibration-labels-idx1-ubyte.gz``: the first training
  images of each class in file order, interleaved by class, so that any prefix is class-balanced;
* ``test-images-idx3-ubyte.gz`` and ``test-labels-idx1-ubyte.gz``: all test images in file order.

The output is deterministic: it carries no time stamp, and depends only on the input and on whether
zopfli is installed, whose files are about 2 % smaller than zlib's.

Example:
    python3 pack.py --calibration 1024
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "checkpoints"))

from formats import DEBIAN_DATA, load_split, write_idx  # noqa: E402


def interleave_classes(labels: np.ndarray, count: int) -> np.ndarray:
    """Indices of ``count`` items: the first of class 0, 1, ..., the second of class 0, 1, ..."""
    members = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    rounds = min(len(indices) for indices in members)
    order = np.stack([indices[:rounds] for indices in members], axis=1).reshape(-1)
    if count > len(order):
        raise ValueError(f"only {len(order)} items can be class-balanced")
    return order[:count]


def main() -> None:
    """Write the four files and print their sizes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DEBIAN_DATA, help="folder of the idx files")
    parser.add_argument("--calibration", type=int, default=1024, help="number of training images")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to")
    args = parser.parse_args()

    images, labels = load_split(args.data, "train")
    chosen = interleave_classes(labels, args.calibration)
    splits = {
        "calibration": (images[chosen], labels[chosen]),
        "test": load_split(args.data, "t10k"),
    }
    for split, (images, labels) in splits.items():
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            path = args.output / f"{split}-{name}-ubyte.gz"
            write_idx(path, array)
            print(f"{path.name}: {'x'.join(map(str, array.shape))}, {path.stat().st_size} bytes")
    counts = np.bincount(splits["calibration"][1])
    print(f"calibration images a class: {counts.tolist()}")


if __name__ == "__main__":
    main()
