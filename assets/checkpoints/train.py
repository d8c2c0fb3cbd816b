#!/usr/bin/env python3
"""Train one of the embedded Fashion-MNIST checkpoints and store it as f16 ``.safetensors``.

Trains on all 60,000 training images for a fixed number of epochs, with random horizontal flips and
shifts by up to --shift pixels. The last weights are the result: nothing is selected, and the test
images are read only afterwards, to report the accuracy of the f32 weights and of the stored file.

ResNet and MobileNetV2 use SGD with Nesterov momentum and a one-cycle schedule, the Vision
Transformer uses AdamW with warm-up and a cosine schedule, on batches of 128. A run is determined by
the seed, the PyTorch build and the machine type.

Example:
    python3 train.py --model resnet20 --epochs 10 --output resnet20-fashion-mnist.safetensors
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from torch import nn

from evaluation import load_state, predict, state_arrays, top_k
from formats import (
    DEBIAN_DATA,
    load_split,
    normalise,
    read_safetensors,
    to_half,
    write_safetensors,
)
from models import build

# The models and their peak learning rates.
RATES = {"resnet20": 0.2, "mobilenetv2_x0_25": 0.1, "vit_micro_patch4_28": 2e-3}
CLASSES = 10
BATCH = 128


def augment(
    padded: np.ndarray, indices: np.ndarray, shift: int, rng: np.random.Generator
) -> np.ndarray:
    """Randomly shifted and flipped crops of images that are padded by ``shift`` each side."""
    count = len(indices)
    size = padded.shape[1] - 2 * shift
    rows = rng.integers(0, 2 * shift + 1, (count, 1)) + np.arange(size)
    columns = rng.integers(0, 2 * shift + 1, (count, 1)) + np.arange(size)
    flipped = rng.random(count) < 0.5
    columns[flipped] = columns[flipped, ::-1]
    return padded[indices[:, None, None], rows[:, :, None], columns[:, None, :]]


def make_optimizer(name: str, model: nn.Module, rate: Optional[float]) -> torch.optim.Optimizer:
    """The optimizer of a model; biases, norms and embeddings are not decayed."""
    decayed = [p for n, p in model.named_parameters() if p.ndim > 1 and "_" not in n.split(".")[-1]]
    chosen = {id(p) for p in decayed}
    others = [p for p in model.parameters() if id(p) not in chosen]
    decay = 0.05 if name.startswith("vit") else 5e-4
    groups = [{"params": decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0}]
    rate = rate or RATES[name]
    if name.startswith("vit"):
        return torch.optim.AdamW(groups, lr=rate)
    return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)


def schedule(name: str, step: int, steps: int) -> float:
    """The learning rate of a step as a fraction of the peak."""
    if name.startswith("vit"):
        warmup = 0.08 * steps
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
    # One cycle: a linear rise over a fifth of the steps, then a linear fall to nearly zero.
    rise = 0.2 * steps
    return (step + 1) / rise if step < rise else (steps - step) / (steps - rise)


def train(model: nn.Module, args: argparse.Namespace) -> None:
    """Train ``model`` in place."""
    images, labels = load_split(args.data, "train")
    border = (args.shift, args.shift)
    padded = np.pad(images, ((0, 0), border, border))
    targets = torch.from_numpy(labels.astype(np.int64))
    rng = np.random.default_rng(args.seed)
    optimizer = make_optimizer(args.model, model, args.rate)
    peak = optimizer.param_groups[0]["lr"]
    per_epoch = len(images) // BATCH
    steps = args.epochs * per_epoch
    start = time.monotonic()
    model.train()
    for epoch in range(args.epochs):
        order = rng.permutation(len(images))[: per_epoch * BATCH].reshape(per_epoch, BATCH)
        total = correct = 0.0
        for batch, indices in enumerate(order):
            for group in optimizer.param_groups:
                group["lr"] = peak * schedule(args.model, epoch * per_epoch + batch, steps)
            inputs = torch.from_numpy(normalise(augment(padded, indices, args.shift, rng)))
            logits = model(inputs)
            loss = nn.functional.cross_entropy(logits, targets[indices])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimizer.step()
            total += loss.item()
            correct += (logits.argmax(1) == targets[indices]).sum().item()
            if (batch + 1) % 100 == 0 or batch + 1 == per_epoch:
                print(
                    f"epoch {epoch + 1} batch {batch + 1}: loss {total / (batch + 1):.4f}"
                    f" accuracy {100 * correct / ((batch + 1) * BATCH):.2f} % on augmented batches,"
                    f" {time.monotonic() - start:.0f} s",
                    flush=True,
                )


def report(what: str, model: nn.Module, inputs: np.ndarray, labels: np.ndarray) -> None:
    """Print the top-1 accuracy on all test images and on the first 2,000."""
    logits = predict(model, inputs)
    print(
        f"{what}: top-1 {top_k(logits, labels):.2f} % on {len(labels)} test images,"
        f" {top_k(logits[:2000], labels[:2000]):.2f} % on the first 2000",
        flush=True,
    )


def main() -> None:
    """Train, store and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=tuple(RATES), required=True)
    parser.add_argument("--data", type=Path, default=DEBIAN_DATA, help="folder of the idx files")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=float, help="peak learning rate, if not the model's own")
    parser.add_argument("--shift", type=int, default=2, help="largest random shift in pixels")
    parser.add_argument("--output", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--keep-f32", type=Path, help="also write the unrounded weights here")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(args.seed)
    model = build(args.model, 1, CLASSES).to(memory_format=torch.channels_last)
    train(model, args)

    if args.keep_f32:
        write_safetensors(args.keep_f32, state_arrays(model))
    write_safetensors(args.output, to_half(state_arrays(model)))
    images, labels = load_split(args.data, "t10k")
    inputs = normalise(images)
    report("f32 weights", model, inputs, labels)
    load_state(model, read_safetensors(args.output))
    report(f"{args.output.name} ({args.output.stat().st_size} bytes)", model, inputs, labels)


if __name__ == "__main__":
    main()
