#!/usr/bin/env python3
"""Write embedded.json: what the embedded checkpoints predict on the embedded test images.

Each checkpoint of assets/checkpoints is loaded with its f16 tensors widened to f32 and run in f32
on the test images of assets/fashion-mnist, normalised by (pixel / 255 - 0.2860) / 0.3530. The
fixture holds the logits of the first images, and top-1 and top-5 in percent over the first 2,000
and over all 10,000. The ``nearest_tie`` of a subset is the smallest gap between the two largest
logits of any of its images: implementations whose logits differ by less than half of it agree on
top-1.

Example:
    python3 embedded.py
"""

from __future__ import annotations

import argparse
from typing import Any, Dict

import numpy as np
import torch

from common import ASSETS, CHECKPOINTS, HERE, digits, write_json
from evaluation import load_state, predict, top_k
from formats import load_split, normalise, read_safetensors
from models import build

MODELS = ("resnet20", "mobilenetv2_x0_25", "vit_micro_patch4_28")
SHOWN = 8
SUBSETS = (2_000, 10_000)


def measure(logits: np.ndarray, labels: np.ndarray) -> Dict[str, Any]:
    """The accuracies over a subset of the test images."""
    best = np.sort(logits, axis=1)
    return {
        "images": len(labels),
        "top1": round(top_k(logits, labels), 4),
        "top5": round(top_k(logits, labels, 5), 4),
        "nearest_tie": float(f"{(best[:, -1] - best[:, -2]).min():.3g}"),
    }


def evaluate(name: str, inputs: np.ndarray, labels: np.ndarray) -> Dict[str, Any]:
    """The fixture of one checkpoint."""
    path = CHECKPOINTS / f"{name}-fashion-mnist.safetensors"
    model = build(name, 1, 10)
    load_state(model, read_safetensors(path))
    logits = predict(model, inputs)
    subsets = [measure(logits[:count], labels[:count]) for count in SUBSETS]
    print(path.name, *subsets, sep="\n  ")
    return {
        "model": name,
        "file": path.name,
        "bytes": path.stat().st_size,
        "accuracy": subsets,
        "logits": digits(logits[:SHOWN]),
    }


def main() -> None:
    """Write embedded.json beside this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    images, labels = load_split(ASSETS / "fashion-mnist", "test")
    inputs = normalise(images)
    document = {
        "source": f"tests/reference/embedded.py, PyTorch {torch.__version__}",
        "labels": labels[:SHOWN].tolist(),
        "checkpoints": [evaluate(name, inputs, labels) for name in MODELS],
    }
    write_json(HERE / "embedded.json", document)


if __name__ == "__main__":
    main()
