#!/usr/bin/env python3
"""Block reconstruction of a sparse ResNet-20 on CIFAR-10, in plain PyTorch.

The same job as::

    ptsbench sparsify --model resnet20 --allocator l2norm --sparsity 0.8 \
        --reconstruction "block-sparse-weight+bias-adam(lr=1e-3)" \
        --calibration 256 --batch-size 32 --limit 2000

Written as one would write it for PyTorch: activations of a unit are captured once, all layers are
corrected in one pass, gradients are taken unit by unit. Random draws differ from ptsbench's. And
ptsbench does a little more: it looks at the loss over all images four times a unit and keeps the
best weights, where this keeps the last.

Example:
    benches/vs_pytorch/reconstruct.py CIFAR10_DIR resnet20.safetensors --iterations 300
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "assets" / "checkpoints"))

import models  # noqa: E402  (beside the checkpoints)

SPARSITY = 0.8
CALIBRATION = 256
BATCH = 32
LEARNING_RATE = 1e-3
TEST_IMAGES = 2000
TEST_BATCH = 50
MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


def records(paths: List[Path]) -> Tuple[Tensor, Tensor]:
    """Images `[n, 3, 32, 32]` as bytes and labels `[n]` of CIFAR-10 binaries."""
    rows = np.concatenate([np.fromfile(path, np.uint8).reshape(-1, 3073) for path in paths])
    return torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32)), torch.from_numpy(rows[:, 0])


def normalised(images: Tensor) -> Tensor:
    """What the network takes, from bytes."""
    return (images.float() / 255 - MEAN) / STD


def load_checkpoint(path: Path) -> Dict[str, Tensor]:
    """The tensors of a safetensors file, or of a pickle with a `state_dict` in it."""
    if path.suffix != ".safetensors":
        checkpoint = torch.load(path, map_location="cpu")
        state = checkpoint.get("state_dict", checkpoint)
        return {name[7:] if name.startswith("module.") else name: t for name, t in state.items()}
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    tensors = {}
    for name, entry in json.loads(raw[8:start]).items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F32":
            raise ValueError(f"{name} is {entry['dtype']}, expected F32")
        first, past = entry["data_offsets"]
        values = np.frombuffer(raw[start + first : start + past], "<f4").copy()
        tensors[name] = torch.from_numpy(values).reshape(entry["shape"])
    return tensors


def folded_resnet20(weights: Path) -> nn.Module:
    """ResNet-20 with its batch norms folded into its convolutions."""
    net = models.build("resnet20", 3, 10)
    # Checkpoints of old lack the counters of batches.
    missing, unexpected = net.load_state_dict(load_checkpoint(weights), strict=False)
    if unexpected or any(not name.endswith("num_batches_tracked") for name in missing):
        raise ValueError(f"{weights} is no ResNet-20: {unexpected}, {missing}")
    net.eval()
    for module in list(net.modules()):
        for index in ("1", "2"):
            if hasattr(module, "bn" + index):
                conv, norm = getattr(module, "conv" + index), getattr(module, "bn" + index)
                setattr(module, "conv" + index, fuse_conv_bn_eval(conv, norm))
                setattr(module, "bn" + index, nn.Identity())
    return net


def units_of(net: nn.Module) -> List[nn.Module]:
    """The stem, the nine residual blocks and the classifier: run in order, they are the network."""
    stem = nn.Sequential(net.conv1, nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), net.linear)
    return [stem, *net.layer1, *net.layer2, *net.layer3, head]


def layers_of(module: nn.Module) -> List[nn.Module]:
    """Its convolutions and linear layers, in the order in which they run."""
    return [layer for _, layer in models.prunable_layers(module)]


def l2norm_masks(layers: List[nn.Module]) -> Dict[nn.Module, Tensor]:
    """Masks from one threshold for the whole network on `|w|` / L2 norm of its layer."""
    scores = [layer.weight.detach().abs() / layer.weight.detach().norm() for layer in layers]
    flat = torch.cat([score.flatten() for score in scores])
    threshold = flat.kthvalue(round(SPARSITY * len(flat))).values
    return {layer: (score > threshold).float() for layer, score in zip(layers, scores)}


@torch.no_grad()
def correct_weight(layer: nn.Module, dense: Tensor, mask: Tensor) -> None:
    """Scale and shift what survives, so that each channel has the mean and deviation it had.

    Zeros count. A channel with fewer than two survivors, or with equal ones, is left alone.
    """
    w, d, m = (t.flatten(1).double() for t in (layer.weight, dense, mask))
    n, k = w.shape[1], m.sum(1)
    total, squares = w.sum(1), w.square().sum(1)
    mean = d.mean(1)
    spread = squares - total.square() / k
    wanted = d.square().sum(1) - (n * mean).square() / k
    possible = (k >= 2) & (spread > 1e-12 * squares) & (wanted > 0)
    scale = torch.where(possible, (wanted / spread).sqrt(), torch.ones_like(k))
    shift = torch.where(possible, (n * mean - scale * total) / k, torch.zeros_like(k))
    corrected = (scale[:, None] * w + shift[:, None]) * m
    layer.weight.copy_(corrected.reshape(dense.shape))


@torch.no_grad()
def correct_biases(dense: nn.Module, sparse: nn.Module, images: Tensor) -> None:
    """Give the outputs of each layer the mean per channel that they have in the dense network.

    Later layers see the corrected outputs of earlier ones: each layer is corrected as it runs.
    """

    def mean(output: Tensor) -> Tensor:
        return output.mean([dim for dim in range(output.dim()) if dim != 1])

    expected: List[Tensor] = []
    means = iter(expected)

    def record(_layer: nn.Module, _inputs: Tuple[Tensor], output: Tensor) -> None:
        expected.append(mean(output))

    def correct(layer: nn.Module, _inputs: Tuple[Tensor], output: Tensor) -> Tensor:
        missing = next(means) - mean(output)
        layer.bias += missing
        return output + missing.reshape(-1, *[1] * (output.dim() - 2))

    for net, hook in ((dense, record), (sparse, correct)):
        handles = [layer.register_forward_hook(hook) for layer in layers_of(net)]
        net(images)
        for handle in handles:
            handle.remove()


def reconstruct_unit(
    unit: nn.Module,
    masks: Dict[nn.Module, Tensor],
    inputs: Tensor,
    targets: Tensor,
    iterations: int,
    generator: torch.Generator,
) -> None:
    """Adam on the squared error, summed over channels and averaged over positions and samples."""
    layers = layers_of(unit)
    optimizer = torch.optim.Adam(unit.parameters(), lr=LEARNING_RATE)
    batches: List[Tensor] = []
    for _ in range(iterations):
        if not batches:
            batches = list(torch.randperm(len(inputs), generator=generator).split(BATCH))
        rows = batches.pop()
        loss = functional.mse_loss(unit(inputs[rows]), targets[rows]) * targets.shape[1]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for layer in layers:
            # Adam does not move what never had a gradient, so pruned weights stay zero.
            layer.weight.grad *= masks[layer]
        optimizer.step()


@torch.no_grad()
def top1(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Top-1 accuracy in percent."""
    batches = zip(images.split(TEST_BATCH), labels.split(TEST_BATCH))
    hits = sum(int((net(normalised(x)).argmax(1) == y).sum()) for x, y in batches)
    return 100 * hits / len(images)


def reconstruct_resnet20(data: Path, weights: Path, iterations: int) -> None:
    """Prune, correct, reconstruct and measure; says top-1 before and after on stderr."""
    if (data / "cifar-10-batches-bin").is_dir():
        data = data / "cifar-10-batches-bin"
    pool, _ = records(sorted(data.glob("data_batch_*.bin")))
    images, labels = (t[:TEST_IMAGES] for t in records([data / "test_batch.bin"]))
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randperm(len(pool), generator=generator)[:CALIBRATION]
    calibration = normalised(pool[drawn])

    dense = folded_resnet20(weights)
    sparse = copy.deepcopy(dense)
    masks = l2norm_masks(layers_of(sparse))
    for layer, original in zip(layers_of(sparse), layers_of(dense)):
        layer.weight.data *= masks[layer]
        correct_weight(layer, original.weight, masks[layer])
    correct_biases(dense, sparse, calibration)

    target = inputs = calibration
    for original, unit in zip(units_of(dense), units_of(sparse)):
        with torch.no_grad():
            target = original(target)
        reconstruct_unit(unit, masks, inputs, target, iterations, generator)
        with torch.no_grad():
            inputs = unit(inputs)

    pruned = sum(int((mask == 0).sum()) for mask in masks.values())
    share = 100 * pruned / sum(mask.numel() for mask in masks.values())
    before, after = top1(dense, images, labels), top1(sparse, images, labels)
    found = f"top1: dense {before:.2f}, sparse {after:.2f}, {share:.4f} % pruned"
    print(f"PyTorch   {found}", file=sys.stderr)


def main() -> None:
    """Do the job once."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of CIFAR-10 binaries")
    parser.add_argument("weights", type=Path, help="a ResNet-20 for CIFAR-10")
    parser.add_argument("--iterations", type=int, default=300, help="Adam steps a unit")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    reconstruct_resnet20(args.data, args.weights, args.iterations)


if __name__ == "__main__":
    main()
