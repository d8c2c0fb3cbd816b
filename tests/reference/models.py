#!/usr/bin/env python3
"""Write models.json: logits, sizes and layers of networks with weights that any program can make.

A parameter or buffer called NAME takes its values from a fixed generator. With h the 64-bit FNV-1a
hash of the bytes of NAME, element i (from 0, in row-major order) takes z, the splitmix64 finalizer
of h + (i + 1) * 0x9E3779B97F4A7C15 modulo 2^64, and u = (z >> 40) / 2^24, so that 0 <= u < 1:

* ``*running_var``: 0.5 + u;
* ``*running_mean``: (2 u - 1) * 0.1;
* ``*.weight`` of rank 2 or more: (2 u - 1) * sqrt(3 / fan_in), where fan_in is the number of
  elements over the first dimension;
* ``*.weight`` of rank 1, which are the scales of norms: 0.5 + u;
* all others, which are biases and embeddings: (2 u - 1) * 0.1.

The input is called "input" and is 2 u - 1, for a batch of two images. All of this is computed in
f64 and rounded to f32 at the end.

Logits are computed in f32 and in evaluation mode; ``f32_deviation`` is the largest difference from
the same network run in f64, as a measure of the rounding to expect. ``parameters`` leaves buffers
out, and ``macs`` counts the multiply-accumulates of convolutions and linear layers for one image.
``prunable`` lists the convolutions and linear layers in module order.

The ImageNet ResNets are torchvision's own, so that the script needs it.

With --peers, the logits are also compared with those of torchvision's MobileNetV2 and of timm's
Vision Transformer with the same weights, where these packages are installed.

Example:
    python3 models.py
"""

from __future__ import annotations

import argparse
from typing import Any, Dict, Iterator, List, Tuple

import numpy as np
import torch
from torch import Tensor, nn

from common import HERE, digits, write_json
from models import build, prunable_layers

# Model, input channels, image size, classes.
CASES = (
    ("resnet20", 1, 28, 10),
    ("resnet20", 3, 32, 10),
    ("resnet32", 3, 32, 10),
    ("resnet56", 3, 32, 10),
    ("resnet18", 3, 64, 10),
    ("resnext50_32x4d", 3, 64, 10),
    ("mobilenetv2_x0_25", 1, 28, 10),
    ("mobilenetv2_x0_5", 3, 32, 10),
    ("mobilenet_v2", 3, 224, 1000),
    ("vit_micro_patch4_28", 1, 28, 10),
)
BATCH = 2


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


def generate(name: str, shape: Tuple[int, ...]) -> np.ndarray:
    """The f32 values of a parameter, a buffer or the input."""
    u = uniform(name, int(np.prod(shape))).reshape(shape)
    signed = 2.0 * u - 1.0
    if name == "input":
        values = signed
    elif name.endswith("running_var"):
        values = 0.5 + u
    elif name.endswith(".weight") and len(shape) > 1:
        values = signed * np.sqrt(3.0 / (u.size // shape[0]))
    elif name.endswith(".weight"):
        values = 0.5 + u
    else:
        values = signed * 0.1
    return values.astype(np.float32)


def fill(model: nn.Module) -> nn.Module:
    """Give ``model`` generated weights, and put it in evaluation mode."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                tensor.copy_(torch.from_numpy(generate(name, tuple(tensor.shape))))
    return model.eval()


def network(name: str, channels: int, classes: int) -> nn.Module:
    """The network called ``name``: ours in PyTorch, or else torchvision's."""
    try:
        return build(name, channels, classes)
    except KeyError:
        import torchvision

        return getattr(torchvision.models, name)(num_classes=classes)


def count_macs(model: nn.Module, image: Tensor) -> int:
    """Multiply-accumulates of the convolutions and linear layers, counted in a forward pass."""
    total = 0

    def hook(module: nn.Module, _inputs: Tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        # Each output element takes one filter or one row of the weight.
        total += output.numel() * module.weight[0].numel()

    handles = [layer.register_forward_hook(hook) for _, layer in prunable_layers(model)]
    with torch.no_grad():
        model(image)
    for handle in handles:
        handle.remove()
    return total


def peers(name: str, channels: int, classes: int) -> Iterator[Tuple[str, nn.Module]]:
    """The same architecture by other hands, as far as it is installed."""
    if name == "mobilenet_v2":
        try:
            import torchvision
        except ImportError:
            return
        yield "torchvision", torchvision.models.mobilenet_v2(num_classes=classes)
    elif name == "vit_micro_patch4_28":
        try:
            from timm.models.vision_transformer import VisionTransformer
        except ImportError:
            return
        yield "timm", VisionTransformer(
            img_size=28,
            patch_size=4,
            in_chans=channels,
            num_classes=classes,
            embed_dim=64,
            depth=6,
            num_heads=4,
        )


def describe(
    name: str, channels: int, size: int, classes: int, compare: bool
) -> Dict[str, Any]:
    """The fixture of one model."""
    model = fill(network(name, channels, classes))
    inputs = torch.from_numpy(generate("input", (BATCH, channels, size, size)))
    with torch.no_grad():
        logits = model(inputs)
        for peer, other in peers(name, channels, classes) if compare else ():
            assert list(other.state_dict()) == list(model.state_dict()), peer
            difference = (fill(other)(inputs) - logits).abs().max().item()
            print(f"  {peer}: same names in the same order, logits within {difference:.1e}")
    macs = count_macs(model, inputs[:1])
    layers: List[Dict[str, Any]] = [
        {"name": layer_name, "shape": list(layer.weight.shape)}
        for layer_name, layer in prunable_layers(model)
    ]
    with torch.no_grad():
        deviation = (model.double()(inputs.double()) - logits).abs().max().item()
    print(f"{name} {channels}x{size}x{size}: {macs} MACs, |f32 - f64| <= {deviation:.1e}")
    return {
        "model": name,
        "input": [BATCH, channels, size, size],
        "classes": classes,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "macs": macs,
        "prunable": layers,
        "f32_deviation": float(f"{deviation:.3g}"),
        "logits": digits(logits.numpy()),
    }


def main() -> None:
    """Write models.json beside this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", action="store_true", help="compare with torchvision and timm")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    samples = ("input", "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_var")
    shapes = {"conv1.weight": (16, 3, 3, 3)}
    document = {
        "source": f"tests/reference/models.py, PyTorch {torch.__version__}",
        "generator": {
            name: digits(generate(name, shapes.get(name, (16,))).reshape(-1)[:4])
            for name in samples
        },
        "models": [describe(*case, args.peers) for case in CASES],
    }
    write_json(HERE / "models.json", document)


if __name__ == "__main__":
    main()
