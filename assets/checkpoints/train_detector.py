#!/usr/bin/env python3
"""Train the embedded detector and store it as f16 ``.safetensors``.

The images are canvases of real Fashion-MNIST items, made of the 60,000 training images by the example
``detection_canvases`` of this package: the generator that also makes the embedded canvases, with other
items and another seed. The backbone starts from the embedded classifier ``resnet20-fashion-mnist`` and
is trained on with the rest: AdamW with warm-up and a cosine schedule, a fixed number of steps, random
horizontal flips. The last weights are the result: nothing is selected, and the embedded test canvases
are not looked at. A run is determined by the seed, the PyTorch build and the machine type.

Example:
    cargo run --release --example detection_canvases -- \\
        train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz 20000 7 canvases.safetensors
    python3 train_detector.py --canvases canvases.safetensors --steps 4000 \\
        --output ssd_resnet20-fashion-mnist-detection.safetensors
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import List, Tuple

import numpy as np
import torch
from torch import Tensor, nn

from detection import default_boxes, ssd_loss
from evaluation import state_arrays
from formats import normalise, read_safetensors, read_tensors, to_half, write_safetensors
from models import build

MODEL = "ssd_resnet20"
SIDE = 64
# The classes of the data and the background.
CLASSES = 11

Target = Tuple[Tensor, Tensor]


class Canvases:
    """Images with the boxes and labels of what is on them."""

    def __init__(self, path: Path) -> None:
        tensors = read_tensors(path)
        self.images = tensors["images"]
        ends = np.searchsorted(tensors["canvas"], np.arange(len(self.images) + 1))
        self.spans = [slice(*span) for span in zip(ends, ends[1:])]
        self.boxes = torch.tensor(tensors["boxes"])
        # Labels of objects begin with 1, for 0 is the background.
        self.labels = torch.tensor(tensors["classes"]) + 1

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: np.ndarray, flipped: np.ndarray) -> Tuple[Tensor, List[Target]]:
        """Normalised images, some of them mirrored, with their boxes and labels."""
        images = self.images[indices].copy()
        images[flipped] = images[flipped][:, :, ::-1]
        targets = []
        for index, flip in zip(indices, flipped):
            boxes = self.boxes[self.spans[index]]
            if flip:
                left, upper, right, lower = boxes.unbind(1)
                boxes = torch.stack([SIDE - right, upper, SIDE - left, lower], dim=1)
            targets.append((boxes, self.labels[self.spans[index]]))
        return torch.from_numpy(normalise(images)), targets


def start_from(model: nn.Module, classifier: Path) -> None:
    """Copy the weights of a classifier into the backbone of ``model``, but for its last layer."""
    tensors = {
        f"backbone.{name}": torch.from_numpy(array)
        for name, array in read_safetensors(classifier).items()
        if not name.startswith(("fc.", "linear."))
    }
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    missing = [
        name
        for name in missing
        if name.startswith(("backbone.conv1.", "backbone.bn1.", "backbone.layer"))
        and not name.endswith("num_batches_tracked")
    ]
    if missing or unexpected:
        raise ValueError(f"missing {missing}, unexpected {unexpected}")


def loss_of(model: nn.Module, images: Tensor, targets: List[Target], boxes: Tensor) -> Tensor:
    """The SSD loss of a batch."""
    outputs = model(images)
    rows = zip(outputs["cls_logits"], outputs["bbox_regression"], targets)
    parts = [ssd_loss(logits, regression, boxes, *target) for logits, regression, target in rows]
    classes, places, matched = (sum(part) for part in zip(*parts))
    return (classes + places) / max(matched, 1)


def schedule(step: int, steps: int) -> float:
    """The learning rate of a step as a fraction of the peak: warm-up, then half a cosine."""
    warmup = 0.05 * steps
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def train(model: nn.Module, canvases: Canvases, args: argparse.Namespace) -> None:
    """Train ``model`` in place."""
    rng = np.random.default_rng(args.seed)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0}]
    optimizer = torch.optim.AdamW(groups, lr=args.rate)
    boxes = default_boxes(SIDE)
    start, total = time.monotonic(), 0.0
    order: List[int] = []
    model.train()
    for step in range(args.steps):
        if len(order) < args.batch:
            order = rng.permutation(len(canvases)).tolist()
        indices, order = np.array(order[: args.batch]), order[args.batch :]
        for group in optimizer.param_groups:
            group["lr"] = args.rate * schedule(step, args.steps)
        images, targets = canvases.batch(indices, rng.random(args.batch) < 0.5)
        loss = loss_of(model, images, targets, boxes)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        total += loss.item()
        if (step + 1) % 100 == 0:
            seconds = time.monotonic() - start
            print(f"step {step + 1}: loss {total / 100:.4f}, {seconds:.0f} s", flush=True)
            total = 0.0


def main() -> None:
    """Train and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--canvases", type=Path, required=True, help="what the example writes")
    here = Path(__file__).parent
    classifier = here / "resnet20-fashion-mnist.safetensors"
    parser.add_argument("--classifier", type=Path, default=classifier)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--output", type=Path, required=True, help="the .safetensors file to write")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(args.seed)
    model = build(MODEL, 1, CLASSES)
    start_from(model, args.classifier)
    train(model.to(memory_format=torch.channels_last), Canvases(args.canvases), args)
    write_safetensors(args.output, to_half(state_arrays(model)))
    print(f"{args.output.name}: {args.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
