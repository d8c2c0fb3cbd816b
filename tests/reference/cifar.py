#!/usr/bin/env python3
"""Write cifar.json: what published CIFAR-10 checkpoints predict.

The checkpoints are ResNet-20 and ResNet-56 of Y. Idelbayev's "Proper ResNet Implementation for
CIFAR10/CIFAR100 in PyTorch" (https://github.com/akamaster/pytorch_resnet_cifar10, BSD licence), as
published in its pretrained_models: resnet20-12fca82f.th and resnet56-4bfd9763.th, PyTorch pickles
of a ``state_dict`` whose keys begin with ``module.``. Their input is RGB / 255, normalised by
the mean 0.485 0.456 0.406 and the standard deviation 0.229 0.224 0.225.

The images are those of a test_batch.bin in CIFAR-10's binary layout, of which each record is a
label byte and 3,072 bytes, channel-major. The numbers in cifar.json belong to the file whose
SHA-256 is there: it holds 5,000 of the test images in a version that went through JPEG, on which
accuracy is about ten points below that on the originals.

Neither the checkpoints nor the images are part of this repository.

Example:
    python3 cifar.py DATA
where DATA holds cifar10/test_batch.bin and resnet-cifar10/*.th
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any, Dict

import numpy as np
import torch

from common import HERE, digits, write_json
from evaluation import load_state, predict, top_k
from models import build

CHECKPOINTS = {"resnet20": "resnet20-12fca82f.th", "resnet56": "resnet56-4bfd9763.th"}
MEAN = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
STD = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)
SHOWN = 8


def sha256(path: Path) -> str:
    """The hash of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def evaluate(name: str, path: Path, inputs: np.ndarray, labels: np.ndarray) -> Dict[str, Any]:
    """The fixture of one checkpoint."""
    pickled = torch.load(path, map_location="cpu")["state_dict"]
    prefix = len("module.")
    model = build(name, 3, 10)
    load_state(model, {key[prefix:]: value.numpy() for key, value in pickled.items()})
    logits = predict(model, inputs)
    top1, top5 = top_k(logits, labels), top_k(logits, labels, 5)
    print(f"{path.name}: top-1 {top1:.2f} %, top-5 {top5:.2f} % on {len(labels)} images")
    return {
        "model": name,
        "file": path.name,
        "sha256": sha256(path),
        "images": len(labels),
        "top1": round(top1, 4),
        "top5": round(top5, 4),
        "logits": digits(logits[:SHOWN]),
    }


def main() -> None:
    """Write cifar.json beside this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of cifar10/ and resnet-cifar10/")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    batch = args.data / "cifar10" / "test_batch.bin"
    records = np.fromfile(batch, np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    labels = records[:, 0]
    images = records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32)
    inputs = (images / np.float32(255) - MEAN) / STD
    document = {
        "source": f"tests/reference/cifar.py, PyTorch {torch.__version__}",
        "images": {"file": batch.name, "sha256": sha256(batch)},
        "labels": labels[:SHOWN].tolist(),
        "checkpoints": [
            evaluate(name, args.data / "resnet-cifar10" / file, inputs, labels)
            for name, file in CHECKPOINTS.items()
        ],
    }
    write_json(HERE / "cifar.json", document)


if __name__ == "__main__":
    main()
