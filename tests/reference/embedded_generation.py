#!/usr/bin/env python3
"""Write embedded_generation.json: the noise that the embedded generator sees, and how much of it on average.

assets/checkpoints/ddpm_micro_28-fashion-mnist.safetensors is loaded into diffusers' ``UNet2DModel`` with its
f16 tensors widened to f32. The noise that is added to test images is no noise but a wave, which any program can make.

Needs diffusers (0.21).
"""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import torch
from torch import Tensor

from common import ASSETS, CHECKPOINTS, HERE, digits, write_json
from evaluation import load_state
from formats import load_split, read_safetensors
from train_generator import left, unet

MODEL = "ddpm_micro_28"
STEPS = (20, 250, 600, 950)
SHOWN, MEASURED = 1, 64


def wave(count: int, side: int) -> Tensor:
    """The root of 2 times a sine: mean 0 and variance 1 nearly."""
    values = np.sqrt(2) * np.sin(np.arange(count * side * side, dtype=np.float64) ** 2 % 1009)
    return torch.from_numpy(values.reshape(count, 1, side, side).astype(np.float32))


def seen(model: torch.nn.Module, images: Tensor, step: int) -> Dict[str, Any]:
    """What the network sees at a time step."""
    share = left()[step]
    noise = wave(*images.shape[::2])
    with torch.no_grad():
        found = model(share.sqrt() * images + (1 - share).sqrt() * noise, step).sample
    return {
        "timestep": step,
        "share": float(share),
        "noise": digits(found[:SHOWN].flatten(1).numpy()),
        "error": float(((found - noise) ** 2).mean()),
    }


def main() -> None:
    """Write embedded_generation.json beside this script."""
    torch.set_num_threads(1)
    model = unet().eval()
    load_state(model, read_safetensors(CHECKPOINTS / f"{MODEL}-fashion-mnist.safetensors"))
    images, _ = load_split(ASSETS / "fashion-mnist", "test")
    images = torch.from_numpy(images[:MEASURED].astype(np.float32) / 127.5 - 1)[:, None]
    document = {
        "source": f"tests/reference/embedded_generation.py, PyTorch {torch.__version__}",
        "model": MODEL,
        "images": MEASURED,
        "steps": [seen(model, images, step) for step in STEPS],
    }
    write_json(HERE / "embedded_generation.json", document)


if __name__ == "__main__":
    main()
